// growth.h: the address space of a heap: reserved in pieces, committed in steps,
// and at a limit given back.
//
//   [ in use and free pages | reserved, not committed ]
//                           ^ reserved_next           ^ reserved_end
//
// Committed pages are the page allocator's, free and without memory: growth makes
// pages, it hands out none.
#ifndef MOUND_HEAP_GROWTH_H
#define MOUND_HEAP_GROWTH_H

#include "heap/mheap.h"

// growth_may_serve_locked says whether npages can be had of what the heap has and may
// still get: at most what it has, or where the address space is limited, at most the
// limit, for such a heap gives addresses back to make room.
bool growth_may_serve_locked(const struct mheap *h, size_t npages);

// mheap_may_find is the same, without the lock: for a request that is larger, caches
// and stores are not emptied in vain.
bool mheap_may_find(struct mheap *h, size_t npages);

// growth_commit_locked makes at least npages free in one run, which may begin with free
// pages just before the committed end. may_reserve: also by a new piece of address
// space. It returns false when the system refuses. Both system calls are made under
// the lock: else every thread that finds no page would grow the heap.
bool growth_commit_locked(struct mheap *h, size_t npages, bool may_reserve);

// growth_extend_locked makes the npages from end on free, if all from there to the
// committed end are free without memory and the reservation has the rest. It returns
// false, with nothing changed, if not.
bool growth_extend_locked(struct mheap *h, uintptr_t end, size_t npages);

// growth_give_back_locked unmaps all free runs of 64 KiB or more, for a request that
// found no run and no address space at a limit: pieces of the heap that do not lie side
// by side cannot serve it. It returns false if there were none. It lets go of the lock
// during each munmap. Cost: one system call a run.
bool growth_give_back_locked(struct mheap *h);

#endif // MOUND_HEAP_GROWTH_H
