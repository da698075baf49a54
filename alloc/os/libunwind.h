// libunwind.h: stacks by libunwind, for users who prefer it to cfi.h. It also
// reads .debug_frame, from files if necessary.
#ifndef MOUND_OS_LIBUNWIND_H
#define MOUND_OS_LIBUNWIND_H

#include "os/stack.h"

// libunwind_load loads libunwind, privately (RTLD_LOCAL). It returns NULL, or
// the reason why libunwind cannot be used. It may allocate, load libraries and
// open files. Call it once.
const char *libunwind_load(void);

// libunwind_walk writes the return addresses of its callers, innermost first
// and without skipped ones, and returns how many: up to max, and 0 while
// another walk is in progress in this process. It may allocate. It waits for no
// lock that a program can hold, and needs little of the caller's stack.
unsigned libunwind_walk(const struct stack_skip *skip, uintptr_t *ret_pcs,
                        unsigned max);

#endif // MOUND_OS_LIBUNWIND_H
