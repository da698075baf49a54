// mappings.h: what else of a process has memory than mound: the largest of its mappings.
#ifndef MOUND_COMMAND_MAPPINGS_H
#define MOUND_COMMAND_MAPPINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mound_page.h"

struct mappings_most {
    char name[PATH_MAX]; // a path, "[stack]", ...; "": without a name
    uint64_t resident;   // bytes with memory, of all mappings of that name
};

// mappings_most finds the file, or the mapping without a file, that has the most memory
// among those that are not mound's by the ranges of its page. Without ranges, mappings
// without a name are left out: they may be mound's. False: it may not be read, or there
// is none. Cost: /proc/PID/maps, and 2 ms for each GiB of the eight largest.
bool mappings_most(pid_t pid, const struct mound_page_ranges *ours,
                   struct mappings_most *ret);

#endif // MOUND_COMMAND_MAPPINGS_H
