// freecheck.c: see freecheck.h.
#include "heap/freecheck.h"

#include "heap/duemalloc.h"
#include "heap/mcentral_store.h"
#include "heap/mheap.h"

enum {
    CHECK_STEP = 16, // checks until the distance doubles
    CHECK_STEPS = 12,
};
_Static_assert(CHECK_MOST == 1 << CHECK_STEPS, "it doubles with each step");

bool freecheck_all(const struct mheap *h) {
    return atomic_load_explicit(&h->nchecked, memory_order_relaxed) <
           CHECKED_FREES;
}

uint64_t freecheck_after(const struct mheap *h) {
    uint32_t n = atomic_load_explicit(&h->nchecked, memory_order_relaxed);
    if (n < CHECKED_FREES)
        return 0;
    uint32_t step = (n - CHECKED_FREES) / CHECK_STEP;
    return (uint64_t)1 << (step < CHECK_STEPS ? step : CHECK_STEPS);
}

static void count_check(struct mheap *h) {
    uint32_t n = atomic_load_explicit(&h->nchecked, memory_order_relaxed);
    // Threads that race here lose a few counts, which is harmless.
    if (n < CHECKED_FREES + CHECK_STEP * CHECK_STEPS)
        atomic_store_explicit(&h->nchecked, n + 1, memory_order_relaxed);
}

void freecheck_next(struct mcache *c, unsigned sizeclass) {
    magazine_check_next(&c->magazines[sizeclass], &c->shapes[sizeclass]);
}

bool freecheck_passes(struct mcache *c, struct mheap *h, unsigned sizeclass,
                      void *p, bool counting) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    if (!mcentral_is_live(mheap_class(h, sizeclass), p) ||
        magazine_holds(m, p, MAGAZINE_SLOTS))
        return false;
    count_check(h);
    uint64_t after = freecheck_after(h);
    shape->check = after == 0;
    if (shape->cap > 0)
        magazine_set_limit(m, shape);
    // If the scavenger makes mallocs due, checks are frequent enough.
    if (after > 0 && counting && !c->armed)
        duemalloc_after(c, h, sizeclass, after);
    return true;
}

bool freecheck_holds(struct mcache *c, unsigned sizeclass, const void *p) {
    enum { FEW = 16 };
    return magazine_holds(&c->magazines[sizeclass], p, FEW);
}
