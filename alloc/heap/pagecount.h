// pagecount.h: the counters of pages in use, free and released (heapstats.h),
// kept right whenever pages come or go.
#ifndef MOUND_HEAP_PAGECOUNT_H
#define MOUND_HEAP_PAGECOUNT_H

#include "heap/memlimit.h"
#include "heap/mheap.h"

// pagecount_update_locked brings the counters up to date after inuse pages more
// (less, if negative) came into use, or free pages came or went.
static inline void pagecount_update_locked(struct mheap *h, int64_t inuse) {
    struct heapstats *st = h->stats;
    // Atomic for those who read it without the lock.
    __atomic_store_n(&st->inuse_pages, st->inuse_pages + (uint64_t)inuse,
                     __ATOMIC_RELAXED);
    st->free_pages = h->pages.nbacked;
    st->released_pages = h->pages.nfree - h->pages.nbacked;
    if (st->inuse_pages > h->peak_pages)
        h->peak_pages = st->inuse_pages;
    memlimit_note_locked(h);
}

#endif // MOUND_HEAP_PAGECOUNT_H
