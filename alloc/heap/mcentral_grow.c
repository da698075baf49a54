// mcentral_grow.c: see mcentral_grow.h.
#include "heap/mcentral_grow.h"

#include "heap/mcentral_sample.h"
#include "heap/mcentral_store.h"
#include "heap/smallspans.h"

enum {
    GROW_BYTES = 256 << 10, // at once
    GROW_SPANS = GROW_BYTES / PAGE_SIZE,
};

bool mcentral_grow(struct mcentral *mc) {
    struct mspan *spans[GROW_SPANS];
    mutex_lock(&mc->lock);
    uint64_t nspans = mc->stats->nspans;
    mutex_unlock(&mc->lock);

    size_t npages = nspans == 0 || mc->sampled
                        ? sizeclass_first_pages[mc->sizeclass]
                        : sizeclass_pages[mc->sizeclass];
    size_t most = max_size(1, GROW_BYTES / (npages << PAGE_SHIFT));
    size_t want = clamp_size(nspans / MCENTRAL_GROW_SHARE, 1, most);
    size_t n = mheap_alloc_spans(mc->heap, mc->sizeclass, npages, want, spans);
    if (mc->sampled)
        n = mcentral_add_samples(mc->heap, spans, n);
    if (n == 0)
        return false;

    mutex_lock(&mc->lock);
    for (size_t i = n; i-- > 0;) { // the lowest ends up first in the list
        struct mspan *s = spans[i];
        spanlists_add(&mc->lists, s);
        mc->stats->nslots += s->nelems;
        mc->stats->nfree += s->nelems;
        mc->stats->nspans++;
        mheap_publish_small(mc->heap, s, mc);
    }
    mutex_unlock(&mc->lock);
    return true;
}

void *mcentral_alloc_one(struct mcentral *mc) {
    for (;;) {
        void *p = NULL;
        mutex_lock(&mc->lock);
        size_t n = mcentral_take_locked(mc, &p, 1);
        mc->stats->nretired += n;
        mutex_unlock(&mc->lock);
        if (n == 1)
            return p;
        if (!mcentral_grow(mc))
            return NULL;
    }
}
