// run.h: a run of pages between the page allocator and a span: found here,
// planned and populated by populate.h.
#ifndef MOUND_HEAP_RUN_H
#define MOUND_HEAP_RUN_H

#include "heap/mheap.h"

// struct run: all zero is no run.
struct run {
    uintptr_t addr; // 0: none
    size_t npages;
    size_t nscavenged; // pages of it without memory
    // Of populate.c:
    size_t nahead;    // pages behind it, to be populated and freed
    size_t npopulate; // pages to populate: its first, or with fills its last
    bool fills;       // a region of huge pages, with the nahead behind it
    size_t nguessed; // regions that begin in it, as hugepages_guess_locked says
};

// enum run_source says where the pages of a run may come from; each includes
// those before it.
enum run_source {
    RUN_BACKED,   // free pages with memory, at least one of them
    RUN_FRESH,    // any that are free, and what the heap can commit
    RUN_RESERVED, // new address space, and first pages of large objects
};

// run_find_locked takes npages, of which the first is aligned to align pages (a power
// of two), and counts them as in use. large: for a large object. It writes the run, and
// returns false if there is none, where *ret is none either.
bool run_find_locked(struct mheap *h, size_t npages, size_t align,
                     enum run_source source, bool large, struct run *ret);

// run_shorten_locked frees all but the first npages of a run that is not
// planned yet. The freed pages count as backed, even those without memory: that
// costs one needless madvise.
void run_shorten_locked(struct mheap *h, struct run *run, size_t npages);

#endif // MOUND_HEAP_RUN_H
