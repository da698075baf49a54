// scavenger.h: when idle pages go back to the system. Slow paths do the work; in programs
// with threads a helper does it while all sleep. What is kept and for how long is
// scavenger_goal.h's; how it goes back scavenger_visit.h's.
#ifndef MOUND_HEAP_SCAVENGER_H
#define MOUND_HEAP_SCAVENGER_H

#include "heap/holes.h"
#include "heap/mheap.h"

// scavenger_holes_made is called when many slots of a class were freed since holes
// were last looked for: it sees to it that somebody does. Without locks; cheap.
void scavenger_holes_made(struct mheap *h);

// scavenger_walking says whether a walk over holes is not at its end.
static inline bool scavenger_walking(const struct mheap *h) {
    return atomic_load_explicit(&h->holes_left, memory_order_relaxed) ==
           HOLES_NOW;
}

// scavenger_help_locked says whether a helper thread should see to it that idle
// pages go back: the program has threads, which may all go to sleep now, and
// there is much to return. scavenger_help starts it, without locks.
bool scavenger_help_locked(struct mheap *h);
void scavenger_help(struct mheap *h);

// scavenger_resume starts it where it should see to that now. Without locks.
void scavenger_resume(struct mheap *h);

// scavenger_tick lets a slow path do what is due, within a budget of time.
// Cheap when nothing is: one reading of a coarse clock. Without locks.
void scavenger_tick(struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_H
