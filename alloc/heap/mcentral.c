// mcentral.c: see mcentral.h.
#include "heap/mcentral.h"

COLD void mcentral_init(struct mcentral *mc, struct mheap *heap,
                        struct classstats *stats, unsigned sizeclass) {
    mutex_init(&mc->lock, LOCKRANK_MCENTRAL);
    mc->heap = heap;
    mc->stats = stats;
    mc->sizeclass = (uint16_t)sizeclass;
    mc->elemsize = sizeclass_bytes[sizeclass];
    spanlists_init(&mc->lists);
    stats->elemsize = mc->elemsize;
}
