// alloc_inside.c: see alloc_inside.h.
#include "alloc_inside.h"

#include "block.h"
#include "heap/duemalloc.h"
#include "heap/freecheck.h"
#include "heap/growth.h"
#include "heap/large.h"
#include "heap/mcache_slow.h"
#include "heap/mcentral_grow.h"
#include "largewait.h"
#include "runtime/options.h"
#include "runtime/sampling.h"
#include "runtime/sizes.h"
#include "slowpath.h"
#include "watch/sampled.h"

// asked_size is the requested size: without the marks of hardened level 2.
static COLD size_t asked_size(size_t size, size_t align) {
    return options->hardened > 1 ? size - block_marks(align) : size;
}

// small_watched serves a malloc that is due while samples are taken or sizes are noted.
// NULL: allocate as usual.
static COLD void *small_watched(struct mcache *c, unsigned sizeclass,
                                size_t size, size_t align) {
    if (sampling_on()) {
        if (sampling_watched() & SAMPLING_SIZES)
            sizes_note(sizeclass, asked_size(size, align),
                       sizeclass_bytes[sizeclass]);
        freecheck_next(c, sizeclass);
        return sampled_small_due(c, sizeclass, asked_size(size, align), align);
    }
    if (sizes_due(c, sizeclass, size, thread_random()))
        slowpath_tick_now();
    return NULL;
}

// small_due serves a malloc that is due (heap/duemalloc.h). NULL: allocate as usual.
static void *small_due(struct mcache *c, unsigned sizeclass, size_t size,
                       size_t align) {
    if (UNLIKELY(sampling_watched()))
        return small_watched(c, sizeclass, size, align);
    if (duemalloc_come_by(c, &mound_heap, sizeclass))
        slowpath_tick_now();
    return NULL;
}

static void *small_alloc(unsigned sizeclass, size_t size, size_t align) {
    struct mcache *c = thread_mcache();
    void *p = NULL;
    if (c == NULL) {
        if (UNLIKELY(sampled_wants(sizeclass_bytes[sizeclass])))
            p = sampled_small(sizeclass, asked_size(size, align), align);
        return p != NULL
                   ? p
                   : mcentral_alloc_one(mheap_class(&mound_heap, sizeclass));
    }
    // The cache was made just now, or this thread has not seen the last start or stop.
    if (UNLIKELY(sampling_epoch_now() != thread_tls.epoch))
        thread_see_epoch();
    if (UNLIKELY(mcache_sample_due(c, sizeclass)))
        p = small_due(c, sizeclass, size, align);
    // Aligned requests and realloc have not tried a hit before.
    if (p == NULL)
        p = mcache_alloc(c, sizeclass);
    return p != NULL ? p : mcache_refill(c, &mound_heap, sizeclass);
}

// reclaim empties this thread's cache and the shared stores.
static void reclaim(void) {
    struct mcache *c = thread_tls.own;
    if (c != NULL)
        mcache_flush(c, &mound_heap);
    runtime_reclaim();
}

static struct mspan *large_alloc(size_t size, size_t align) {
    size_t npages = large_pages(size);
    if (npages == 0 || size > PTRDIFF_MAX)
        return NULL;
    size_t align_pages = max_size(align >> PAGE_SHIFT, 1);
    if (npages >= SLOWPATH_PAGES_LARGE && mheap_may_find(&mound_heap, npages)) {
        // Before it reserves address space: give back slots that caches hold. Their
        // spans may lie between free runs.
        struct mspan *s = mheap_alloc_large(&mound_heap, npages, align_pages,
                                            /* may_reserve= */ false);
        if (s != NULL)
            return s;
        reclaim();
    }
    return mheap_alloc_large(&mound_heap, npages, align_pages,
                             /* may_reserve= */ true);
}

// reclaim_more frees more memory for a request that found none, and says whether a
// second attempt is worth its time. It is not if a large request has reclaimed
// already and nothing that is still held could serve it.
static COLD bool reclaim_more(size_t size) {
    bool more = largewait_release(/* all= */ true); // hardened mode
    more |= large_pages(size) < SLOWPATH_PAGES_LARGE;
    if (!more && !mheap_may_find(&mound_heap, large_pages(size)))
        return false;
    while (thread_drain_orphan())
        more = true;
    if (more)
        reclaim();
    return more;
}

static COLD void large_watched(struct mspan *s, size_t size) {
    if (sampling_watched() & SAMPLING_SIZES)
        sizes_note(0, size, s->npages << PAGE_SHIFT);
    if (sampling_on())
        sampled_large(s);
}

static void *alloc_once(size_t size, size_t align, bool *ret_zero) {
    *ret_zero = false;
    unsigned sizeclass = sizeclass_for_aligned(size, align);
    if (sizeclass != 0)
        return small_alloc(sizeclass, size, align);
    struct mspan *s = large_alloc(max_size(size, 1), align);
    if (s == NULL)
        return NULL;
    struct mcache *c = thread_mcache();
    if (c != NULL)
        mcache_trim(c, &mound_heap);
    *ret_zero = !s->needzero;
    if (UNLIKELY(sampling_watched()))
        large_watched(s, size);
    return (void *)mspan_start(s);
}

void *alloc_inside(size_t size, size_t align, bool *ret_zero) {
    void *p = alloc_once(size, align, ret_zero);
    if (LIKELY(p != NULL) || size > PTRDIFF_MAX)
        return p;
    // At a memory limit: caches and shared stores may hold what is missing.
    return reclaim_more(size) ? alloc_once(size, align, ret_zero) : NULL;
}
