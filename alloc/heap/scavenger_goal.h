// scavenger_goal.h: how many idle pages a heap keeps: arithmetic over its counters, which
// gives nothing back. Callers hold mheap.lock.
#ifndef MOUND_HEAP_SCAVENGER_GOAL_H
#define MOUND_HEAP_SCAVENGER_GOAL_H

#include "heap/mheap.h"

enum {
    SCAVENGER_LONG_PAGES = (32 << 10) / PAGE_SIZE,   // shorter runs cost more
    SCAVENGER_FLOOR_PAGES = (512 << 10) / PAGE_SIZE, // are kept by any heap
};

// scavenger_reuses_locked says whether free pages were seen to be used again in the last
// second.
bool scavenger_reuses_locked(const struct mheap *h);

// scavenger_excess_locked returns how many free backed pages are more than a
// heap may keep even for a moment. Caller holds mheap.lock.
size_t scavenger_excess_locked(struct mheap *h);

// scavenger_trade_locked returns how many free pages to release in exchange for
// a large object with nfresh pages without memory: pages that were not reused
// lately. Caller holds mheap.lock and passes them to scavenger_release_excess
// later.
size_t scavenger_trade_locked(struct mheap *h, size_t nfresh);

// scavenger_goal_locked returns the goal, in pages of free backed memory, for the time
// now_ns, and lets the peak decay. Caller holds mheap.lock.
uint64_t scavenger_goal_locked(struct mheap *h, uint64_t now_ns);

// scavenger_much_locked says whether enough is idle to start a thread: 4 MiB
// more than a heap at rest keeps.
bool scavenger_much_locked(const struct mheap *h);

// scavenger_look_after_locked notes that there may be memory to return later.
// Threads whose caches serve every call then take the slow path at intervals,
// so that the scavenger runs: see duemalloc_arm.
void scavenger_look_after_locked(struct mheap *h);

// scavenger_rest_pages is the goal when the peak has decayed.
uint64_t scavenger_rest_pages(const struct mheap *h);

// scavenger_at_once_locked says whether all excess is released at once, at any
// cost; scavenger_short_due_locked whether a free may release short runs: at
// most once in SYS_TICKS_STEP.
bool scavenger_at_once_locked(const struct mheap *h);
bool scavenger_short_due_locked(const struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_GOAL_H
