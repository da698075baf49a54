// malloc.c: the fast paths, and the tour of the allocator.
//
// mound is the Go runtime's heap with an explicit free. Memory comes from three
// tiers, each a file of heap/:
//
//   mcache     for each thread and size class a magazine: an array of pointers
//              to free slots, popped newest first. No lock.
//                                          (mcache.h, mcache_slow.h)
//   mcentral   for each class what threads gave back: first in whole batches,
//              then as bits in the spans they belong to. One lock a class.
//                                          (mcentral.h, which lists its parts)
//   mheap      pages of 8 KiB for spans and for large objects, found by address
//              in bitmaps. One lock for the process.               (mheap.h)
//
// Beside them: size classes (sizeclass.h), the record of a span (mspan.h), the
// page map that leads from any address to its class byte and span (pagemap.h),
// free pages (pagealloc.h), and their way back to the system (scavenger.h).
//
// One malloc(n):
//   1. n up to 32 KiB: its class by one load from a table of 4 KiB.
//   2. This thread's magazine of the class: pop the newest pointer, count one.
//      That is all (mound_malloc below). The object is not touched.
//   3. The magazine is dry: malloc_slow enters the slow path (slowpath.h), and
//      alloc_inside calls mcache_refill, which takes the class's lock and brings a
//      batch from mcentral's transfer store, or free slots of its fullest spans. Is
//      the magazine too small for what the program goes up and down by, it grows
//      first (cachepolicy.h).
//   4. No slot is free: mcentral_grow takes a run of pages from mheap, cuts
//      it into slots, all free, and publishes it in the page map.
//   5. No run with memory is free: what classes hold back first (takeback.h), then
//      fresh memory; mheap reserves address space and commits some of it (growth.h).
//   6. n above 32 KiB: a span of one object that this thread freed
//      (largecache_use), else steps 4 and 5 for one (mheap_alloc_large).
//
// One free(p):
//   1. The class byte of p's page, by two loads that are safe for any value of p.
//      0 says: large, or not ours, or nothing at all; that is a slow path.
//   2. The magazine of the class has room, and p is not its newest slot already:
//      push p. That is all (mound_free).
//   3. It is full: free_slow enters the slow path, and free_inside calls
//      mcache_overflow, which gives the older half to the transfer store
//      (handback.h). Or this free is one of those that are checked: the limit was
//      lowered for it (freecheck.h).
//   4. That is full too: each slot is looked up, its bit in its span is set; a
//      bit that was set before is a double free, a remainder in the division an
//      interior pointer.
//   5. A span whose slots are all free goes back to mheap, which keeps some of them
//      whole (keptspans.h); the pages of others merge with their neighbours by
//      being bits in the same bitmap, and stay backed for a while (scavenger_goal.c).
//
// Memory that was used once is used again before fresh memory is touched: what
// stores and caches hold back is taken for it first (mheap_take_back, mcache_trim). So
// they may hold much, which is fast, and the peak stays low.
//
// A thread without a cache (new, past its end, in hardened mode, in the middle
// of a slow path) has MCACHE_NONE, whose magazines are empty and full at once:
// the fast paths need no test for it. Nothing is counted on the way but the
// mallocs of each magazine; heapstats.h says how the rest follows from that.
//
// The first slow path starts the heap. life/start.c has the start of a process as
// a list, the files beside it have its forks and its end. README.md has the floors.
//
// The fast paths must stay short: tests/golden/ holds their instructions.
#include "mound.h"

#include <string.h>

#include "malloc_slow.h"
#include "newdelete.h"
#include "realloc_slow.h"
#include "runtime/mode.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

// A hit when: size is small, and the magazine of its class is not empty.
EXPORT void *mound_malloc(size_t size) {
    if (LIKELY(size <= MAX_SMALL_SIZE)) {
        void *p = mcache_alloc(thread_cache(), sizeclass_for(size));
        if (LIKELY(p != NULL))
            return p;
    }
    return malloc_slow(size);
}

static COLD NOINLINE void *new_slow(size_t size, void *(*failed)(size_t)) {
    void *p = malloc_slow(size);
    return p != NULL ? p : failed(size);
}

// A hit when: as mound_malloc.
void *newdelete_new(size_t size, void *(*failed)(size_t)) {
    if (LIKELY(size <= MAX_SMALL_SIZE)) {
        void *p = mcache_alloc(thread_cache(), sizeclass_for(size));
        if (LIKELY(p != NULL))
            return p;
    }
    return new_slow(size, failed);
}

// A hit when: p is in a small span of ours, aligned as any object, not the slot
// that was freed last; and the magazine has room, and no check is due.
EXPORT void mound_free(void *p) {
    size_t arena = pagemap_slot_arena((uintptr_t)p);
    if (LIKELY(arena < PAGEMAP_ENTRIES)) {
        unsigned sizeclass =
            pagemap_class_in(&mound_heap.pagemap, arena, (uintptr_t)p);
        if (LIKELY(mcache_free(thread_cache(), sizeclass, p)))
            return;
    }
    free_slow(p);
}

// free_of_size frees p if that is a hit: as mound_free, and malloc puts objects of
// size bytes where p is.
ALWAYS_INLINE bool free_of_size(void *p, size_t size) {
    size_t arena = pagemap_slot_arena((uintptr_t)p);
    if (UNLIKELY(size > MAX_SMALL_SIZE) || UNLIKELY(arena >= PAGEMAP_ENTRIES))
        return false;
    unsigned sizeclass =
        pagemap_class_in(&mound_heap.pagemap, arena, (uintptr_t)p);
    return LIKELY(sizeclass == sizeclass_for(size)) &&
           LIKELY(mcache_free(thread_cache(), sizeclass, p));
}

EXPORT void mound_free_sized(void *p, size_t size) {
    if (UNLIKELY(!free_of_size(p, size)))
        free_sized_slow(p, 0, size, "free_sized");
}

void newdelete_delete(void *p, size_t size) {
    if (UNLIKELY(!free_of_size(p, size)))
        delete_sized_slow(p, 0, size);
}

// A hit when: as mound_malloc, and the product is small without overflow.
EXPORT void *mound_calloc(size_t nmemb, size_t size) {
    size_t nbytes;
    if (LIKELY(!__builtin_mul_overflow(nmemb, size, &nbytes)) &&
        LIKELY(nbytes <= MAX_SMALL_SIZE)) {
        void *p = mcache_alloc(thread_cache(), sizeclass_for(nbytes));
        if (LIKELY(p != NULL))
            return memset(p, 0, nbytes);
    }
    return calloc_slow(nmemb, size);
}

// A hit when: p is NULL and malloc would hit; or p is in a small span and its
// slot serves size without wasting half of it. A hit does not look at the bit
// of p; hardened mode has no hits.
EXPORT void *mound_realloc(void *p, size_t size) {
    if (p == NULL && LIKELY(!runtime_mixed()))
        return mound_malloc(size);
    size_t arena = pagemap_slot_arena((uintptr_t)p);
    if (LIKELY(arena < PAGEMAP_ENTRIES)) {
        unsigned sizeclass =
            pagemap_class_in(&mound_heap.pagemap, arena, (uintptr_t)p);
        size_t usable = sizeclass_bytes[sizeclass];
        if (LIKELY(size <= usable) && LIKELY(size > usable / 2) &&
            LIKELY(thread_cache() != MCACHE_NONE))
            return p;
    }
    return realloc_slow(p, size);
}
