// firstpages.h: the first pages of large objects that were freed lately. They
// stay out of use for a while, so that a second free of such an object finds a
// page that is no object's and is reported, where it would release slot 0 of the
// small span that took the pages. The rest of the object serves again at once.
//
// It is one page for each of the last few objects: who needs the whole run of
// pages drops them (mheap.c), for another large object.
#ifndef MOUND_HEAP_FIRSTPAGES_H
#define MOUND_HEAP_FIRSTPAGES_H

#include "heap/pagealloc.h"

enum { FIRSTPAGES_MAX = 256 };

// struct firstpages: first in, first out. All zero holds nothing. Guarded by
// mheap.lock, as the page allocator is.
struct firstpages {
    uint32_t first, n;
    uintptr_t pages[FIRSTPAGES_MAX]; // addresses; bit 0: no memory behind it
};

// firstpages_free frees the pages of a large object but for the first, which is
// held. scavenged says that no memory stands behind them.
void firstpages_free(struct firstpages *f, struct pagealloc *pa, uintptr_t addr,
                     size_t npages, bool scavenged);

// firstpages_trim frees the oldest until at most so many are held, and says
// whether there were any to free.
bool firstpages_trim(struct firstpages *f, struct pagealloc *pa, size_t most);

// firstpages_holds says whether addr is in a page that is held.
bool firstpages_holds(const struct firstpages *f, uintptr_t addr);

#endif // MOUND_HEAP_FIRSTPAGES_H
