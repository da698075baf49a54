// verify.h: checks the invariants of a heap by a walk over all of it.
#ifndef MOUND_HEAP_VERIFY_H
#define MOUND_HEAP_VERIFY_H

#include "heap/mheap.h"

// mheap_verify walks everything below the caches and returns the number of
// contradictions. It takes the locks of all classes and the heap's itself, and holds
// them all the while.
unsigned mheap_verify(struct mheap *h);

#endif // MOUND_HEAP_VERIFY_H
