// scavenger.h: when idle pages go back to the system. Slow paths do the work; in programs
// with threads a helper does it while all sleep (scavenger_help.h). What is kept and for how long is
// scavenger_goal.h's; how it goes back scavenger_visit.h's.
#ifndef MOUND_HEAP_SCAVENGER_H
#define MOUND_HEAP_SCAVENGER_H

#include "heap/holes.h"
#include "heap/mheap.h"

// scavenger_init hands the work of a helper thread to a heap (mheap.help), once, before
// it is in use.
void scavenger_init(struct mheap *h);

// scavenger_walking says whether a walk over holes is not at its end.
static inline bool scavenger_walking(const struct mheap *h) {
    return atomic_load_explicit(&h->holes_left, memory_order_relaxed) ==
           HOLES_NOW;
}

// scavenger_tick lets a slow path do what is due, within a budget of time.
// Cheap when nothing is: one reading of a coarse clock. Without locks.
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
