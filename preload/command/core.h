// core.h: reads the counters of mound out of a core file, and the library file for what
// the core leaves out.
#ifndef MOUND_COMMAND_CORE_H
#define MOUND_COMMAND_CORE_H

#include <stdbool.h>

#include "mound_page.h"

// core_is says whether a file is an ELF core.
bool core_is(const char *path);

// core_read fills *ret: the figures of the heap, and who it was and which signal ended it.
// The RSS is not in a core. False, with a reason in ret_why.
struct core_why {
    char s[512];
};
bool core_read(const char *path, struct mound_page *ret,
               struct core_why *ret_why);

#endif // MOUND_COMMAND_CORE_H
