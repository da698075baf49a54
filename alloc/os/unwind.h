// unwind.h: the return addresses of the calling thread's stack.
//
// By default stacks are taken by unwind tables, which works in any state of the
// process (cfi.h). libunwind is loaded on demand, privately (RTLD_LOCAL), and
// only by unwind_init.
#ifndef MOUND_OS_UNWIND_H
#define MOUND_OS_UNWIND_H

#include "base/compiler.h"

enum unwind_mode {
    UNWIND_FP,        // frame pointers
    UNWIND_TABLES,    // unwind tables; else frame pointers
    UNWIND_LIBUNWIND, // libunwind; else tables
};

enum { UNWIND_MAX = 64 }; // return addresses, at most

// unwind_init sets the mode and returns the mode in force. If that is not the
// wanted one, *ret_why is a short reason. For UNWIND_LIBUNWIND it may allocate,
// load libraries and open files: call it once, from a constructor while there
// is one thread, or later when the program starts a profile; not before the C
// library's own constructor has run, because loading a library would run that
// constructor without arguments and environment.
enum unwind_mode unwind_init(enum unwind_mode wanted, const char **ret_why);

// unwind_mode returns the mode in force.
enum unwind_mode unwind_mode(void);

// unwind_has_choice says whether there is any mode but UNWIND_FP: on x86-64, with glibc
// 2.35 or later.
bool unwind_has_choice(void);

// unwind_stack writes the return addresses of this library's callers, innermost
// first, and returns how many: up to max, possibly 0. It skips the frames of
// libmound.so; if mound is linked into the program it cannot. Where a signal
// interrupted a function, the interrupted instruction is among the addresses.
// It waits for no lock that a program can hold, and keeps errno. With libunwind
// it may call malloc, so the caller must guard against recursion.
unsigned unwind_stack(uintptr_t *ret_pcs, unsigned max);

// unwind_here is unwind_stack without libunwind; it does not allocate.
unsigned unwind_here(uintptr_t *ret_pcs, unsigned max);

// unwind_frames is unwind_stack by frame pointers alone, in a tenth of the
// time.
unsigned unwind_frames(uintptr_t *ret_pcs, unsigned max);

// unwind_forked is for the child of a fork. It replaces libunwind by unwind
// tables.
void unwind_forked(void);

#endif // MOUND_OS_UNWIND_H
