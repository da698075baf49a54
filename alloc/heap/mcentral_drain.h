// mcentral_drain.h: what a class holds back made free for others: its transfer store
// taken apart, its reserve of empty spans given to mheap. A step is up to 255 slots or 64
// spans, under one lock.
#ifndef MOUND_HEAP_MCENTRAL_DRAIN_H
#define MOUND_HEAP_MCENTRAL_DRAIN_H

#include "heap/mcentral.h"
#include "heap/mheap.h"

// mcentral_drain takes the transfer store apart and returns the reserve of
// empty spans. mcentral_drain_idle does a step of that, if nobody came since its
// last call, and says whether there may be more to do. mcentral_drain_held does a step
// for a thread that is about to touch fresh memory, if that is worth it: see heldback.h.
void mcentral_drain(struct mcentral *mc);
bool mcentral_drain_idle(struct mcentral *mc);
void mcentral_drain_held(struct mcentral *mc);

#endif // MOUND_HEAP_MCENTRAL_DRAIN_H
