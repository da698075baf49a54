// memstats.c: see memstats.h, and heap/heapstats.h for the arithmetic.
#include "prof/memstats.h"

#include <string.h>

#include "heap/mcache.h"

// What was last said, so that nothing that only rises is seen to fall while
// calls are in flight. Guarded by the lock of the list of caches.
static struct {
    uint64_t mallocs[NUM_SIZECLASSES];
    uint64_t frees[NUM_SIZECLASSES];
} said;

static uint64_t not_less(uint64_t *last, uint64_t now) {
    if ((int64_t)(now - *last) > 0)
        *last = now;
    return *last;
}

static uint64_t not_negative(uint64_t n) {
    return (int64_t)n < 0 ? 0 : n;
}

// struct class_reading is one class, read under its lock.
struct class_reading {
    uint64_t mallocs;
    uint64_t live;
    uint64_t cached; // slots in magazines
    uint64_t ntransfer;
    uint64_t nslots;
    uint64_t nspans;
    uint64_t hole_bytes;
};

// add_sampled adds the objects of a class that were sampled.
static void add_sampled(struct mcentral *mc, struct class_reading *r) {
    mutex_lock(&mc->lock);
    const struct classstats *st = mc->stats;
    r->mallocs += st->nretired;
    r->nslots += st->nslots;
    r->nspans += st->nspans;
    r->hole_bytes += st->hole_bytes;
    r->live += st->nslots - st->nfree - st->ntransfer;
    r->ntransfer += st->ntransfer;
    mutex_unlock(&mc->lock);
}

static void read_store(struct mcentral *mc, struct list *caches,
                       unsigned sizeclass, struct class_reading *ret) {
    struct class_reading r = {0};
    mutex_lock(&mc->lock);
    const struct classstats *st = mc->stats;
    r.mallocs = st->nretired;
    r.ntransfer = st->ntransfer;
    r.nslots = st->nslots;
    r.nspans = st->nspans;
    r.hole_bytes = st->hole_bytes;
    for (struct list *l = caches->next; l != caches; l = l->next) {
        struct mcache *c = list_entry(l, struct mcache, link);
        struct magazine *m = &c->magazines[sizeclass];
        r.mallocs += atomic_load_explicit(&m->count, memory_order_relaxed);
        r.cached +=
            (uint64_t)(atomic_load_explicit(&m->top, memory_order_relaxed) -
                       atomic_load_explicit(&m->bottom, memory_order_relaxed));
    }
    r.live = st->nslots - st->nfree - st->ntransfer - r.cached;
    mutex_unlock(&mc->lock);
    r.live = not_negative(r.live);
    *ret = r;
}

// read_class reads what there is of a class: a store that nobody has used is not made
// for that.
static struct class_reading read_class(struct mheap *h, struct list *caches,
                                       unsigned sizeclass) {
    struct class_reading r = {0};
    if (mheap_is_used(h, sizeclass))
        read_store(mheap_class(h, sizeclass), caches, sizeclass, &r);
    if (mheap_sampled(h) != NULL)
        add_sampled(&mheap_sampled(h)[sizeclass], &r);
    return r;
}

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_small(struct mheap *h, struct list *caches,
                       struct mound_memstats *ret,
                       struct memstats_class *ret_classes) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct class_reading r = read_class(h, caches, c);
        struct mound_bysize *by = &ret->by_size[c];
        by->size = sizeclass_bytes[c];
        by->mallocs = not_less(&said.mallocs[c], r.mallocs);
        by->frees =
            not_less(&said.frees[c], not_negative(by->mallocs - r.live));
        ret->total_alloc += by->mallocs * by->size;
        ret->heap_alloc += (by->mallocs - by->frees) * by->size;
        ret->cache_bytes += r.cached * by->size;
        ret->transfer_bytes += r.ntransfer * by->size;
        ret->nspans += r.nspans;
        ret->heap_holes += r.hole_bytes;
        by->slots = r.nslots;
        if (ret_classes != NULL)
            ret_classes[c] = (struct memstats_class){
                .nspans = r.nspans,
                .nslots = r.nslots,
                .ncached = r.cached,
                .ntransfer = r.ntransfer,
                .hole_bytes = r.hole_bytes,
            };
    }
}

// read_large_caches corrects the counters of large objects by what caches keep.
static void read_large_caches(struct list *caches, struct mound_memstats *ret) {
    struct mound_bysize *by = &ret->by_size[0];
    for (struct list *l = caches->next; l != caches; l = l->next) {
        struct largecache *large = &list_entry(l, struct mcache, link)->large;
        uint64_t nhits = load(&large->nhits);
        uint64_t held = load(&large->held_bytes);
        by->mallocs += nhits;
        by->frees += nhits + load(&large->nheld);
        ret->large_alloc -= held;
        ret->large_total_alloc += load(&large->hit_bytes);
        ret->cache_bytes += held;
    }
    ret->large_alloc = not_negative(ret->large_alloc);
}

