// mcentral_drain.h: frees what a class holds back: returns its transfer store
// to the spans and its reserve of empty spans to mheap. A step is up to 255
// slots or 64 spans, under one lock.
#ifndef MOUND_HEAP_MCENTRAL_DRAIN_H
#define MOUND_HEAP_MCENTRAL_DRAIN_H

#include "heap/mcentral.h"
#include "heap/mheap.h"

// mcentral_drain empties the transfer store and the reserve of empty spans.
// mcentral_drain_idle does one step if the class was not used since its last
// call, and says whether there may be more to do. mcentral_drain_held does one
// step for a thread that is about to touch fresh memory, if it is worth it: see
// heldback.h.
void mcentral_drain(struct mcentral *mc);
bool mcentral_drain_idle(struct mcentral *mc);
void mcentral_drain_held(struct mcentral *mc);

#endif // MOUND_HEAP_MCENTRAL_DRAIN_H
