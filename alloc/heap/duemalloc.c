// duemalloc.c: see duemalloc.h.
#include "heap/duemalloc.h"

#include "heap/mheap.h"
#include "heap/scavenger.h"

void duemalloc_after(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     uint64_t n) {
    struct mcentral *mc = mheap_class(h, sizeclass);
    mutex_lock(&mc->lock);
    magazine_set_count_locked(&c->magazines[sizeclass], &c->shapes[sizeclass],
                              mc, 0 - n);
    mutex_unlock(&mc->lock);
}

// Hits of a class until the next call of the scavenger; and while a walk over
// holes is in progress.
enum { HITS_BETWEEN = 64, HITS_SOON = 16 };
// With samples of sizes (runtime/sizes.h): the next malloc but one.
enum { FIRST_SIZED = 2 };

static bool restless(struct mheap *h) {
    return atomic_load_explicit(&h->restless, memory_order_relaxed);
}

void duemalloc_arm(struct mcache *c, struct mheap *h) {
    if (c->armed || !restless(h))
        return;
    c->armed = true;
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        if (mcache_was_used(c, i))
            duemalloc_after(c, h, i, HITS_BETWEEN);
}

void duemalloc_arm_first(struct mcache *c, struct mheap *h,
                         unsigned sizeclass) {
    uint64_t count = atomic_load_explicit(&c->magazines[sizeclass].count,
                                          memory_order_relaxed);
    // Its count was never set, or it is below 0 already.
    if (c->armed && (int64_t)count >= 0)
        duemalloc_after(c, h, sizeclass, c->sized ? FIRST_SIZED : HITS_BETWEEN);
}

bool duemalloc_come_by(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    c->armed = restless(h);
    if (!c->armed || c->nslow++ % HITS_BETWEEN == 0)
        magazine_check_next(&c->magazines[sizeclass], &c->shapes[sizeclass]);
    uint64_t after = (uint64_t)1 << DUEMALLOC_NEVER_LOG2;
    if (c->armed)
        after = scavenger_walking(h) ? HITS_SOON : HITS_BETWEEN;
    duemalloc_after(c, h, sizeclass, after);
    return c->armed;
}
