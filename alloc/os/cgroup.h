// cgroup.h: how much memory the control group of this process may have.
#ifndef MOUND_OS_CGROUP_H
#define MOUND_OS_CGROUP_H

#include "base/compiler.h"

// cgroup_memory_limit returns the smallest limit, in bytes, of the group of this
// process and of those that it is in: memory.max and memory.high of version 2,
// memory.limit_in_bytes of version 1; 0 if there is none, or none can be read. It opens
// files; at the start, once.
uint64_t cgroup_memory_limit(void);

// cgroup_limit_in is the same for what /proc/self/cgroup says and where the groups
// are mounted.
uint64_t cgroup_limit_in(const char *groups, const char *mount);

#endif // MOUND_OS_CGROUP_H
