// environment.h: the environment in which a program starts on mound.
#ifndef MOUND_COMMAND_ENVIRONMENT_H
#define MOUND_COMMAND_ENVIRONMENT_H

#include <stdbool.h>

// environment_option takes "name=value" of -o and sets MOUND_NAME for the program to be
// started; without "=" the value is 1. Small letters and - are accepted. False after a
// complaint: there is no such variable.
bool environment_option(const char *option);

// environment_set puts libmound.so in front of LD_PRELOAD unless it is in it already,
// and sets MOUND_WATCH (keep: the page stays after a normal exit) and MOUND_CONTROL
// unless they are set. False after a complaint.
bool environment_set(bool keep);

// environment_library is the path of the library to preload, or NULL after a complaint:
// it is not where it was installed relative to this command.
const char *environment_library(void);

#endif // MOUND_COMMAND_ENVIRONMENT_H
