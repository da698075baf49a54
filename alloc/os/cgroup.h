// cgroup.h: the memory limit of this process's control group.
#ifndef MOUND_OS_CGROUP_H
#define MOUND_OS_CGROUP_H

#include "base/compiler.h"

// cgroup_memory_limit returns the smallest limit, in bytes, of this process's
// group and all groups above it: memory.max and memory.high of version 2,
// memory.limit_in_bytes of version 1. It returns 0 if there is no limit or none
// can be read. It opens files; call it once, at the start.
uint64_t cgroup_memory_limit(void);

// cgroup_limit_in does the same with the text of /proc/self/cgroup and the
// mount point as arguments.
uint64_t cgroup_limit_in(const char *groups, const char *mount);

#endif // MOUND_OS_CGROUP_H
