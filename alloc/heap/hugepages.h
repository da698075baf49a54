// hugepages.h: decides where the heap uses transparent huge pages, by regions
// of 2 MiB, aligned to their size.
//
// A region is filled when the heap, growing by spans of small objects, takes
// its first page from the system: one page fault makes all of it Ready. How
// much of a large object will be touched is unknown: the first pages of some
// are treated the same, as far as hugepages_guess_locked allows. A region that
// gives pages back loses the advice; otherwise khugepaged would fill it again
// as soon as it finds one page in it.
#ifndef MOUND_HEAP_HUGEPAGES_H
#define MOUND_HEAP_HUGEPAGES_H

#include "heap/mheap.h"

enum { HUGE_BYTES = 2 << 20, REGION_PAGES = HUGE_BYTES / PAGE_SIZE };

// hugepages_init decides by the option and by the system's setting. Call it
// once, before the heap is in use. It reads a file.
void hugepages_init(struct mheap *h, enum thp_mode mode);

// hugepages_growing_locked says whether the heap grows by whole regions now.
bool hugepages_growing_locked(const struct mheap *h);

// hugepages_ahead_locked says whether the run [addr, addr + npages), which is
// allocated and has no memory, begins a region to fill. If so, it allocates the
// free pages after it up to the end of the region and returns their number: the
// caller frees them once they are filled. false: it allocated none.
bool hugepages_ahead_locked(struct mheap *h, uintptr_t addr, size_t npages,
                            size_t *ret_nahead);

// hugepages_guess_locked returns how many of the regions that begin in [first,
// end), from the first on, are treated as if they were going to be touched.
// They are of a fresh large object of npages, which are already counted as in
// use. A region is a guess until it gives memory back, or until small objects
// get pages of it (hugepages_small_locked). Limit of all guesses: 1/8 of what
// small objects use, plus 1/4 of what large ones use, but at most 16 MiB of
// that; if large objects were seen to be touched (residency.h), instead up to
// 3/4 of what they use, but no more than was lately seen touched.
size_t hugepages_guess_locked(struct mheap *h, uintptr_t first, uintptr_t end,
                              size_t npages);
void hugepages_small_locked(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_large_locked notes that a large object got pages.
// hugepages_tells_locked says whether the time to release a range tells how
// much of it was touched: it was of large objects, and has no advice.
void hugepages_large_locked(struct mheap *h, uintptr_t addr, size_t npages);
bool hugepages_tells_locked(const struct mheap *h, uintptr_t addr,
                            size_t npages);

// hugepages_populate makes pages Ready, by huge pages in whole regions. It
// returns false if they may not be Ready. Without locks.
bool hugepages_populate(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_wish advises huge pages for a range that is not filled now: the
// kernel fills a region at its first touch. Without locks.
void hugepages_wish(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_are says whether any region of the range has the advice.
bool hugepages_are(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_grown is for a large object that realloc grew from old to npages
// pages: such an object is filled from its beginning, like a buffer. It advises
// huge pages for the new part if that could be guessed as well, or if the
// object is at least 8 MiB: the untouched part is then at most a quarter of it.
// Without locks.
void hugepages_grown(struct mheap *h, const struct mspan *s, size_t old,
                     size_t npages);

// hugepages_released_locked notes that pages were given back and returns the
// range for hugepages_forbid, which withdraws the advice, to be called without
// locks; nbytes is 0 if there is none.
struct hugepages_range {
    uintptr_t addr;
    size_t nbytes;
};
struct hugepages_range hugepages_released_locked(struct mheap *h,
                                                 uintptr_t addr, size_t npages);
void hugepages_forbid(struct hugepages_range range);

// hugepages_unmapped_locked is for pages that were unmapped or mapped anew:
// they have no advice, and their regions are no longer known to be touched.
void hugepages_unmapped_locked(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_moved_locked is for memory that mremap moved: it copies advice and
// guesses of its regions. The old place keeps its own until it is unmapped.
void hugepages_moved_locked(struct mheap *h, uintptr_t old, uintptr_t new,
                            size_t npages);

// hugepages_recount_locked counts guesses and withdrawn advice anew from the
// regions' bits.
void hugepages_recount_locked(struct mheap *h);

#endif // MOUND_HEAP_HUGEPAGES_H
