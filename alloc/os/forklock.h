// forklock.h: the C library's lock that must be taken before ours at a fork.
//
// fork takes the lock of stdio's list of open files after our handler;
// fflush(NULL) takes that lock before each file's lock; getline calls malloc
// under a file's lock. Together that is a deadlock (glibc bug 19431). glibc
// solved it by taking its malloc locks after the list's lock. We do the same:
// take the list's lock first.
#ifndef MOUND_OS_FORKLOCK_H
#define MOUND_OS_FORKLOCK_H

// forklock_before is for the handler before a fork. It takes the lock if the
// process has several threads; the others release it in the parent and in the
// child.
void forklock_before(void);
void forklock_after_parent(void);
void forklock_after_child(void);

#endif // MOUND_OS_FORKLOCK_H
