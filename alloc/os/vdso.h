// vdso.h: the kernel's clock function, mapped into every process: reading the
// clock needs no system call, which a filter might forbid. The C library's
// clock_gettime is not used: it may be interposed by a function that allocates.
#ifndef MOUND_OS_VDSO_H
#define MOUND_OS_VDSO_H

#include <time.h>

typedef int vdso_clock(clockid_t clock, struct timespec *ret_time);

// vdso_clock_gettime returns the kernel's function, or NULL if there is none
// (valgrind hides it). Looked up at the first call; any thread; no locks.
vdso_clock *vdso_clock_gettime(void);

#endif // MOUND_OS_VDSO_H
