// targets.h: all processes that run on mound, or left a page.
#ifndef MOUND_COMMAND_TARGETS_H
#define MOUND_COMMAND_TARGETS_H

#include <stdbool.h>

#include "target.h"

struct targets_entry {
    struct target *target; // f may move it away, and leaves path NULL then
    struct process process;
    bool readable; // else only process is filled: whoever may read it is not us
};

// targets_each calls f for each: those with a page, dead ones too, and the processes that
// map libmound.so and have none; of root those of all users. f returns false to stop. Cost:
// a read of /proc/PID/maps for each process.
void targets_each(bool (*f)(struct targets_entry *entry, void *argument),
                  void *argument);

#endif // MOUND_COMMAND_TARGETS_H
