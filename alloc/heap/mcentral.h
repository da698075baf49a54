// mcentral.h: tier 2, the store of one size class that all threads share. See
// alloc/malloc.c for the tour.
//
// Slots that come back together are first kept together, in the transfer store:
// passing on n slots costs one copy of n pointers. Slots beyond its room return
// to their spans: each slot's bit is set. Spans are listed by their number of
// free slots, and a refill takes from the fullest spans, so that the others can
// empty and return to mheap whole.
//
// This file has the record. The operations:
//
//   mcentral_store     slots in and out, under the lock
//   mcentral_giveback  slots to their spans, and spans that are empty to mheap
//   mcentral_grow      more spans from mheap
//   mcentral_drain     what is stored taken apart, for others
//   mcentral_hold      spans out of the lists while their holes are given back
//   mcentral_sample    prof/'s records of sampled objects
//   mcentral_rebuild   the lists anew from the bits, and checked
#ifndef MOUND_HEAP_MCENTRAL_H
#define MOUND_HEAP_MCENTRAL_H

#include "base/mutex.h"
#include "heap/heapstats.h"
#include "heap/spanlists.h"

enum {
    TRANSFER_SLOTS = 2048, // capacity of the store, in pointers
    NEWEST_SLOTS = 64,     // of them, how many a check searches
};

struct mheap;

// struct mcentral: a span of the class is in one of lists; in none if it has no
// free slot or the scavenger holds it.
//   (c) constant after mcentral_init   (l) lock
struct mcentral {
    struct mutex lock;        // rank LOCKRANK_MCENTRAL
    struct mheap *heap;       // (c)
    struct classstats *stats; // (l) what it points to
    uint32_t elemsize;        // (c)
    uint16_t sizeclass;       // (c)
    bool sampled;             // (c) for sampled objects: see mheap.h
    bool forgotten;           // (l) lists and counts are to be rebuilt
    bool holds_back;          // (l) its bit in mheap.heldback
    uint8_t patience;         // (l) see mcentral_store_locked
    uint16_t ntransfer;       // (l) pointers in transfer
    uint64_t activity;        // (l) rises with each visit
    uint64_t activity_seen;   // (l) as mcentral_drain_idle last saw it
    uint64_t fresh_seen;    // (l) mheap.fresh_bytes when slots were last taken
    void **transfer;        // (l) TRANSFER_SLOTS pointers, or NULL yet
    struct spanlists lists; // (l)
    uint64_t nfree_seen; // (l) stats->nfree at the last mcentral_slack_locked
} CACHELINE_ALIGNED;

void mcentral_init(struct mcentral *mc, struct mheap *heap,
                   struct classstats *stats, unsigned sizeclass);

#endif // MOUND_HEAP_MCENTRAL_H
