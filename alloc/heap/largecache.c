// largecache.c: see largecache.h.
#include "heap/largecache.h"

#include "heap/cachebudget.h"
#include "heap/largespans.h"
#include "heap/mheap.h"
#include "os/sys.h"

static uint64_t add(_Atomic uint64_t *counter, uint64_t n) {
    uint64_t sum = atomic_load_explicit(counter, memory_order_relaxed) + n;
    atomic_store_explicit(counter, sum, memory_order_relaxed);
    return sum;
}

static void drop_one(struct mcache *c, struct mheap *h, unsigned at) {
    struct largecache *large = &c->large;
    struct mspan *s = large->spans[at];
    if (s == NULL)
        return;
    large->spans[at] = NULL;
    add(&large->nheld, (uint64_t)-1);
    add(&large->held_bytes, 0 - (uint64_t)(s->npages << PAGE_SHIFT));
    mheap_free_kept(h, s, /* scavenged= */ false);
}

void largecache_drop(struct mcache *c, struct mheap *h) {
    for (unsigned i = 0; i < LARGECACHE_SPANS; i++)
        drop_one(c, h, i);
    cachebudget_set_large(c, h, 0);
}

// make_room raises the capacity of the cache so that nbytes more may be held.
static bool make_room(struct mcache *c, struct mheap *h, uint64_t nbytes) {
    struct largecache *large = &c->large;
    uint64_t want =
        atomic_load_explicit(&large->held_bytes, memory_order_relaxed) + nbytes;
    return want <= large->cap_bytes || cachebudget_set_large(c, h, want);
}

bool largecache_keep(struct mcache *c, struct mheap *h, struct mspan *s) {
    struct largecache *large = &c->large;
    size_t npages = s->npages;
    unsigned at = npages % LARGECACHE_SPANS;
    if (large->spans[at] != NULL) {
        if (large->spans[at]->npages == npages)
            return false;
        drop_one(c, h, at);
    }
    if (!make_room(c, h, npages << PAGE_SHIFT))
        return false;
    uint8_t state = MSPAN_LARGE;
    if (sys_single_threaded())
        atomic_store_explicit(&s->state, MSPAN_KEPT, memory_order_relaxed);
    else if (!atomic_compare_exchange_strong_explicit(
                 &s->state, &state, MSPAN_KEPT, memory_order_relaxed,
                 memory_order_relaxed))
        return false; // another thread frees it at the same time
    s->needzero = true;
    large->spans[at] = s;
    add(&large->nheld, 1);
    add(&large->held_bytes, npages << PAGE_SHIFT);
    return true;
}

bool largecache_has(const struct mcache *c, size_t npages) {
    const struct mspan *s = c->large.spans[npages % LARGECACHE_SPANS];
    return s != NULL && s->npages == npages;
}

struct mspan *largecache_use(struct mcache *c, size_t npages) {
    struct largecache *large = &c->large;
    struct mspan **at = &large->spans[npages % LARGECACHE_SPANS];
    struct mspan *s = *at;
    if (s == NULL || s->npages != npages)
        return NULL;
    *at = NULL;
    uint64_t nbytes = npages << PAGE_SHIFT;
    add(&large->nheld, (uint64_t)-1);
    add(&large->held_bytes, 0 - nbytes);
    add(&large->nhits, 1);
    add(&large->hit_bytes, nbytes);
    // release: partner in mspan_state
    atomic_store_explicit(&s->state, MSPAN_LARGE, memory_order_release);
    return s;
}

void largecache_trim(struct mcache *c, struct mheap *h) {
    uint64_t nhits =
        atomic_load_explicit(&c->large.nhits, memory_order_relaxed);
    if (nhits == c->large.nhits_seen)
        largecache_drop(c, h);
    c->large.nhits_seen = nhits;
}

void largecache_end(struct mcache *c, struct mheap *h) {
    struct largecache *large = &c->large;
    struct largestats *stats = &h->stats->large;
    uint64_t nhits = atomic_load_explicit(&large->nhits, memory_order_relaxed);
    if (nhits == 0)
        return;
    mutex_lock(&h->lock);
    stats->nmallocs += nhits;
    stats->nfrees += nhits;
    stats->total_alloc_bytes +=
        atomic_load_explicit(&large->hit_bytes, memory_order_relaxed);
    atomic_store_explicit(&large->nhits, 0, memory_order_relaxed);
    atomic_store_explicit(&large->hit_bytes, 0, memory_order_relaxed);
    large->nhits_seen = 0;
    mutex_unlock(&h->lock);
}
