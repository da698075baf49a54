// firstpages.h: the first pages of recently freed large objects. They stay
// unused for a while, so that a second free of such an object finds a page
// without an object and is reported, instead of freeing slot 0 of a small span
// that got the pages. The other pages of the object are available at once.
//
// One page is held for each of the last objects: 8, and one more for every 64
// pages in use, at most FIRSTPAGES_MAX. All are dropped before fresh memory is
// touched for another large object (run.c).
#ifndef MOUND_HEAP_FIRSTPAGES_H
#define MOUND_HEAP_FIRSTPAGES_H

#include "heap/pagealloc.h"

enum { FIRSTPAGES_MAX = 256 };

// struct firstpages is a queue. All zero is empty. Guarded by mheap.lock, like
// the page allocator.
struct firstpages {
    uint32_t first, n;
    struct firstpage {
        uintptr_t addr; // bit 0: it has no memory
        size_t npages;  // of the object
    } pages[FIRSTPAGES_MAX];
};

// firstpages_free frees the pages of a large object except the first, which is
// held. scavenged says that they have no memory.
void firstpages_free(struct firstpages *f, struct pagealloc *pa, uintptr_t addr,
                     size_t npages, bool scavenged);

// firstpages_trim frees the oldest pages until at most `most` are held, and
// says whether it freed any.
bool firstpages_trim(struct firstpages *f, struct pagealloc *pa, size_t most);

// firstpages_again returns the pages of the last freed object if it had npages,
// has memory, and all of its pages are still free; else 0. A buffer that is
// allocated and freed in turns then needs no search.
uintptr_t firstpages_again(struct firstpages *f, struct pagealloc *pa,
                           size_t npages);

// firstpages_holds says whether addr is in a held page.
bool firstpages_holds(const struct firstpages *f, uintptr_t addr);

#endif // MOUND_HEAP_FIRSTPAGES_H
