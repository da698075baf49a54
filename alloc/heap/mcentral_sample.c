// mcentral_sample.c: see mcentral_sample.h.
#include "heap/mcentral_sample.h"

#include <string.h>

#include "heap/slotarrays.h"
#include "heap/spanfree.h"

static unsigned samples_log2(const struct mspan *s) {
    unsigned log2 = ceil_log2(s->nelems);
    return log2 < SLOTARRAY_MIN_LOG2 ? SLOTARRAY_MIN_LOG2 : log2;
}

size_t mcentral_add_samples(struct mheap *heap, struct mspan **spans,
                            size_t n) {
    size_t ngood = 0;
    for (size_t i = 0; i < n; i++) {
        struct mspan *s = spans[i];
        unsigned log2 = samples_log2(s);
        s->samples = mheap_alloc_slotarray(heap, log2);
        if (s->samples == NULL) {
            mheap_free_span(heap, s);
            continue;
        }
        memset(s->samples, 0, sizeof *s->samples << log2);
        spans[ngood++] = s;
    }
    return ngood;
}

void mcentral_free_samples(struct mheap *heap, struct mspan *s) {
    mheap_free_slotarray(heap, s->samples, samples_log2(s));
    s->samples = NULL;
}

// sample_of_locked returns where the sample of p is, or NULL: p is no live object
// of this store.
static void **sample_of_locked(struct mcentral *mc, void *p) {
    struct mspan *s = pagemap_span(&mc->heap->pagemap, (uintptr_t)p);
    if (s == NULL || mspan_home(s) != mc || s->samples == NULL)
        return NULL;
    unsigned slot = mspan_slot_of(s, (uintptr_t)p);
    return slot == SLOT_NONE ? NULL : &s->samples[slot];
}

void mcentral_sample_put(struct mcentral *mc, void *p, void *sample) {
    mutex_lock(&mc->lock);
    void **at = sample_of_locked(mc, p);
    if (at != NULL)
        *at = sample;
    mutex_unlock(&mc->lock);
}

void *mcentral_sample_take(struct mcentral *mc, void *p) {
    mutex_lock(&mc->lock);
    void **at = sample_of_locked(mc, p);
    void *sample = NULL;
    if (at != NULL) {
        sample = *at;
        *at = NULL;
    }
    mutex_unlock(&mc->lock);
    return sample;
}
