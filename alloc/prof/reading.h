// reading.h: reads all counters for a page (mound_page.h), class by class, so
// that a slow path can do a part of it and leave the rest to the next. The
// arithmetic is in heap/heapstats.h.
#ifndef MOUND_PROF_READING_H
#define MOUND_PROF_READING_H

#include "heap/mheap.h"
#include "mound_page.h"
#include "prof/sums.h"

// struct reading: all zero has not begun. Counters that only rise are kept from
// one reading to the next and never decrease.
struct reading {
    unsigned next;          // the next class; 0: none was read
    struct sums_large kept; // of large objects in caches
    struct mound_page_stats stats;
};

// reading_step_locked reads classes until sys_ticks are until, at least one, and returns
// whether that was the last. Caller holds the lock of the list of caches. Cost: a class
// takes its lock for a step a cache, all of them, for only so its counts agree; 10 to 20
// us for 1 000 caches. So slow paths do not read where there are more than
// READING_CACHES_MAX.
//
// It stops, and returns false, at a lock of the heap that another thread holds:
// that thread may be in a signal handler that forks and waits for the lock of
// the list.
enum { READING_CACHES_MAX = 1024 };
bool reading_step_locked(struct reading *r, struct mheap *h,
                         struct list *caches, uint64_t until);

// reading_end_locked adds large objects and all that is of the heap as a whole, and the
// next step begins anew. Without a step before, figures of classes stay what they were.
// Fields of the process and of profiles are left alone. Caller as above; false, and to be
// called again: it does not wait for a lock.
bool reading_end_locked(struct reading *r, struct mheap *h, struct list *caches,
                        size_t ncaches);

#endif // MOUND_PROF_READING_H
