// pagealloc.h: which pages are free. Address-ordered first fit over bitmaps and
// a tree of summaries, after Go 1.19 runtime/mpagealloc.go.
//
//   tree                   2 GiB to the whole address space: pagetree.h
//     arenas, by address    256 MiB each, one summary each
//       groups               32 MiB, 8 summaries an arena
//         chunks              4 MiB, 8 summaries a group
//           bits              8 KiB, 8 words a chunk
//
// Go's tree covers the whole address space from the start and reserves 600 MiB
// for its summaries. Here the levels below 256 MiB exist only for the heap's
// arenas, and those above only in heaps of more than 2 GiB. A search reads 8
// summaries of each level and 8 words, whatever the size of the heap and the
// number of free runs. Merging is implicit: nothing is stored in free pages.
//
// All calls need mheap.lock.
#ifndef MOUND_HEAP_PAGEALLOC_H
#define MOUND_HEAP_PAGEALLOC_H

#include "heap/pagebits.h"

void pagealloc_init(struct pagealloc *pa, struct pagemap *map,
                    struct persistent *source);

// pagealloc_cover makes metadata for [addr, addr + nbytes). It returns false,
// with nothing lost, when there is no memory for it.
bool pagealloc_cover(struct pagealloc *pa, uintptr_t addr, size_t nbytes);

// pagealloc_alloc takes the lowest run of npages free pages aligned to align
// pages (a power of two), and returns its address, or 0. *ret_nscavenged is how
// many of them have no memory and read as zero.
uintptr_t pagealloc_alloc(struct pagealloc *pa, size_t npages, size_t align,
                          size_t *ret_nscavenged);

// pagealloc_alloc_at takes the pages from addr on if all npages are free.
bool pagealloc_alloc_at(struct pagealloc *pa, uintptr_t addr, size_t npages,
                        size_t *ret_nscavenged);

// pagealloc_alloc_backed takes a run of npages free pages with memory, at most
// a chunk, the lowest in the first nchunks chunks that may have one. It returns
// 0 if it found none. A chunk searched in vain is skipped until pages with
// memory are freed there.
uintptr_t pagealloc_alloc_backed(struct pagealloc *pa, size_t npages,
                                 unsigned nchunks);

// pagealloc_take_run allocates the lowest whole run of free pages at or above
// from that has at least min of them. Returns its address, 0 if there is none.
uintptr_t pagealloc_take_run(struct pagealloc *pa, uintptr_t from, size_t min,
                             size_t *ret_npages);

// pagealloc_unbacked_run returns how many pages from addr on are free without
// memory, at most `most`.
size_t pagealloc_unbacked_run(struct pagealloc *pa, uintptr_t addr,
                              size_t most);

// pagealloc_backed_most returns an upper bound for runs of free pages with
// memory within a chunk.
uint32_t pagealloc_backed_most(const struct pagealloc *pa);

// pagealloc_arena_from returns the lowest arena that ends above addr, or NULL.
struct arena *pagealloc_arena_from(const struct pagealloc *pa, uintptr_t addr);

// pagealloc_is_free says whether the page at addr is free.
bool pagealloc_is_free(const struct pagealloc *pa, uintptr_t addr);

#endif // MOUND_HEAP_PAGEALLOC_H
