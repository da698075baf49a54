// scavenger.h: when idle pages go back to the system. Slow paths do the work; in programs
// with threads a helper does it while all sleep (scavenger_help.h). What is kept and for how long is
// scavenger_goal.h's; how it goes back scavenger_visit.h's.
#ifndef MOUND_HEAP_SCAVENGER_H
#define MOUND_HEAP_SCAVENGER_H

#include "heap/holes.h"
#include "heap/mheap.h"

// scavenger_init sets the function of a heap's helper thread (mheap.help). Call
// it once, before the heap is in use.
void scavenger_init(struct mheap *h);

// scavenger_walking says whether a walk over holes is in progress.
static inline bool scavenger_walking(const struct mheap *h) {
    return atomic_load_explicit(&h->holes_left, memory_order_relaxed) ==
           HOLES_NOW;
}

// scavenger_tick, in a slow path, does the work that is due, within a time
// budget. If nothing is due it only reads a coarse clock. Without locks.
void scavenger_tick(struct mheap *h);

// scavenger_help_look is a look of the helper, which comes every SCAVENGER_HELP_NS, and
// says whether there is more to do. After SCAVENGER_HELP_IDLE looks without it is not
// needed, until scavenger_help (scavenger_help.h).
enum {
    SCAVENGER_HELP_NS = 100 * 1000 * 1000,
    SCAVENGER_HELP_IDLE = 10,
};
bool scavenger_help_look(struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_H
