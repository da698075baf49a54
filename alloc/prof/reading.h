// reading.h: one reading of all counters for a page (mound_page.h), a class at a time,
// so that a slow path can do a part of it and leave the rest to the next. The
// arithmetic is in heap/heapstats.h.
#ifndef MOUND_PROF_READING_H
#define MOUND_PROF_READING_H

#include "heap/mheap.h"
#include "mound_page.h"

// struct reading: all zero is one that has not begun. The figures that only rise are
// kept from one reading to the next, and are never less than they were.
struct reading {
    unsigned next; // the class to go on with; 0: none was read
    struct mound_page_stats stats;
};

// reading_step_locked reads classes until sys_ticks are until, or UINT64_MAX for all
// of them, and returns whether that was the last. At least one is read. Caller holds
// the lock of the list of caches. Cost: a class takes its lock for a step a cache.
bool reading_step_locked(struct reading *r, struct mheap *h,
                         struct list *caches, uint64_t until);

// reading_end_locked adds large objects and all that is of the heap as a whole, after
// the last class, and the next step begins anew. Fields of the process and of profiles
// are left alone. Caller as above.
void reading_end_locked(struct reading *r, struct mheap *h, struct list *caches,
                        size_t ncaches);

#endif // MOUND_PROF_READING_H
