// repair.h: a heap whose locks nobody will free.
#ifndef MOUND_HEAP_REPAIR_H
#define MOUND_HEAP_REPAIR_H

#include "heap/mheap.h"

// mheap_repair frees every lock of the heap and rebuilds what a lock that was
// held may have left half changed, from the bitmaps. For a process that was made
// by a fork without handlers; its only thread calls it. What was on its way
// between two records is leaked. ret_rebuilt says for which classes a magazine
// may be half changed as well: their locks were held.
void mheap_repair(struct mheap *h, bool ret_rebuilt[NUM_SIZECLASSES]);

#endif // MOUND_HEAP_REPAIR_H
