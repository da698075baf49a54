// mprof.h: the heap profile: which stacks allocated how much, by samples. After
// Go 1.19 runtime/mprof.go.
//
// A bucket is for all sampled objects of one size that one stack allocated. The
// size is part of it because the probability that an object is sampled depends
// on its size alone: so each bucket is scaled exactly. Buckets are never freed
// and their chains only grow at the head, so readers (a dump, a signal handler)
// take no lock.
#ifndef MOUND_PROF_MPROF_H
#define MOUND_PROF_MPROF_H

#include <stdatomic.h>

#include "base/persistentalloc.h"
#include "os/unwind.h"
#include "prof/images.h"

enum {
    MPROF_CHAINS = 1 << 15,
    // Limit of buckets: a program whose stacks never repeat (jitted code) would
    // fill memory with them. Beyond it, stacks share one bucket for each size,
    // without addresses.
    MPROF_BUCKETS_MAX = 1 << 18,
};

// struct mbucket: constant once it is in a chain, but for the counters.
struct mbucket {
    struct mbucket *_Atomic next; // in its chain
    struct mbucket *older;        // of all buckets, the one made before
    uint64_t hash;
    size_t size;              // bytes of each object: its slot, or its pages
    uint64_t rate;            // at which they were sampled
    _Atomic uint64_t nallocs; // sampled objects; relaxed
    _Atomic uint64_t nfrees;  // of them; never above nallocs
    uint64_t images_hash;     // of the numbers of images; 0: all are 0
    // What the bucket had at the peak of this number: see peak.h. Written under lock.
    _Atomic uint64_t peak_number;
    _Atomic uint64_t peak_nallocs;
    _Atomic uint64_t peak_nfrees;
    uint32_t npcs;
    // Return addresses, innermost first; then, unless images_hash is 0, the number
    // of each one's image: see images.h.
    uintptr_t pcs[];
};

static inline uint16_t mbucket_image(const struct mbucket *b, uint32_t i) {
    return b->images_hash == 0 ? 0 : ((const uint16_t *)&b->pcs[b->npcs])[i];
}

// struct mprof_counts is the counts of a bucket, in objects or in bytes.
struct mprof_counts {
    uint64_t nallocs;
    uint64_t ninuse;
};

static inline struct mprof_counts mprof_counts(const struct mbucket *b) {
    // Frees first: frees counted between the two reads then make in-use too
    // large, not negative. acquire: nallocs is read after it. The hardware may
    // show the counts of other threads in another order; the last line covers
    // that.
    uint64_t nfrees = atomic_load_explicit(&b->nfrees, memory_order_acquire);
    uint64_t nallocs = atomic_load_explicit(&b->nallocs, memory_order_relaxed);
    return (struct mprof_counts){nallocs,
                                 nallocs > nfrees ? nallocs - nfrees : 0};
}

// struct mprof_peak is the moment with the most in use: see peak.h.
//   (l) lock of mprof   (a) atomic, relaxed
struct mprof_peak {
    _Atomic bool kept;       // (a)
    _Atomic bool held;       // (a) while it is written
    _Atomic uint64_t number; // (a) written under lock; the first has 1
    uint64_t inuse;          // (l) bytes in use now, by samples
    uint64_t bytes;          // (l) at the peak
    uint64_t written;        // (l) at the last peak that peak_fell told of
};

// struct mprof is a profile. All zero until mprof_init.
//   (l) lock   (a) atomic
struct mprof {
    struct mutex lock; // rank LOCKRANK_MPROF: taken to add a bucket or image
    struct persistent *persistent;
    _Atomic uint64_t sys_bytes;              // (a) of buckets and chains
    struct mbucket *_Atomic *_Atomic chains; // (a) MPROF_CHAINS, once made
    struct mbucket *_Atomic newest;          // (a) all of them, by older
    _Atomic uint32_t nbuckets;               // (a)
    _Atomic uint64_t rate;                   // (a) mean bytes between samples
    _Atomic uint64_t start_unix_ns;          // (a) when it began
    struct images images;                    // that its addresses were in
    struct mprof_peak peak;
};

void mprof_init(struct mprof *mp, struct persistent *persistent);

// mprof_bucket returns the bucket of a size and the caller's stack, of which
// the innermost UNWIND_MAX addresses count. It makes the bucket if there is
// none; NULL when there is no memory. An existing one is found without a lock.
struct mbucket *mprof_bucket(struct mprof *mp, size_t size,
                             const uintptr_t *pcs, unsigned npcs);

static inline struct mbucket *mprof_newest(const struct mprof *mp) {
    // acquire: sees the bucket filled in; partner: release in mprof_bucket
    return atomic_load_explicit(&mp->newest, memory_order_acquire);
}

// mprof_scale returns n, a number of sampled objects of size bytes, as the
// number there were: n / (1 - e^(-size/rate)), cut to an integer, as Go's
// scaleHeapSample. rate 0 and 1: as it is.
uint64_t mprof_scale(uint64_t n, size_t size, uint64_t rate);

#endif // MOUND_PROF_MPROF_H
