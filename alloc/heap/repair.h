// repair.h: repairs a heap after a fork without handlers.
#ifndef MOUND_HEAP_REPAIR_H
#define MOUND_HEAP_REPAIR_H

#include "heap/mheap.h"

// mheap_repair frees every lock of the heap and rebuilds from the bitmaps what
// a held lock may have left half changed. For a process made by a fork without
// handlers; its only thread calls it. Slots on the way between two records
// leak. ret_rebuilt says for which classes a magazine may be half changed as
// well: their locks were held.
void mheap_repair(struct mheap *h, bool ret_rebuilt[NUM_SIZECLASSES]);

#endif // MOUND_HEAP_REPAIR_H
