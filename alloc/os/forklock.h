// forklock.h: the lock of the C library that must be taken before ours when a
// process forks.
//
// fork takes the lock of stdio's list of open files after our handler;
// fflush(NULL) takes it before each file's lock; getline calls malloc under a
// file's lock: a circle (glibc bug 19431). glibc broke it by taking its malloc
// locks after that list's lock, and so do we: by taking that lock first.
#ifndef MOUND_OS_FORKLOCK_H
#define MOUND_OS_FORKLOCK_H

// forklock_before takes it, in the handler before a fork, if there are threads;
// the others undo that in the parent and in the child.
void forklock_before(void);
void forklock_after_parent(void);
void forklock_after_child(void);

#endif // MOUND_OS_FORKLOCK_H
