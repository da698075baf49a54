// mcentral_grow.h: more spans for a class, from mheap: 1/16 of those it has, at most
// 256 KiB of them at once.
#ifndef MOUND_HEAP_MCENTRAL_GROW_H
#define MOUND_HEAP_MCENTRAL_GROW_H

#include "heap/mcentral.h"
#include "heap/mheap.h"

// mcentral_grow gets more spans from mheap. It returns false when there is no
// memory. Call it without the lock.
bool mcentral_grow(struct mcentral *mc);

// mcentral_alloc_one takes a slot for those without a cache: threads that are past their
// end, and everybody in hardened mode. Without locks.
void *mcentral_alloc_one(struct mcentral *mc);

#endif // MOUND_HEAP_MCENTRAL_GROW_H
