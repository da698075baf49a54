// slotarrays.h: arrays of pointers to slots, of 2^3 to 2^13 pointers: for magazines,
// and for prof/'s records of the slots of sampled spans. What is freed serves the next
// of its size; none goes back to the system.
#ifndef MOUND_HEAP_SLOTARRAYS_H
#define MOUND_HEAP_SLOTARRAYS_H

#include "heap/mheap.h"

// mheap_alloc_slotarray returns an array of 1 << log2 pointers, or NULL. It belongs
// to the caller until mheap_free_slotarray. Without locks, as the others.
void **mheap_alloc_slotarray(struct mheap *h, unsigned log2);
void mheap_free_slotarray(struct mheap *h, void **array, unsigned log2);

// struct slotarrays is some such arrays, by size, to be freed under one lock. All zero
// holds none.
struct slotarrays {
    bool any;
    void **first[SLOTARRAY_MAX_LOG2 + 1]; // linked by their first pointers
};
static inline void slotarrays_add(struct slotarrays *some, void **array,
                                  unsigned log2) {
    array[0] = some->first[log2];
    some->first[log2] = array;
    some->any = true;
}
void mheap_free_slotarrays(struct mheap *h, struct slotarrays *some);

#endif // MOUND_HEAP_SLOTARRAYS_H
