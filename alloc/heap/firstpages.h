// firstpages.h: the first pages of large objects that were freed lately. They
// stay out of use for a while, so that a second free of such an object finds a
// page that is no object's and is reported, where it would release slot 0 of the
// small span that took the pages. The rest of the object serves again at once.
//
// It is one page for each of the last objects: 8, and one more for every 64 pages in use,
// at most FIRSTPAGES_MAX. For another large object all are dropped before fresh memory is
// touched (run.c).
#ifndef MOUND_HEAP_FIRSTPAGES_H
#define MOUND_HEAP_FIRSTPAGES_H

#include "heap/pagealloc.h"

enum { FIRSTPAGES_MAX = 256 };

// struct firstpages: first in, first out. All zero holds nothing. Guarded by
// mheap.lock, as the page allocator is.
struct firstpages {
    uint32_t first, n;
    struct firstpage {
        uintptr_t addr; // bit 0: no memory behind it
        size_t npages;  // of the object
    } pages[FIRSTPAGES_MAX];
};

// firstpages_free frees the pages of a large object but for the first, which is
// held. scavenged says that no memory stands behind them.
void firstpages_free(struct firstpages *f, struct pagealloc *pa, uintptr_t addr,
                     size_t npages, bool scavenged);

// firstpages_trim frees the oldest until at most so many are held, and says
// whether there were any to free.
bool firstpages_trim(struct firstpages *f, struct pagealloc *pa, size_t most);

// firstpages_again returns the pages of the object that was freed last, if it
// had npages, has memory, and all of its pages are still free; else 0. A buffer
// that is made and dropped in turn then costs no search.
uintptr_t firstpages_again(struct firstpages *f, struct pagealloc *pa,
                           size_t npages);

// firstpages_holds says whether addr is in a page that is held.
bool firstpages_holds(const struct firstpages *f, uintptr_t addr);

#endif // MOUND_HEAP_FIRSTPAGES_H
