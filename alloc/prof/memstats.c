// memstats.c: see memstats.h, and heap/heapstats.h for the arithmetic.
#include "prof/memstats.h"

#include <string.h>

#include "prof/sums.h"

// The last results, so that no counter that only rises is seen to fall while
// calls are in progress. Guarded by the lock of the list of caches.
static struct {
    uint64_t mallocs[NUM_SIZECLASSES];
    uint64_t frees[NUM_SIZECLASSES];
} said;

// keep_risen returns the greater of both, and remembers it.
static uint64_t keep_risen(uint64_t *last, uint64_t now) {
    return *last = sums_not_less(*last, now);
}

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_small(struct mheap *h, struct list *caches,
                       struct mound_memstats *ret,
                       struct memstats_class *ret_classes) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct sums r = {0};
        sums_read(h, caches, c, /* wait= */ true, &r);
        uint64_t live =
            sums_not_negative(r.nslots - r.nfree - r.ntransfer - r.ncached);
        struct mound_bysize *by = &ret->by_size[c];
        by->size = sizeclass_bytes[c];
        by->mallocs = keep_risen(&said.mallocs[c], r.nmallocs);
        by->frees =
            keep_risen(&said.frees[c], sums_not_negative(by->mallocs - live));
        ret->total_alloc += by->mallocs * by->size;
        ret->heap_alloc += (by->mallocs - by->frees) * by->size;
        ret->cache_bytes += r.ncached * by->size;
        ret->transfer_bytes += r.ntransfer * by->size;
        ret->nspans += r.nspans;
        ret->heap_holes += r.hole_bytes;
        by->slots = r.nslots;
        if (ret_classes != NULL)
            ret_classes[c] = (struct memstats_class){
                .nspans = r.nspans,
                .nslots = r.nslots,
                .ncached = r.ncached,
                .ntransfer = r.ntransfer,
                .hole_bytes = r.hole_bytes,
            };
    }
}

// read_large_caches corrects the counters of large objects by what caches keep.
static void read_large_caches(struct list *caches, struct mound_memstats *ret) {
    struct mound_bysize *by = &ret->by_size[0];
    struct sums_large large = sums_read_large(caches);
    by->mallocs += large.nhits;
    by->frees += large.nhits + large.nheld;
    ret->large_alloc = sums_not_negative(ret->large_alloc - large.held_bytes);
    ret->large_total_alloc += large.hit_bytes;
    ret->cache_bytes += large.held_bytes;
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

// add_beside adds blocks that are in no span: they count as large objects, and
// as in use.
static void add_beside(const struct heapstats *st, struct mound_memstats *ret) {
    struct sums_beside beside = sums_read_beside(st);
    ret->heap_inuse += beside.bytes;
    ret->heap_sys += beside.bytes;
    ret->by_size[0].mallocs += beside.nmallocs;
    ret->by_size[0].frees += beside.nfrees;
    ret->large_alloc += beside.bytes;
    ret->large_total_alloc += beside.total_bytes;
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
    // What persistentalloc mapped and has not handed out yet counts for none of
    // these.
    uint64_t handed_out = ret->mspan_sys + ret->mcache_sys + ret->other_sys +
                          ret->buckhash_sys +
                          (ret->gc_sys - load(&h->pages.arena_bytes));
    ret->other_sys += h->persistent.sys_bytes - handed_out;
    mutex_unlock(&h->persistent.lock);
    add_beside(h->stats, ret);

    ret->by_size[0].frees = keep_risen(&said.frees[0], ret->by_size[0].frees);
    ret->by_size[0].mallocs =
        keep_risen(&said.mallocs[0], ret->by_size[0].mallocs);
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
