// stdfd.h: the standard descriptors that the program was started with. Its own may
// be closed when we have something to say (coreutils close theirs in an exit handler
// that runs before us), or be other files: a program that closed 2 and opened its
// data has it there.
#ifndef MOUND_BASE_STDFD_H
#define MOUND_BASE_STDFD_H

#include "base/compiler.h"

// stdfd_start notes what 2 is. At the start, once.
void stdfd_start(void);

// stdfd_keep, at the start, takes a copy of fd, 1 or 2, for what was asked for there:
// it has to arrive whatever the program does with the descriptor. Whoever reads a
// pipe or socket to its end then waits for this process: without waiters, none is
// copied.
void stdfd_keep(int fd, bool waiters);

// stdfd_forked closes the copies in a child of fork: it may become a daemon, which
// gives up its standard descriptors so that nobody waits for it.
void stdfd_forked(void);

// stdfd_of returns a descriptor of what fd, 1 or 2, was at the start: itself, or the
// copy; -1: there is none.
int stdfd_of(int fd);

// stdfd_err returns where to print: stdfd_of(2); where there is none the terminal
// that 2 was, opened again if it is still that of the process; else 2, if the program
// redirected its messages: it is the same file as 1, a terminal or /dev/null, or a file
// that it can only append to, as logs are; else -1. A terminal that it opened stays
// open: most such reports end the process, and who goes on after one has a copy.
// Before stdfd_start, and under a filter that may kill a thread that looks, it is 2. Any thread,
// also in a signal handler.
int stdfd_err(void);

#endif // MOUND_BASE_STDFD_H
