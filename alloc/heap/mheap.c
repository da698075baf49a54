// mheap.c: see mheap.h, and alloc/malloc.c for the tour.
#include "heap/mheap.h"

#include "heap/mcentral.h"
#include "os/sys.h"

COLD void mheap_init(struct mheap *h, struct heapstats *stats,
                     size_t cache_bytes) {
    mutex_init(&h->lock, LOCKRANK_MHEAP);
    mutex_init(&h->scavenger, LOCKRANK_SCAVENGER);
    persistent_init(&h->persistent);
    pagealloc_init(&h->pages, &h->pagemap, &h->persistent);
    h->pages.now = pagecursor_age(sys_now_ns());
    h->reuse_ticks = sys_ticks();
    fixalloc_init(&h->small_spans, &h->persistent,
                  mspan_record_bytes(MSPAN_SMALL_WORDS));
    fixalloc_init(&h->large_spans, &h->persistent,
                  mspan_record_bytes(MSPAN_WORDS));
    fixalloc_init(&h->caches, &h->persistent, cache_bytes);
    h->stats = stats;
    h->half_life_ns = SCAVENGE_HALF_LIFE_NS;
    h->address_limit = sys_address_limit();
    stats->version = HEAPSTATS_VERSION;
    stats->nbytes = sizeof *stats;
    stats->nclasses = NUM_SIZECLASSES;
    stats->page_bytes = PAGE_SIZE;
    mheap_class_slow(h, 0); // its lock is taken without looking
    stats->magic = HEAPSTATS_MAGIC;
}

COLD struct mcentral *mheap_class_slow(struct mheap *h, unsigned sizeclass) {
    struct mcentral *mc = &h->central[sizeclass];
    _Atomic uint64_t *word = &h->used[sizeclass / WORD_BITS];
    uint64_t bit = (uint64_t)1 << sizeclass % WORD_BITS;
    mutex_lock(&h->lock);
    uint64_t used = atomic_load_explicit(word, memory_order_relaxed);
    if (!(used & bit)) {
        mcentral_init(mc, h, &h->stats->classes[sizeclass], sizeclass);
        // release: partner in mheap_class
        atomic_store_explicit(word, used | bit, memory_order_release);
    }
    mutex_unlock(&h->lock);
    return mc;
}

bool mheap_start_sampling(struct mheap *h) {
    size_t nbytes = NUM_SIZECLASSES * sizeof(struct mcentral);
    mutex_lock(
        &h->central[0].lock); // no other thread may begin to take all locks
    struct mcentral *sampled = mheap_sampled(h);
    if (sampled == NULL) {
        sampled = persistentalloc(&h->persistent, nbytes,
                                  _Alignof(struct mcentral), &h->other_sys);
        for (unsigned c = 0; sampled != NULL && c < NUM_SIZECLASSES; c++) {
            mcentral_init(&sampled[c], h, &h->stats->sampled[c], c);
            sampled[c].sampled = true;
        }
        // release: partner in mheap_sampled
        atomic_store_explicit(&h->sampled, sampled, memory_order_release);
    }
    mutex_unlock(&h->central[0].lock);
    return sampled != NULL;
}

void mheap_report_misuse(struct mheap *h, void *p) {
    h->misuse(h, p);
}