static void read_heap_locked(struct mheap *h, struct mound_memstats *ret) {
    const struct heapstats *st = h->stats;
    struct mound_bysize *by = &ret->by_size[0];
    by->mallocs = st->large.nmallocs;
    by->frees = st->large.nfrees;
    ret->large_alloc = st->large.alloc_bytes;
    ret->large_total_alloc = st->large.total_alloc_bytes;
    ret->nspans += by->mallocs - by->frees;
    ret->heap_sys = st->sys_pages << PAGE_SHIFT;
    ret->heap_inuse = st->inuse_pages << PAGE_SHIFT;
    ret->heap_idle = ret->heap_sys - ret->heap_inuse;
    ret->heap_released = st->released_pages << PAGE_SHIFT;
    ret->mspan_inuse = h->small_spans.ninuse * h->small_spans.elemsize +
                       h->large_spans.ninuse * h->large_spans.elemsize;
    ret->mspan_sys =
        load(&h->small_spans.sys_bytes) + load(&h->large_spans.sys_bytes);
    ret->mcache_inuse = h->caches.ninuse * h->caches.elemsize;
    ret->mcache_sys = load(&h->caches.sys_bytes);
    ret->gc_sys = load(&h->pages.sys_bytes);
    ret->mem_limit = h->memlimit.pages << PAGE_SHIFT;
    ret->mem_limit_exceeded = h->memlimit.nexceeded;
    ret->other_sys = load(&h->slotarray_sys) + load(&h->other_sys);
    ret->huge_stalls = h->nstalls;
    ret->release_refused =
        atomic_load_explicit(&h->release_refused, memory_order_relaxed);
}

static void add_emergency(const struct heapstats *st,
                          struct mound_memstats *ret) {
    // Blocks of signal handlers and guarded objects belong to no class and lie in
    // no span; they count with large, and as so much memory in use.
    uint64_t live = __atomic_load_n(&st->emergency_bytes, __ATOMIC_RELAXED);
    ret->heap_inuse += live;
    ret->heap_sys += live;
    ret->by_size[0].mallocs +=
        __atomic_load_n(&st->emergency_mallocs, __ATOMIC_RELAXED);
    ret->by_size[0].frees +=
        __atomic_load_n(&st->emergency_frees, __ATOMIC_RELAXED);
    ret->large_alloc += live;
    ret->large_total_alloc +=
        __atomic_load_n(&st->emergency_total_bytes, __ATOMIC_RELAXED);
}

void memstats_read_locked(struct mheap *h, struct list *caches, size_t ncaches,
                          struct mound_memstats *ret_stats,
                          struct memstats_class ret_classes[NUM_SIZECLASSES]) {
    struct mound_memstats *ret = ret_stats;
    memset(ret, 0, sizeof *ret);
    read_small(h, caches, ret, ret_classes);
    mutex_lock(&h->lock);
    read_heap_locked(h, ret);
    read_large_caches(caches, ret);
    mutex_unlock(&h->lock);
    ret->buckhash_sys = mheap_profile_bytes(h);
    mutex_lock(&h->persistent.lock);
    // What persistentalloc mapped and has not handed out yet belongs to nobody.
    uint64_t handed_out = ret->mspan_sys + ret->mcache_sys + ret->other_sys +
                          ret->buckhash_sys +
                          (ret->gc_sys - load(&h->pages.arena_bytes));
    ret->other_sys += h->persistent.sys_bytes - handed_out;
    mutex_unlock(&h->persistent.lock);
    add_emergency(h->stats, ret);

    ret->by_size[0].frees = not_less(&said.frees[0], ret->by_size[0].frees);
    ret->by_size[0].mallocs =
        not_less(&said.mallocs[0], ret->by_size[0].mallocs);
    for (unsigned c = 0; c < NUM_SIZECLASSES; c++) {
        ret->mallocs += ret->by_size[c].mallocs;
        ret->frees += ret->by_size[c].frees;
    }
    ret->heap_alloc += ret->large_alloc;
    ret->total_alloc += ret->large_total_alloc;
    ret->heap_objects = ret->mallocs - ret->frees;
    ret->alloc = ret->heap_alloc;
    ret->sys = ret->heap_sys + ret->mspan_sys + ret->mcache_sys +
               ret->buckhash_sys + ret->gc_sys + ret->other_sys;
    ret->nthreads = ncaches;
}
