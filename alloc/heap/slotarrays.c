// slotarrays.c: see slotarrays.h.
#include "heap/slotarrays.h"

void **mheap_alloc_slotarray(struct mheap *h, unsigned log2) {
    mutex_lock(&h->lock);
    void **array = h->slotarrays[log2];
    if (array != NULL)
        h->slotarrays[log2] = array[0];
    mutex_unlock(&h->lock);
    if (array == NULL)
        array = persistentalloc(&h->persistent, sizeof(void *) << log2, 64,
                                &h->slotarray_sys);
    return array;
}

void mheap_free_slotarray(struct mheap *h, void **array, unsigned log2) {
    mutex_lock(&h->lock);
    array[0] = h->slotarrays[log2];
    h->slotarrays[log2] = array;
    mutex_unlock(&h->lock);
}

void mheap_free_slotarrays(struct mheap *h, struct slotarrays *some) {
    mutex_lock(&h->lock);
    for (unsigned i = 0; i <= SLOTARRAY_MAX_LOG2; i++)
        while (some->first[i] != NULL) {
            void **array = some->first[i];
            some->first[i] = array[0];
            array[0] = h->slotarrays[i];
            h->slotarrays[i] = array;
        }
    mutex_unlock(&h->lock);
}
