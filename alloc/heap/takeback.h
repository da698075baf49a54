// takeback.h: memory of classes before fresh memory: who finds no pages with memory
// has some made of what the stores hold back (heldback.h).
#ifndef MOUND_HEAP_TAKEBACK_H
#define MOUND_HEAP_TAKEBACK_H

#include "heap/mheap.h"

// mheap_take_back makes free pages of some of what the stores of the classes hold back:
// of at most HELDBACK_STEPS of them. Caches give their share when they see that nfresh
// has risen. Without locks.
void mheap_take_back(struct mheap *h);

#endif // MOUND_HEAP_TAKEBACK_H
