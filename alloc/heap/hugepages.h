// hugepages.h: where the heap uses transparent huge pages: one region of 2 MiB,
// aligned to its size, at a time.
//
// A region is filled when the heap takes its first page from the system while it
// grows by spans of small objects: the whole of it is made Ready by one page
// fault. Of large objects it is not known how much will be touched: the first pages of
// some are treated alike, as far as hugepages_guess_locked allows.
// A region that gives pages back loses the advice, or the kernel would fill it
// again behind our back (khugepaged does that to any region with the advice that
// has one page left).
#ifndef MOUND_HEAP_HUGEPAGES_H
#define MOUND_HEAP_HUGEPAGES_H

#include "heap/mheap.h"

enum { HUGE_BYTES = 2 << 20, REGION_PAGES = HUGE_BYTES / PAGE_SIZE };

// hugepages_init decides by the option and by the setting of the system. Once,
// before the heap is in use. Reads a file.
void hugepages_init(struct mheap *h, enum thp_mode mode);

// hugepages_growing_locked says whether the heap grows by whole regions now.
bool hugepages_growing_locked(const struct mheap *h);

// hugepages_ahead_locked says whether the run [addr, addr + npages), which is
// allocated and has no memory, begins a region that is to be filled. It takes
// the free pages behind it up to the end of the region, and tells how many those
// are: they are to be freed again once they are filled. false: it took none.
bool hugepages_ahead_locked(struct mheap *h, uintptr_t addr, size_t npages,
                            size_t *ret_nahead);

// hugepages_guess_locked returns how many of the regions that begin in [first, end)
// are to be treated as if all of them were going to be touched, from the first on. They
// are of a fresh large object of npages, which are counted as in use already. A region
// is one of a guess until it gives memory back, or small objects get pages of it:
// hugepages_small_locked. So much memory is in such regions at most: 1/8 of what small
// objects take, and a quarter of what large ones do, of that up to 16 MiB; or three
// quarters of it, where large objects were seen to be touched (residency.h), but no more
// than was seen lately.
size_t hugepages_guess_locked(struct mheap *h, uintptr_t first, uintptr_t end,
                              size_t npages);
void hugepages_small_locked(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_large_locked notes that a large object got pages. hugepages_tells_locked says
// whether the time that it takes to give a range back tells what of such objects was
// touched: it was of large objects, and has no advice.
void hugepages_large_locked(struct mheap *h, uintptr_t addr, size_t npages);
bool hugepages_tells_locked(const struct mheap *h, uintptr_t addr,
                            size_t npages);

// hugepages_populate makes pages Ready, by huge pages where whole regions are in
// the range. It returns false if they are not known to be Ready. Without locks.
bool hugepages_populate(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_wish advises huge pages for a range that is not filled now: the
// kernel fills a region at its first touch. Without locks.
void hugepages_wish(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_are says whether a region of those that a range lies in has the advice.
bool hugepages_are(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_grown is for a large object of npages that had only old: realloc says
// that it is filled from its beginning, as a buffer that is written or read into.
// Huge pages are wished for in what it grew by, if that could be guessed as well, or
// is 8 MiB with the rest: then what is not touched is at most a quarter of it. Without
// locks.
void hugepages_grown(struct mheap *h, const struct mspan *s, size_t old,
                     size_t npages);

// hugepages_released_locked notes that pages were given back and returns the
// range whose advice is to be taken back by hugepages_forbid, without locks; of
// no pages if there is none.
struct hugepages_range {
    uintptr_t addr;
    size_t nbytes;
};
struct hugepages_range hugepages_released_locked(struct mheap *h,
                                                 uintptr_t addr, size_t npages);
void hugepages_forbid(struct hugepages_range range);

// hugepages_unmapped_locked is for pages that are the heap's no more, or were mapped
// anew: no advice holds there, and of the regions that they were in not all may be
// touched.
void hugepages_unmapped_locked(struct mheap *h, uintptr_t addr, size_t npages);

// hugepages_moved_locked is for memory that mremap moved: the advice and the guesses of
// its regions go with it. What is known of the old place stays until that is unmapped.
void hugepages_moved_locked(struct mheap *h, uintptr_t old, uintptr_t new,
                            size_t npages);

// hugepages_recount_locked counts guesses and advice that was taken back anew, from the
// bits of the regions.
void hugepages_recount_locked(struct mheap *h);

#endif // MOUND_HEAP_HUGEPAGES_H
