// libunwind.h: stacks by libunwind, for users who prefer it to our own reader of the
// same tables (cfi.h): it also reads .debug_frame, from files where it must.
#ifndef MOUND_OS_LIBUNWIND_H
#define MOUND_OS_LIBUNWIND_H

#include "os/stack.h"

// libunwind_load loads it, privately (RTLD_LOCAL), and returns NULL, or says why
// it cannot be used. It may allocate, load libraries and open files. Once.
const char *libunwind_load(void);

// libunwind_walk writes the return addresses of the frames outside of its own,
// innermost first and without those to be skipped, and returns how many: up to
// max, and none while another walk is
// going on in this process. It may allocate. It waits for no lock that a program
// can hold, and uses little of the caller's stack.
unsigned libunwind_walk(const struct stack_skip *skip, uintptr_t *ret_pcs,
                        unsigned max);

#endif // MOUND_OS_LIBUNWIND_H
