// sums.h: sums of the stores of a class and the magazines of all caches, and of
// large objects in caches: for memstats and for pages (reading.h). The
// arithmetic is in heap/heapstats.h.
#ifndef MOUND_PROF_SUMS_H
#define MOUND_PROF_SUMS_H

#include "heap/mheap.h"

// struct sums is of one class, including sampled objects. A hit in progress may
// have taken a slot from a magazine and not counted it yet, or the reverse.
struct sums {
    uint64_t nslots, nfree, ntransfer, ncached, nmallocs, nspans, hole_bytes;
};

// sums_read adds a class to *ret, which is all zero. A store that was never used is not
// made for that. Caller holds the lock of the list of caches. It takes those of the
// class; with wait unset it does not wait for them, and returns false then.
bool sums_read(struct mheap *h, struct list *caches, unsigned sizeclass,
               bool wait, struct sums *ret);

// struct sums_large corrects the counters of large objects by what caches keep.
struct sums_large {
    uint64_t nhits, hit_bytes, nheld, held_bytes;
};
struct sums_large sums_read_large(struct list *caches);

// struct sums_beside is of blocks of signal handlers and of guarded objects,
// which are in no class and no span.
struct sums_beside {
    uint64_t nmallocs, nfrees, bytes, total_bytes;
};
struct sums_beside sums_read_beside(const struct heapstats *st);

// Of figures that are read while calls are in flight.
static inline uint64_t sums_not_negative(uint64_t n) {
    return (int64_t)n < 0 ? 0 : n;
}
static inline uint64_t sums_not_less(uint64_t last, uint64_t now) {
    return (int64_t)(now - last) > 0 ? now : last;
}

#endif // MOUND_PROF_SUMS_H
