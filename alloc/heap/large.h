// large.h: objects above the last size class: whole pages, a span each.
#ifndef MOUND_HEAP_LARGE_H
#define MOUND_HEAP_LARGE_H

#include "heap/mheap.h"

// large_pages returns the heap pages for size bytes, or 0 if that overflows.
static inline size_t large_pages(size_t size) {
    if (size > SIZE_MAX - PAGE_SIZE)
        return 0;
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

// large_realloc_moves says whether a large object of old_pages is worth moving
// by mremap, which costs some microseconds and a flush of the TLB.
static inline bool large_moves(size_t old_pages) {
    enum { MOVE_BYTES = 1 << 20 };
    return old_pages >= MOVE_BYTES / PAGE_SIZE;
}

// large_move gives the object in s new pages of at least npages, moving the
// memory of the old pages by mremap, and frees s. It returns the new span, or
// NULL with nothing changed: no memory, or the system cannot move.
struct mspan *large_move(struct mheap *h, struct mspan *s, size_t npages);

#endif // MOUND_HEAP_LARGE_H
