// unwind.h: the return addresses of the calling thread's stack.
//
// libunwind is loaded on demand, privately (RTLD_LOCAL), and only by
// unwind_init: a process that wants no stacks never sees it. No function here
// is called with a lock of ours held: libunwind may take the dynamic loader's.
#ifndef MOUND_OS_UNWIND_H
#define MOUND_OS_UNWIND_H

#include "base/compiler.h"

enum unwind_mode {
    UNWIND_FP,        // frame pointers, within the bounds of the stack
    UNWIND_LIBUNWIND, // unwind tables; frame pointers where it is not usable
};

enum { UNWIND_MAX = 64 }; // return addresses, at most

// unwind_init prepares for a mode and returns the one that is in force: frame
// pointers when libunwind cannot be loaded. It may allocate, load libraries and
// open files. *ret_why, when the mode is not the wanted one, says why in a few
// words. Once, by a constructor, while there is one thread; or later by a program
// that asks for a profile. Not before the C library's own constructor has run:
// loading any library would run that one too, without arguments and environment.
// With wanted UNWIND_FP nothing changes, and the answer tells what is in force.
enum unwind_mode unwind_init(enum unwind_mode wanted, const char **ret_why);

// unwind_stack writes the return addresses of the callers of this library,
// innermost first, and returns how many: up to max, maybe 0. The frames of
// libmound.so itself are left out; where mound is part of a program they are not.
// Keeps errno. libunwind may call malloc the first time a thread comes here, so
// the caller guards against itself. Frame pointers are used in a signal handler
// that interrupted libunwind in this thread, while a fork is going on, and where
// less than 8 KiB of the stack are left.
unsigned unwind_stack(uintptr_t *ret_pcs, unsigned max);

// unwind_frames is unwind_stack by frame pointers alone: for reports, in any
// state of the process. Takes no lock, makes no call that may allocate.
unsigned unwind_frames(uintptr_t *ret_pcs, unsigned max);

// The handlers of fork: the child shall not find libunwind's locks held by
// threads that it does not have. before waits, for a bounded time, for threads
// that are unwinding; a child that cannot be sure of libunwind and the loader
// uses frame pointers from then on, and so does each child of several threads.
// One fork at a time. unwind_forked_bare is for a child that was made without
// handlers.
void unwind_before_fork(void);
void unwind_after_fork_parent(void);
void unwind_after_fork_child(void);
void unwind_forked_bare(void);

#endif // MOUND_OS_UNWIND_H
