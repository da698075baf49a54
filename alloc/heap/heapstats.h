// heapstats.h: the counters of a heap, and the lock of each. They are in one
// struct without pointers into private records, so that gdb, readers of cores
// and other processes can read the exported symbol mound_stats.
//
// Single small objects are counted by the magazines only (heap/mcache.h). With
// the locks held, for each class:
//
//   live    = nslots - nfree - ntransfer - sum of depths of all magazines
//   mallocs = nretired + sum of counts of all magazines, modulo 2^64
//   frees   = mallocs - live
//
// Sampled objects have counts of their own in addition. (One magazine's count
// alone has no meaning once it was set: see duemalloc_after.)
#ifndef MOUND_HEAP_HEAPSTATS_H
#define MOUND_HEAP_HEAPSTATS_H

#include "heap/sizeclass.h"

#define HEAPSTATS_MAGIC 0x31535453646e756fu // "oundSTS1"
enum { HEAPSTATS_VERSION = 2 };

// Guarded by the lock of mcentral[class]. One cache line each, because threads
// that refill different classes write to them at the same time.
struct classstats {
    uint64_t elemsize;  // bytes of a slot; 0: not used yet
    uint64_t nslots;    // slots of all spans of the class
    uint64_t nfree;     // slots whose free bit is set: in no cache
    uint64_t ntransfer; // slots in the transfer store
    uint64_t nretired;  // mallocs moved out of the magazines' counts
    uint64_t nspans;
    uint64_t hole_bytes; // of its spans, given back: holes.h
} CACHELINE_ALIGNED;
_Static_assert(sizeof(struct classstats) == 64, "no two classes share a line");

// Guarded by mheap.lock.
struct largestats {
    uint64_t nmallocs; // except those served by caches
    uint64_t nfrees;
    uint64_t alloc_bytes;       // of large spans in use or in caches
    uint64_t total_alloc_bytes; // of all large spans ever made
};

struct heapstats {
    uint64_t magic;   // HEAPSTATS_MAGIC once the heap is in use
    uint32_t version; // HEAPSTATS_VERSION
    uint32_t nbytes;  // sizeof (struct heapstats)
    uint32_t nclasses;
    uint32_t page_bytes;

    // Where the live caches are: *caches_head is the head of a ring; a cache
    // begins cache_link_offset bytes before its link.
    uint64_t caches_head;
    uint32_t cache_link_offset;
    uint32_t cache_magazines_offset; // magazine of class 0, from the cache
    uint32_t magazine_bytes;
    uint32_t magazine_top_offset;
    uint32_t magazine_bottom_offset;
    uint32_t magazine_count_offset;

    // At the next multiple of a cache line.
    struct classstats classes[NUM_SIZECLASSES];
    struct largestats large;

    // Guarded by mheap.lock, in pages of page_bytes.
    uint64_t inuse_pages;    // in spans; written atomically
    uint64_t sys_pages;      // committed
    uint64_t free_pages;     // in no span, backed by memory
    uint64_t released_pages; // in no span, not backed

    // Written with atomic adds, read with plain loads.
    uint64_t emergency_mallocs; // by signal handlers that interrupted mound
    uint64_t emergency_frees;
    uint64_t emergency_bytes;       // live
    uint64_t emergency_total_bytes; // ever

    // Of the stores of sampled objects, like classes: no magazine holds their
    // slots.
    struct classstats sampled[NUM_SIZECLASSES];

    // Offset of four words of each cache that are to be added to large
    // (heap/mcache.h): nhits, hit_bytes, nheld, held_bytes.
    uint64_t cache_large_offset; // of nhits, from the cache

    // The last norphans caches of the ring are of threads that a fork left
    // behind: their slots are free and their counts are valid, but no thread
    // uses them.
    uint64_t norphans;
};
_Static_assert(offsetof(struct heapstats, classes) % 64 == 0 &&
                   offsetof(struct heapstats, large) % 64 == 0 &&
                   offsetof(struct heapstats, cache_large_offset) % 64 == 0,
               "each is a line that others do not write to");

#endif // MOUND_HEAP_HEAPSTATS_H
