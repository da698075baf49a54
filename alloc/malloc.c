// malloc.c: the fast paths, and the tour of the allocator.
//
// mound is the Go runtime's heap with an explicit free. Memory comes from three
// tiers, each a set of files in heap/:
//
//   mcache     for each thread and size class a magazine: an array of pointers
//              to free slots, popped newest first. No lock.
//                                          (mcache.h, mcache_slow.h)
//   mcentral   for each class the slots that threads gave back: first in whole
//              batches, then as bits in the spans that contain them. One lock a
//              class.                      (mcentral.h, which lists its parts)
//   mheap      pages of 8 KiB for spans and for large objects, found by address
//              in bitmaps. One lock for the process.               (mheap.h)
//
// Beside them: size classes (sizeclass.h), the record of a span (mspan.h), the
// page map from any address to its class byte and span (pagemap.h), free pages
// (pagealloc.h), and their return to the system (scavenger.h).
//
// One malloc(n):
//   1. n up to 32 KiB: its class by one load from a table of 4 KiB.
//   2. Pop the newest pointer of this thread's magazine of the class and count one
//      malloc. That is a hit (mound_malloc below). It does not touch the object.
//   3. The magazine is empty: malloc_slow enters the slow path (slowpath.h), and
//      alloc_inside calls mcache_refill, which takes the class's lock and moves a
//      batch from mcentral's transfer store, or free slots of its fullest spans, into
//      the magazine. A magazine that is too small for the number of slots that the
//      program allocates and frees in turn grows first (cachepolicy.h).
//   4. No slot is free: mcentral_grow takes a run of pages from mheap, cuts
//      it into free slots, and publishes it in the page map.
//   5. No free run is backed by memory: mheap first reclaims what classes hold back
//      (takeback.h), then reserves address space and commits fresh memory (growth.h).
//   6. n above 32 KiB: a span of one object that this thread freed
//      (largecache_use), or else a new span by steps 4 and 5 (mheap_alloc_large).
//
// One free(p):
//   1. Read the class byte of p's page by two loads that are safe for any value of p.
//      0 means large, foreign or unmapped: the slow path.
//   2. The magazine of the class has room, and p is not its newest slot already:
//      push p. That is a hit (mound_free).
//   3. The magazine is full: free_slow enters the slow path, and free_inside calls
//      mcache_overflow, which moves the older half to the transfer store
//      (handback.h). The slow path also serves a free that is to be checked, for
//      which the magazine's limit was lowered (freecheck.h).
//   4. The transfer store is full too: each slot is looked up and its bit in its span
//      is set. A bit that was set before is a double free; a remainder in the
//      division is an interior pointer.
//   5. A span whose slots are all free goes back to mheap, which keeps some spans
//      whole (keptspans.h). The pages of the others merge with their neighbours
//      because they are bits in the same bitmap, and keep their memory for a while
//      (scavenger_goal.c).
//
// Used memory is used again before fresh memory is touched: mheap takes what stores
// and caches hold back first (mheap_take_back, mcache_trim). So stores and caches can
// be large, which is fast, while the peak stays low.
//
// A thread without a cache (new, past its end, in hardened mode, inside a slow
// path) has MCACHE_NONE, whose magazines are both empty and full: the fast paths
// need no test for it. A hit counts nothing but the mallocs of its magazine;
// heapstats.h says how all other counters follow from that.
//
// The first slow path starts the heap. life/start.c lists what runs when a process
// starts; the other files of life/ do the same for its forks and its end. README.md
// describes the layers.
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

// A hit when: p is in a small span of ours, aligned as malloc aligns, and not the slot
// that was freed last; the magazine has room, and no check is due.
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

// free_of_size frees p if that is a hit, and says whether it was: as mound_free, and
// size has the class of p.
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
// slot serves size without wasting half of it. A hit does not read the free bit
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
