// memstats.h: one reading of all counters, in Go's fields.
#ifndef MOUND_PROF_MEMSTATS_H
#define MOUND_PROF_MEMSTATS_H

#include "heap/mheap.h"
#include "mound.h"

// memstats_read_locked fills *ret_stats. It remembers what it last said of
// figures that only rise, and never says less. Caller holds the lock of the
// list of caches, which also guards that memory.
void memstats_read_locked(struct mheap *h, struct list *caches, size_t ncaches,
                          struct mound_memstats *ret_stats);

#endif // MOUND_PROF_MEMSTATS_H
