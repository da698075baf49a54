// cachepolicy.h: how large a magazine may be. One policy: pressure makes a magazine
// grow, and the budget says which one shrinks for it.
//
// Pressure. Each slow path of a class adds to the pressure of its magazine, and at 4
// that is spent:
//
//   a turn: it runs dry after it was full last, or the other way round       4
//   once more dry, once more full, or the first time                         1
//
// A turn says that the program goes up and down by more slots than the magazine holds.
// Without one the program only makes or only frees, and shall take fewer slow paths.
//
// Growth. When pressure is spent, a magazine of cap slots gets 2 cap + 1: after a turn
// up to 512 KiB of slots of at most a page and to 8191 slots; without one only up to
// 16 KiB of slots (2 cap of them, that is). One without capacity gets its first at its first
// slow path: 15 slots below a cache line, else as many as 8 KiB hold, 1 to 7.
//
// Who gives way, until there is capacity for all the growth:
//
//   1. nobody: the budget has room (cachebudget.h)
//   2. large objects that this thread holds, which cost little to find again for their
//      size. They themselves take from nobody.
//   3. of this thread's classes the 8 next to the clock hand, half of each that had no
//      malloc since the hand or a trim (mcache_trim) last came to it
//   4. the growth: all of it, a half, a quarter, an eighth
//
// or it is refused. Then no magazine of this thread grows for its next 256 slow paths.
//
// A magazine shrinks by 3 alone, and goes when its thread ends. tests/unit/cachepolicy.c
// has sequences of mallocs and frees, and what capacity they result in.
#ifndef MOUND_HEAP_CACHEPOLICY_H
#define MOUND_HEAP_CACHEPOLICY_H

#include "heap/mcache.h"

struct mheap;

// cachepolicy_next notes a slow path of a magazine (MAGAZINE_WAS_DRY or _FULL) and
// returns the capacity it is to have from now on, by pressure alone. A function of its
// arguments.
size_t cachepolicy_next(struct magazine_shape *shape, unsigned sizeclass,
                        unsigned now);

// cachepolicy_adapt does that for a class of a cache and shrinks others for it. Caller is
// the owner, without locks. Cost: at most 8 halves of magazines and 16 large objects
// given back.
void cachepolicy_adapt(struct mcache *c, struct mheap *h, unsigned sizeclass,
                       unsigned now);

#endif // MOUND_HEAP_CACHEPOLICY_H
