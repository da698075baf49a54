// mcache_slow.c: see mcache_slow.h. How large a magazine may be is cachepolicy.h's.
#include "heap/mcache_slow.h"

#include "base/check.h"
#include "heap/cachebudget.h"
#include "heap/cachepolicy.h"
#include "heap/duemalloc.h"
#include "heap/freecheck.h"
#include "heap/handback.h"
#include "heap/largecache.h"
#include "heap/mcentral.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_grow.h"
#include "heap/mcentral_store.h"
#include "heap/mheap.h"
#include "heap/slotarrays.h"

enum {
    REFILL_BYTES = 512 << 10, // at once
    TRIM_SLOTS =
        MAGAZINE_SLOTS, // given back by one call: any magazine's at least
    CHECK_EVERY = 16,   // slow paths: see freecheck.h
    // Arrays of at most 1 << KEPT_ARRAY_LOG2 pointers stay with the record of
    // an ended thread, for its next owner; freed, they would not go to the
    // system. At most 34 KiB, if all classes were used; usually 2.
    KEPT_ARRAY_LOG2 = 6,
};

void mcache_trim(struct mcache *c, struct mheap *h) {
    uint32_t nfresh = atomic_load_explicit(&h->nfresh, memory_order_relaxed);
    if (nfresh == c->nfresh && c->trim_at == 0)
        return;
    size_t left = TRIM_SLOTS;
    if (c->trim_at == 0) {
        c->nfresh = nfresh;
        c->trim_at = 1;
    }
    for (; c->trim_at < NUM_SIZECLASSES; c->trim_at++) {
        unsigned i = c->trim_at;
        size_t depth = magazine_depth(&c->magazines[i]);
        if (depth > left)
            return;
        uint32_t keep = c->shapes[i].cap > 0
                            ? magazine_asked(&c->magazines[i], &c->shapes[i])
                            : 0;
        if (keep >= depth)
            continue;
        handback_older(&c->magazines[i], &c->shapes[i], mheap_class(h, i),
                       depth - keep);
        left -= depth - keep;
    }
    c->trim_at = 0;
    largecache_trim(c, h);
}

// alloc_counted allocates one slot of a class without a magazine. It increments
// the magazine's count as well, because the next sample depends on it.
static void *alloc_counted(struct mcache *c, struct mcentral *mc,
                           unsigned sizeclass) {
    void *p = mcentral_alloc_one(mc);
    if (p == NULL)
        return NULL;
    struct magazine *m = &c->magazines[sizeclass];
    mutex_lock(&mc->lock);
    uint64_t count = atomic_load_explicit(&m->count, memory_order_relaxed);
    atomic_store_explicit(&m->count, count + 1, memory_order_relaxed);
    mc->stats->nretired--;
    mutex_unlock(&mc->lock);
    return p;
}

// adapt applies the cache policy to a slow path of a class.
static void adapt(struct mcache *c, struct mheap *h, unsigned sizeclass,
                  unsigned now) {
    bool first = c->shapes[sizeclass].cap == 0;
    cachepolicy_adapt(c, h, sizeclass, now);
    if (first && c->shapes[sizeclass].cap > 0)
        duemalloc_arm_first(c, h, sizeclass);
}

void *mcache_refill(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    check(magazine_depth(m) == 0,
          "mcache: refill of a magazine that holds slots");
    debug_check(!mcache_sample_due(c, sizeclass), "mcache: a sample is due");
    c->nslow++;
    mcache_trim(c, h);
    bool again = shape->last == MAGAZINE_WAS_DRY;
    adapt(c, h, sizeclass, MAGAZINE_WAS_DRY);
    if (shape->cap == 0)
        return alloc_counted(c, mc, sizeclass);
    // A program that only allocates gets as many slots as fit; one that also
    // frees needs room for its next frees.
    size_t want = again ? shape->cap : (shape->cap + 1) / 2;
    want = clamp_size(want, 1, REFILL_BYTES / sizeclass_bytes[sizeclass]);
    bool first = !shape->had_lines && shape->cap >= LINE_SLOTS;
    shape->had_lines = true;
    for (;;) {
        mutex_lock(&mc->lock);
        void **bottom = magazine_load(&m->bottom);
        size_t n = 0;
        if (first)
            n = mcentral_take_lines_locked(mc, bottom);
        if (n == 0)
            n = mcentral_take_locked(mc, bottom, want);
        void *p = NULL;
        if (n > 0) {
            p = bottom[n - 1];
            magazine_store(&m->top, bottom + n - 1);
            uint64_t count =
                atomic_load_explicit(&m->count, memory_order_relaxed);
            // Never set: no profile uses the count, so it counts to the first
            // check.
            if (count == 0)
                magazine_set_count_locked(m, shape, mc,
                                          count = 0 - 2 * freecheck_after(h));
            atomic_store_explicit(&m->count, count + 1, memory_order_relaxed);
        }
        mutex_unlock(&mc->lock);
        if (n > 0)
            return p;
        if (!mcentral_grow(mc))
            return NULL;
    }
}

