// unwind.h: the return addresses of the calling thread's stack.
//
// By unwind tables, which is what is done unless it is told otherwise, stacks are
// had in any state of the process: see cfi.h. libunwind is loaded on demand,
// privately (RTLD_LOCAL), and only by unwind_init.
#ifndef MOUND_OS_UNWIND_H
#define MOUND_OS_UNWIND_H

#include "base/compiler.h"

enum unwind_mode {
    UNWIND_FP,        // frame pointers
    UNWIND_TABLES,    // unwind tables; frame pointers where it cannot be
    UNWIND_LIBUNWIND, // libunwind; tables where it cannot be
};

enum { UNWIND_MAX = 64 }; // return addresses, at most

// unwind_init brings a mode into force and returns the one that is. *ret_why, when
// it is not the wanted one, says why in a few words. For UNWIND_LIBUNWIND it may
// allocate, load libraries and open files: once, by a constructor, while there is
// one thread; or later by a program that starts a profile. Not before the C
// library's own constructor has run: loading any library would run that one too,
// without arguments and environment.
enum unwind_mode unwind_init(enum unwind_mode wanted, const char **ret_why);

// unwind_mode returns the mode in force.
enum unwind_mode unwind_mode(void);

// unwind_stack writes the return addresses of the callers of this library,
// innermost first, and returns how many: up to max, maybe 0. The frames of
// libmound.so itself are left out; where mound is part of a program they are not.
// Where a signal interrupted a function, its instruction stands among them. Waits
// for no lock that a program can hold, and keeps errno. By libunwind it may call
// malloc, so the caller guards against itself.
unsigned unwind_stack(uintptr_t *ret_pcs, unsigned max);

// unwind_here is unwind_stack without libunwind, and allocates nothing.
unsigned unwind_here(uintptr_t *ret_pcs, unsigned max);

// unwind_frames is unwind_stack by frame pointers alone, which takes a tenth of
// the time.
unsigned unwind_frames(uintptr_t *ret_pcs, unsigned max);

// unwind_forked is for the child of a fork, which has stacks by tables from then on
// if it had them by libunwind.
void unwind_forked(void);

#endif // MOUND_OS_UNWIND_H
