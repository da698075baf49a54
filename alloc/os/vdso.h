// vdso.h: the clock that the kernel maps into every process, so that to read it
// is no system call, which a filter might forbid. Not by the C library's
// clock_gettime: others interpose that, and may allocate in it.
#ifndef MOUND_OS_VDSO_H
#define MOUND_OS_VDSO_H

#include <time.h>

typedef int vdso_clock(clockid_t clock, struct timespec *ret_time);

// vdso_clock_gettime returns the kernel's function, or NULL where it maps none
// (valgrind hides it). Looked up at the first call; any thread; no locks.
vdso_clock *vdso_clock_gettime(void);

#endif // MOUND_OS_VDSO_H
