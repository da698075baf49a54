// stdfd.h: the standard descriptors that the program was started with. When we
// print, a descriptor may be closed (coreutils close theirs in an exit handler
// that runs before ours) or be another file (a program may close 2, and its
// next file then gets that number).
#ifndef MOUND_BASE_STDFD_H
#define MOUND_BASE_STDFD_H

#include "base/compiler.h"

// stdfd_start notes the file of descriptor 2. Call it once, at the start.
void stdfd_start(void);

// stdfd_keep, at the start, duplicates fd, 1 or 2, so that output requested
// there arrives whatever the program does with the descriptor. A reader of a
// pipe or socket would then wait for this process to end; if waiters is false,
// these are not duplicated.
void stdfd_keep(int fd, bool waiters);

// stdfd_forked closes the duplicates in the child of a fork: it may become a
// daemon, which closes its standard descriptors so that no reader waits for it.
void stdfd_forked(void);

// stdfd_of returns a descriptor of the file that fd, 1 or 2, was at the start:
// fd itself or the duplicate; -1 if there is none.
int stdfd_of(int fd);

// stdfd_err returns the descriptor for messages:
//
// - stdfd_of(2);
// - else, if 2 was the controlling terminal, that terminal, opened again;
// - else 2, if the program redirected its messages: 2 is the same file as 1, a
//   character device, or open for appending only, as logs are;
// - else -1.
//
// A terminal that it opened stays open: most messages end the process, and a
// process that continues has a duplicate. Before stdfd_start, and under a
// filter that may kill for these checks, it returns 2. Any thread, also in a
// signal handler.
int stdfd_err(void);

#endif // MOUND_BASE_STDFD_H
