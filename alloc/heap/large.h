// large.h: objects above the last size class: whole pages, a span each.
#ifndef MOUND_HEAP_LARGE_H
#define MOUND_HEAP_LARGE_H

#include "heap/largespans.h"

// large_pages returns the heap pages for size bytes, or 0 if that overflows.
static inline size_t large_pages(size_t size) {
    if (size > SIZE_MAX - PAGE_SIZE)
        return 0;
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

// large_moves says whether a large object of old_pages is worth moving by mremap, which
// costs some microseconds and a flush of the TLB: from 1 MiB on, or from 256 KiB on if
// the copy would touch memory for the first time, which costs more than the copying.
static inline bool large_moves(size_t old_pages, bool fresh) {
    enum { MOVE_BYTES = 1 << 20, MOVE_FRESH_BYTES = 256 << 10 };
    return old_pages >= (fresh ? MOVE_FRESH_BYTES : MOVE_BYTES) / PAGE_SIZE;
}

// large_move gives the object in s new pages of at least npages, moving the memory of the
// old pages by mremap if large_moves, else copying it, and frees s. It returns the new
// span, or NULL with nothing changed: no memory, the system cannot move, or so much was
// moved already that the kernel's mappings of this process (vm.max_map_count, 65 530)
// might be used up by it: large_moves_max.
struct mspan *large_move(struct mheap *h, struct mspan *s, size_t npages);

// large_move_kept does so but for s, which is a kept object then (mheap_keep_large), if
// it was live.
struct mspan *large_move_kept(struct mheap *h, struct mspan *s, size_t npages,
                              bool *ret_kept);

// An object that was moved is a mapping of its own, between two others: half of
// the kernel's are for such (MHEAP_MOVED_MAX). Where there are many, the place of one
// that is freed is mapped anew, as large_is_crowding says, by large_renew before it is
// free. Until then that would only cost the memory behind it, which may be of use.
//
// A mapping costs as much for a small object as for one whose copy takes a second: those
// below 1 MiB may have a quarter of the places, and of the others those of 1 MiB one half,
// of 2 MiB 3/4, and so on.
static inline uint32_t large_moves_max(size_t npages) {
    enum { MIB_PAGES = (1 << 20) / PAGE_SIZE, SMALL = MHEAP_MOVED_MAX / 4 };
    return MHEAP_MOVED_MAX -
           ((MHEAP_MOVED_MAX - SMALL) >> ceil_log2(npages / MIB_PAGES + 1));
}

static inline bool large_is_crowding(const struct mheap *h,
                                     const struct mspan *s) {
    return s->moved && mheap_is_crowded(h);
}

// large_renew frees such an object, and returns false, with nothing changed, if it is
// not live. ret_sample is as in mheap_free_large. Without locks.
bool large_renew(struct mheap *h, struct mspan *s, uintptr_t addr,
                 void **ret_sample);

#endif // MOUND_HEAP_LARGE_H
