// mappings.h: the memory of a process that is not mound's: its files, and anonymous
// mappings that it made itself.
#ifndef MOUND_COMMAND_MAPPINGS_H
#define MOUND_COMMAND_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mound_page.h"

enum { MAPPINGS_NAME_BYTES = 256 };

struct mappings_most {
    char
        name[MAPPINGS_NAME_BYTES]; // a path, "[stack]", ...; "": without a name
    uint64_t resident; // bytes with memory, of all mappings of that name
    uint64_t nmappings;
};

// mappings_most finds the name whose mappings have the most memory among those outside of
// mound's ranges in the page. Without ranges, mappings without a name are left out, since
// they may be mound's. False: they may not be read, or there are none. Cost:
// /proc/PID/maps, and 2 ms for each GiB of the eight names with the largest mappings.
bool mappings_most(pid_t pid, const struct mound_page_ranges *ours,
                   struct mappings_most *ret);

#endif // MOUND_COMMAND_MAPPINGS_H
