// targets.h: all processes that run on mound, or left a page.
#ifndef MOUND_COMMAND_TARGETS_H
#define MOUND_COMMAND_TARGETS_H

#include <stdbool.h>

#include "target.h"

struct targets_entry {
    struct target *target; // f may take it over, and then leaves path NULL
    struct process process;
    bool readable; // else only process is filled: we may not read the rest
};

// targets_each calls f for each: those with a page, also ended ones, and the processes
// that map libmound.so without a page; for root, those of all users. f returns false to
// stop. Cost: a read of /proc/PID/maps for each process.
void targets_each(bool (*f)(struct targets_entry *entry, void *argument),
                  void *argument);

#endif // MOUND_COMMAND_TARGETS_H
