// fleet.h: all programs on mound that this user may read, for verbs that show them
// repeatedly: those with a page, also after their end, and optionally live ones without.
#ifndef MOUND_COMMAND_FLEET_H
#define MOUND_COMMAND_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target.h"

struct fleet_ship {
    struct target target;
    uid_t uid;
    double
        mallocs_s; // mallocs a second since the reading before; < 0: not known
    uint64_t mallocs; // at the previous reading
    uint64_t read_ns; // its time, CLOCK_MONOTONIC
    bool seen;
};

// struct fleet is zero at first.
struct fleet {
    struct fleet_ship *ships;
    size_t nships, room;
};

// fleet_read reads all again, see targets_each. Complaints, such as one about a file that
// is no page, are lines on stderr.
void fleet_read(struct fleet *f, bool without_page);

// fleet_find returns the entry of a live process, or NULL.
struct fleet_ship *fleet_find(struct fleet *f, pid_t pid);
void fleet_end(struct fleet *f);

#endif // MOUND_COMMAND_FLEET_H
