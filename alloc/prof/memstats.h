// memstats.h: one reading of all counters, in Go's fields.
#ifndef MOUND_PROF_MEMSTATS_H
#define MOUND_PROF_MEMSTATS_H

#include "heap/mheap.h"
#include "mound.h"

// struct memstats_class is what MemStats does not say of a class. All zero of class 0.
struct memstats_class {
    uint64_t nspans;
    uint64_t nslots;
    uint64_t ncached;   // free slots in caches
    uint64_t ntransfer; // free slots on their way between threads
    uint64_t hole_bytes;
};

// memstats_read_locked fills *ret_stats and, unless it is NULL, ret_classes. It remembers what it last said of
// figures that only rise, and never says less. Caller holds the lock of the
// list of caches, which also guards that memory.
void memstats_read_locked(struct mheap *h, struct list *caches, size_t ncaches,
                          struct mound_memstats *ret_stats,
                          struct memstats_class ret_classes[NUM_SIZECLASSES]);

#endif // MOUND_PROF_MEMSTATS_H
