// reading.c: see reading.h.
#include "prof/reading.h"

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

// set_class makes sums the figures of a class.
static void set_class(struct mound_page_class *ret, uint64_t size,
                      const struct sums *sums) {
    uint64_t out =
        sums_not_negative(sums->nslots - sums->nfree - sums->ntransfer);
    ret->size = size;
    ret->spans = sums->nspans;
    ret->slots = sums->nslots;
    ret->transfer = sums->ntransfer;
    ret->cached = sums->ncached < out ? sums->ncached : out;
    ret->mallocs = sums_not_less(ret->mallocs, sums->nmallocs);
    ret->frees = sums_not_less(
        ret->frees, sums_not_negative(ret->mallocs - (out - ret->cached)));
    ret->live = ret->mallocs - ret->frees;
    ret->live_bytes = ret->live * size;
    ret->holes = sums->hole_bytes;
    ret->rounding = MOUND_PAGE_UNKNOWN;
}

static bool read_class(struct mheap *h, struct list *caches, unsigned sizeclass,
                       struct mound_page_class *ret) {
    struct sums sums = {0};
    if (!sums_read(h, caches, sizeclass, /* wait= */ false, &sums))
        return false;
    set_class(ret, sizeclass_bytes[sizeclass], &sums);
    return true;
}

// next_class returns the next class that was used; the others are not touched,
// since they have no counts. With samples all may be used.
static unsigned next_class(const struct mheap *h, unsigned sizeclass) {
    return mheap_sampled(h) != NULL ? sizeclass + 1
                                    : mheap_next_used(h, sizeclass + 1);
}

bool reading_step_locked(struct reading *r, struct mheap *h,
                         struct list *caches, uint64_t until) {
    do {
        unsigned next = next_class(h, r->next);
        if (next >= NUM_SIZECLASSES) {
            r->next = NUM_SIZECLASSES;
            return true;
        }
        if (!read_class(h, caches, next, &r->stats.classes[next]))
            return false;
        r->next = next;
    } while ((int64_t)(sys_ticks() - until) < 0);
    return false;
}

// add_large_locked reads what is kept of large objects, with mheap.lock.
static void add_large_locked(struct mheap *h, struct mound_page_stats *ret) {
    const struct largestats *st = &h->stats->large;
    struct mound_page_class *large = &ret->classes[0];
    large->mallocs = st->nmallocs;
    large->frees = st->nfrees;
    large->live_bytes = st->alloc_bytes;
    ret->total_alloc = st->total_alloc_bytes;
}

// add_kept corrects large objects by that, and adds what lies in no span.
static void add_kept(struct mheap *h, const struct sums_large *kept,
                     struct mound_page_stats *ret) {
    struct mound_page_class *large = &ret->classes[0];
    large->mallocs += kept->nhits;
    large->frees += kept->nhits + kept->nheld;
    large->cached = kept->nheld;
    large->live_bytes = sums_not_negative(large->live_bytes - kept->held_bytes);
    large->spans =
        sums_not_negative(large->mallocs - large->frees) + large->cached;
    ret->total_alloc += kept->hit_bytes;
    ret->cached = kept->held_bytes;

    struct sums_beside beside = sums_read_beside(h->stats);
    large->mallocs += beside.nmallocs;
    large->frees += beside.nfrees;
    large->live_bytes += beside.bytes;
    ret->inuse += beside.bytes;
    ret->total_alloc += beside.total_bytes;
}

static void read_heap_locked(struct mheap *h, struct mound_page_stats *ret) {
    const struct heapstats *st = h->stats;
    ret->inuse = st->inuse_pages << PAGE_SHIFT;
    ret->released = st->released_pages << PAGE_SHIFT;
    ret->idle = (st->sys_pages << PAGE_SHIFT) - ret->inuse - ret->released;
    ret->memlimit = h->memlimit.pages << PAGE_SHIFT;
    ret->memlimit_exceeded = h->memlimit.nexceeded;
    ret->half_life_ns = h->half_life_ns;
    ret->huge_stalls = h->nstalls;
    ret->release_refused =
        atomic_load_explicit(&h->release_refused, memory_order_relaxed);
}

static void add_classes(struct mound_page_stats *ret) {
    ret->live = ret->holes = ret->mallocs = ret->frees = ret->spans = 0;
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        const struct mound_page_class *c = &ret->classes[i];
        ret->live += c->live_bytes;
        ret->holes += c->holes;
        ret->mallocs += c->mallocs;
        ret->frees += c->frees;
        ret->spans += c->spans;
        ret->cached += (c->cached + c->transfer) * c->size;
        ret->total_alloc += c->mallocs * c->size;
    }
}

bool reading_end_locked(struct reading *r, struct mheap *h, struct list *caches,
                        size_t ncaches) {
    // Skipped: what was read last holds.
    if (r->next >= NUM_SIZECLASSES)
        r->kept = sums_read_large(caches);
    struct mound_page_stats *ret = &r->stats;
    struct mound_page_class *large = &ret->classes[0];
    uint64_t mallocs = large->mallocs, frees = large->frees;
    uint64_t total = ret->total_alloc;
    if (!mutex_trylock(&h->lock))
        return false;
    read_heap_locked(h, ret);
    add_large_locked(h, ret);
    mutex_unlock(&h->lock);
    // This lock is held briefly, and never while waiting for another.
    mutex_lock(&h->persistent.lock);
    ret->records = h->persistent.sys_bytes + load(&h->pages.arena_bytes);
    mutex_unlock(&h->persistent.lock);
    add_kept(h, &r->kept, ret);
    large->mallocs = sums_not_less(mallocs, large->mallocs);
    large->frees = sums_not_less(frees, large->frees);
    large->live = sums_not_negative(large->mallocs - large->frees);
    large->slots = large->live + large->cached;
    large->rounding = ret->rounding = MOUND_PAGE_UNKNOWN;
    add_classes(ret);
    ret->total_alloc = sums_not_less(total, ret->total_alloc);
    ret->threads = ncaches;
    r->next = 0;
    return true;
}
