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

// large_move gives the object in s new pages, at least npages, and frees s. It
// moves the memory by mremap if large_moves, else it copies. It returns the new
// span, or NULL with nothing changed: no memory, the system cannot move it, or
// there are so many moved objects that they could use up the kernel's mappings
// of this process (vm.max_map_count, 65 530; see large_moves_max).
struct mspan *large_move(struct mheap *h, struct mspan *s, size_t npages);

// large_move_kept does the same but keeps s (mheap_keep_large). *ret_kept says
// whether s was live.
struct mspan *large_move_kept(struct mheap *h, struct mspan *s, size_t npages,
                              bool *ret_kept);

// A moved object is a mapping of its own, between two others: half of the
// kernel's mappings may be used for such (MHEAP_MOVED_MAX). When there are many
// (large_is_crowding), large_renew maps the place of a freed one anew before it
// is freed. Before that, renewing would only discard memory that may be reused.
//
// A mapping costs as much for a small object as for one whose copy takes a
// second. So objects below 1 MiB may use a quarter of the places; of the rest,
// those of 1 MiB may use one half, of 2 MiB 3/4, and so on.
static inline uint32_t large_moves_max(size_t npages) {
    enum { MIB_PAGES = (1 << 20) / PAGE_SIZE, SMALL = MHEAP_MOVED_MAX / 4 };
    return MHEAP_MOVED_MAX -
           ((MHEAP_MOVED_MAX - SMALL) >> ceil_log2(npages / MIB_PAGES + 1));
}

static inline bool large_is_crowding(const struct mheap *h,
                                     const struct mspan *s) {
    return s->moved && mheap_is_crowded(h);
}

// large_renew frees a moved object and maps its place anew. It returns false,
// with nothing changed, if the object is not live. ret_sample is as in
// mheap_free_large. Without locks.
bool large_renew(struct mheap *h, struct mspan *s, uintptr_t addr,
                 void **ret_sample);

#endif // MOUND_HEAP_LARGE_H
