// memname.h: names mappings, so that /proc/PID/maps, smaps and pmap show whose
// they are: [anon:mound heap]. Only if requested (MOUND_NAMES): it needs a call
// of prctl each, which the C library's malloc does not make, and for which a
// filter may kill.
#ifndef MOUND_OS_MEMNAME_H
#define MOUND_OS_MEMNAME_H

#include "base/compiler.h"

// A mapping loses its name when it is mapped over. The kernel merges it only
// with neighbours of the same name.
#define MEMNAME_HEAP "mound heap"
#define MEMNAME_RECORDS "mound metadata"
#define MEMNAME_PROFILE "mound profile"

// memname_start turns naming on. Call it at the start.
void memname_start(void);

// memname_set names a range if naming is on. The first failure (Linux before
// 5.17 or without ANON_VMA_NAME, or not permitted) turns it off. Does nothing
// once a filter of system calls is noted (os/filter.h). Any thread.
void memname_set(uintptr_t addr, size_t nbytes, const char *name);

#endif // MOUND_OS_MEMNAME_H
