// memname.h: names for mappings, so that /proc/PID/maps, smaps and pmap tell whose they
// are: [anon:mound heap]. Only where that was asked for (MOUND_NAMES): each is a call of
// prctl, which the C library's malloc does not make, and for which a filter may kill.
#ifndef MOUND_OS_MEMNAME_H
#define MOUND_OS_MEMNAME_H

#include "base/compiler.h"

// A mapping loses its name when it is mapped over, and melts with a neighbour of the
// same name only.
#define MEMNAME_HEAP "mound heap"
#define MEMNAME_RECORDS "mound metadata"
#define MEMNAME_PROFILE "mound profile"

// memname_start has mappings named from now on. At the start.
void memname_start(void);

// memname_set names a range, if that was asked for. The first time that the kernel
// cannot (before 5.17, or built without ANON_VMA_NAME) or may not, it is called no
// more; nor once a filter of system calls is noted (os/filter.h). Any thread.
void memname_set(uintptr_t addr, size_t nbytes, const char *name);

#endif // MOUND_OS_MEMNAME_H
