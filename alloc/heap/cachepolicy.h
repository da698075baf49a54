// cachepolicy.h: how large a magazine may be. Pressure makes a magazine grow;
// the budget decides which others shrink for it.
//
// Pressure. Each slow path of a class adds to its magazine's pressure, and at 4
// the magazine grows and the pressure is 0 again:
//
//   a turn: empty after it was full, or full after it was empty        4
//   empty again, full again, or the first time                         1
//
// After a turn it is known that the program's number of live objects varies by
// more than the magazine holds. Without turns the program only allocates or
// only frees; a larger magazine then just saves slow paths.
//
// Growth. A magazine of cap slots gets 2 cap + 1: after a turn up to 8191
// slots, and up to 512 KiB if slots are at most a page; without a turn only
// while 2 cap slots are at most 16 KiB. A magazine without capacity gets its
// first at its first slow path: 15 slots below a cache line, else as many as 8
// KiB hold, 1 to 7.
//
// Room for the growth is found in this order:
//
//   1. in the budget (cachebudget.h);
//   2. in this thread's large objects, which are cheap to find again for their size
//      (their own growth takes from nothing else);
//   3. in the next 8 of this thread's classes at the clock hand: half of each without
//      a malloc since the hand or a trim (mcache_trim) last reached it;
//   4. by growing less: a half, a quarter, an eighth.
//
// If that fails, no magazine of this thread grows for its next 256 slow paths.
//
// A magazine shrinks only by 3, and is freed when its thread ends.
// tests/unit/cachepolicy.c has sequences of mallocs and frees and the resulting
// capacities.
#ifndef MOUND_HEAP_CACHEPOLICY_H
#define MOUND_HEAP_CACHEPOLICY_H

#include "heap/mcache.h"

struct mheap;

// cachepolicy_next notes a slow path of a magazine (MAGAZINE_WAS_DRY or _FULL)
// and returns its new capacity by pressure alone. It depends on its arguments
// only.
size_t cachepolicy_next(struct magazine_shape *shape, unsigned sizeclass,
                        unsigned now);

// cachepolicy_adapt does that for a class of a cache and makes room by
// shrinking others. Caller is the owner, without locks. Cost: at most 8 halves
// of magazines and 16 large objects given back.
void cachepolicy_adapt(struct mcache *c, struct mheap *h, unsigned sizeclass,
                       unsigned now);

#endif // MOUND_HEAP_CACHEPOLICY_H
