// takeback.h: takes memory that classes hold back (heldback.h) before fresh
// memory is touched.
#ifndef MOUND_HEAP_TAKEBACK_H
#define MOUND_HEAP_TAKEBACK_H

#include "heap/mheap.h"

// mheap_take_back frees pages that the stores of at most HELDBACK_STEPS classes
// hold back. Caches give back theirs when they see that nfresh has risen.
// Without locks.
void mheap_take_back(struct mheap *h);

#endif // MOUND_HEAP_TAKEBACK_H
