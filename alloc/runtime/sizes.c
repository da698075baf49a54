// sizes.c: see sizes.h.
#include "runtime/sizes.h"

#include "base/bits.h"
#include "base/fastrand.h"
#include "heap/duemalloc.h"
#include "heap/freecheck.h"
#include "heap/scavenger.h"
#include "runtime/runtime.h"
#include "runtime/sampling.h"

enum {
    GROWTH = 16, // the mean distance is 1/16 of the mallocs looked at so far
    MEAN_MOST = 4096, // mallocs
    // The distance while there is memory to return, as in duemalloc.c.
    HITS_BETWEEN = 64,
    HITS_SOON = 16,
};

// (a) relaxed: a reader may see one without the other, and is off by one malloc
static struct {
    _Atomic uint64_t nsizes;  // mallocs that were looked at
    _Atomic uint64_t mallocs; // mallocs that those represent
    _Atomic uint64_t lost;    // bytes of their slots beyond the requested sizes
} classes[NUM_SIZECLASSES];

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add(_Atomic uint64_t *counter, uint64_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void sizes_start(void) {
    sampling_watch_sizes();
}

static uint64_t mean_of(unsigned sizeclass) {
    return clamp_size(load(&classes[sizeclass].nsizes) / GROWTH, 1, MEAN_MOST);
}

void sizes_arm(struct mcache *c) {
    c->armed = c->sized = true; // also classes that get a magazine later
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        if (mcache_was_used(c, i))
            duemalloc_after(c, &mound_heap, i, 1);
}

// note counts a malloc that represents n mallocs.
static void note(unsigned sizeclass, uint64_t size, uint64_t slot, uint64_t n) {
    add(&classes[sizeclass].nsizes, 1);
    add(&classes[sizeclass].lost, (slot > size ? slot - size : 0) * n);
    add(&classes[sizeclass].mallocs, n);
}

void sizes_note(unsigned sizeclass, uint64_t size, uint64_t slot) {
    note(sizeclass, size, slot, 1);
}

// check_at_times makes the next free a checked one, as often as freecheck.h says for
// mallocs that are due at this distance.
static void check_at_times(struct mcache *c, unsigned sizeclass, uint64_t mean,
                           uint64_t *random) {
    uint64_t after = freecheck_after(&mound_heap);
    if (after <= mean || fastrand(random) % (after / mean) == 0)
        freecheck_next(c, sizeclass);
}

bool sizes_due(struct mcache *c, unsigned sizeclass, uint64_t size,
               uint64_t *random) {
    struct mheap *h = &mound_heap;
    bool restless = atomic_load_explicit(&h->restless, memory_order_relaxed);
    uint64_t mean = mean_of(sizeclass);
    if (restless)
        mean = min_size(mean, scavenger_walking(h) ? HITS_SOON : HITS_BETWEEN);
    note(sizeclass, size, sizeclass_bytes[sizeclass], mean);
    check_at_times(c, sizeclass, mean, random);
    c->armed = true;
    // This malloc counts as the first of the distance.
    duemalloc_after(c, h, sizeclass, 2 + fastrand(random) % (2 * mean - 1));
    return restless;
}

uint64_t sizes_rounding(unsigned sizeclass, uint64_t live) {
    uint64_t mallocs = load(&classes[sizeclass].mallocs);
    if (mallocs == 0)
        return UINT64_MAX;
    return (uint64_t)((double)load(&classes[sizeclass].lost) / (double)mallocs *
                      (double)live);
}
