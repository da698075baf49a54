// spanfree.h: returns the pages of a span to the heap. Idle pages beyond what
// may be kept go to the system afterwards, without the lock, now or by a helper
// thread.
#ifndef MOUND_HEAP_SPANFREE_H
#define MOUND_HEAP_SPANFREE_H

#include "heap/scavenger_goal.h"
#include "heap/scavenger_help.h"
#include "heap/scavenger_visit.h"

// struct leftover: all zero is nothing to do.
struct leftover {
    size_t excess; // pages above what may be kept
    size_t freed;  // pages that this free gave
    bool help;     // a helper should see to the rest
};

// leftover_locked returns what is to be done after a free of npages.
static inline struct leftover leftover_locked(struct mheap *h, size_t freed) {
    scavenger_look_after_locked(h);
    return (struct leftover){scavenger_excess_locked(h), freed,
                             scavenger_help_locked(h)};
}

// leftover_do does it. Without locks.
static inline void leftover_do(struct mheap *h, struct leftover left) {
    if (left.excess > 0)
        scavenger_release_excess(h, left.excess, left.freed);
    if (left.help)
        scavenger_help(h);
}

// mheap_free_span frees the pages and the record of a span whose state is
// MSPAN_DEAD. Excess pages are released at once. Without locks.
void mheap_free_span(struct mheap *h, struct mspan *s);

#endif // MOUND_HEAP_SPANFREE_H