void mcache_overflow(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     void *p, bool counting) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    c->nslow++;
    bool twice = magazine_load(&m->top)[-1] == p;
    bool check = shape->check || shape->cap == 0 || c->nslow % CHECK_EVERY == 0;
    if (twice || (check && !freecheck_passes(c, h, sizeclass, p, counting))) {
        mheap_report_misuse(h, p);
        return;
    }
    if (magazine_depth(m) < shape->cap) {
        magazine_push(m, p);
        return;
    }
    bool again = shape->last == MAGAZINE_WAS_FULL;
    adapt(c, h, sizeclass, MAGAZINE_WAS_FULL);
    size_t depth = magazine_depth(m);
    // A program that only frees needs few of the slots.
    if (depth > 0 && depth == shape->cap)
        handback_older(m, shape, mheap_class(h, sizeclass),
                       depth - depth / (again ? 4 : 2));
    // A first slot may share a cache line with another thread's: this thread
    // should not be handed it next.
    if (shape->cap == 0 ||
        (!shape->had_lines && sizeclass_bytes[sizeclass] < LINE_BYTES)) {
        mcentral_free_one(mheap_class(h, sizeclass), p);
        return;
    }
    magazine_push(m, p);
}

// strip_locked takes capacity and array from an empty magazine.
static void strip_locked(struct magazine *m, struct magazine_shape *shape,
                         struct slotarrays *arrays, unsigned keep_log2) {
    unsigned log2 = shape->array_log2;
    *shape = (struct magazine_shape){0};
    if (log2 != 0 && log2 <= keep_log2) {
        shape->array_log2 = log2 & 15;
        magazine_store(&m->limit, magazine_load(&m->bottom));
        return;
    }
    if (log2 != 0)
        slotarrays_add(arrays, magazine_load(&m->bottom) - 1, log2);
    magazine_detach(m);
}

// empty_class empties the magazine of a class. ends says that the cache will
// not be used again.
static void empty_class(struct mcache *c, struct mheap *h, unsigned sizeclass,
                        bool ends, struct slotarrays *arrays) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    size_t depth = magazine_depth(m);
    if (!ends)
        while (depth > 0)
            depth -=
                handback_some(m, shape, mc, magazine_load(&m->bottom), depth);
    for (bool empty = false; !empty;) {
        mutex_lock(&mc->lock);
        // No store is made for this: it would take more memory than the slots
        // free.
        if (depth > 0 && mc->transfer != NULL)
            handback_store_locked(m, mc, depth);
        depth = magazine_depth(m);
        empty = depth == 0;
        if (empty && ends)
            magazine_set_count_locked(m, shape, mc, 0);
        if (empty)
            strip_locked(m, shape, arrays, ends ? KEPT_ARRAY_LOG2 : 0);
        mutex_unlock(&mc->lock);
        while (depth > 0)
            depth -=
                handback_some(m, shape, mc, magazine_load(&m->bottom), depth);
    }
}

static void empty_all(struct mcache *c, struct mheap *h, bool ends) {
    struct slotarrays arrays = {.any = false};
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        if (mcache_was_used(c, i))
            empty_class(c, h, i, ends, &arrays);
    if (arrays.any)
        mheap_free_slotarrays(h, &arrays);
    largecache_drop(c, h);
    cachebudget_set(c, h, 0, 0);
}

void mcache_flush(struct mcache *c, struct mheap *h) {
    empty_all(c, h, /* ends= */ false);
}

void mcache_end(struct mcache *c, struct mheap *h) {
    empty_all(c, h, /* ends= */ true);
    largecache_end(c, h);
}

void mcache_abandon(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    mutex_lock(&mc->lock);
    magazine_set_count_locked(m, &c->shapes[sizeclass], mc, 0);
    magazine_detach(m);
    c->shapes[sizeclass] = (struct magazine_shape){0};
    mutex_unlock(&mc->lock);
}
