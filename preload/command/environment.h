// environment.h: the environment in which a program starts on mound.
#ifndef MOUND_COMMAND_ENVIRONMENT_H
#define MOUND_COMMAND_ENVIRONMENT_H

#include <stdbool.h>

// environment_option takes "name=value" of -o and sets MOUND_NAME for what is started;
// without "=" the value is 1. Small letters and - do as well. False after a complaint:
// there is no such variable.
bool environment_option(const char *option);

// environment_set puts libmound.so into LD_PRELOAD, before what is there, unless it is
// one of these, and sets MOUND_WATCH (keep: also when the program ends by itself) and
// MOUND_CONTROL where they are not. False after a complaint.
bool environment_set(bool keep);

// environment_library is the library that is preloaded, or NULL after a complaint: it is
// not where it was installed beside this command.
const char *environment_library(void);

#endif // MOUND_COMMAND_ENVIRONMENT_H
