// growth.h: the address space of a heap: reserved in pieces, committed in steps, and
// given back at an address space limit.
//
//   [ in use and free pages | reserved, not committed ]
//                           ^ reserved_next           ^ reserved_end
//
// Committed pages go to the page allocator, free and without memory: growth
// makes pages available and allocates none.
#ifndef MOUND_HEAP_GROWTH_H
#define MOUND_HEAP_GROWTH_H

#include "heap/mheap.h"

// growth_may_serve_locked says whether the heap may ever find npages: at most
// what it has; with an address space limit, at most the limit, because such a
// heap unmaps pages to make room.
bool growth_may_serve_locked(const struct mheap *h, size_t npages);

// mheap_may_find is the same without the lock. If it is false, emptying caches
// and stores would be in vain.
bool mheap_may_find(struct mheap *h, size_t npages);

// growth_commit_locked makes at least npages free in one run, which may begin
// with free pages before the committed end. may_reserve: it may reserve a new
// piece of address space. It returns false when the system refuses. Both system
// calls are made under the lock: otherwise every thread that finds no page
// would grow the heap.
bool growth_commit_locked(struct mheap *h, size_t npages, bool may_reserve);

// growth_extend_locked makes the npages from end on free, if all pages from
// there to the committed end are free without memory and the reservation has
// the rest. It returns false, with nothing changed, if not.
bool growth_extend_locked(struct mheap *h, uintptr_t end, size_t npages);

// growth_give_back_locked unmaps all free runs of 64 KiB or more, for a request
// that found neither a run nor address space below a limit: pieces of the heap
// that are not adjacent cannot serve it. It returns false if there were none.
// It releases the lock during each munmap. Cost: one system call for each run.
bool growth_give_back_locked(struct mheap *h);

#endif // MOUND_HEAP_GROWTH_H
