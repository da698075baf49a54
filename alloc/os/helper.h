// helper.h: one short-lived thread of our own, in programs that have threads.
//
// It is none of the C library's threads: the C library would wait for it when
// the last other thread ends, take locks while making it, and allocate. So it
// has a stack and thread-local memory of its own, all signals blocked, and may
// call nothing that uses errno or other thread-local variables. It is made by the
// system calls that pthread_create makes, with the same flags, and in its life
// makes those of malloc and exit: a filter that was there when the program made
// its threads lets it be. So it sets no name of its own.
#ifndef MOUND_OS_HELPER_H
#define MOUND_OS_HELPER_H

#include "base/compiler.h"

// struct helper: all zero is one that does not run.
struct helper {
    _Atomic uint32_t tid; // 0: not running; the kernel clears it at the end
    char *memory;         // its stack and thread-local memory, kept
};

// helper_start lets run(arg) run in a thread, unless it runs already. It returns
// false if it does, or cannot be made, or a filter came (os/filter.h). Any thread, with or without locks.
bool helper_start(struct helper *h, void (*run)(void *arg), void *arg);

// helper_here says whether this is that thread.
bool helper_here(void);

// helper_forked is for the child of a fork, where it does not run.
void helper_forked(struct helper *h);

#endif // MOUND_OS_HELPER_H
