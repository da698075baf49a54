// core.h: reads the counters of mound from a core file, and from the library file what
// the core leaves out.
#ifndef MOUND_COMMAND_CORE_H
#define MOUND_COMMAND_CORE_H

#include <stdbool.h>

#include "mound_page.h"

// core_is says whether a file is an ELF core.
bool core_is(const char *path);

// core_read fills *ret: the figures of the heap, the identity, and the signal that ended
// the process. A core does not have the RSS. False, with a reason in ret_why.
struct core_why {
    char s[512];
};
bool core_read(const char *path, struct mound_page *ret,
               struct core_why *ret_why);

#endif // MOUND_COMMAND_CORE_H
