// pagecursor.h: the scavenger's search for free pages with memory: downwards
// through all chunks from its last position, skipping those without a long
// enough run by their summaries. All calls need mheap.lock.
#ifndef MOUND_HEAP_PAGECURSOR_H
#define MOUND_HEAP_PAGECURSOR_H

#include "heap/pagealloc.h"

// struct pagecursor is how far down it has come: the chunks of the lowest narenas
// arenas are left, and of the last of these the lowest nchunks. All zero: at the end.
struct pagecursor {
    size_t narenas;
    unsigned nchunks;
};

// pagecursor_age returns the time now_ns in the unit of pagealloc.now, 50 ms.
enum { PAGECURSOR_AGE_NS = 50 * 1000 * 1000 };
static inline uint32_t pagecursor_age(uint64_t now_ns) {
    return (uint32_t)(now_ns / PAGECURSOR_AGE_NS);
}

// pagecursor_to_top restarts the search at the top.
void pagecursor_to_top(struct pagecursor *c, const struct pagealloc *pa);

// pagecursor_take allocates a run of free backed pages for the scavenger, which
// will free it as scavenged: the highest run at or below the cursor of min to
// most pages (min rounded up to align) that begins and ends at multiples of
// align, in a chunk from which no page was taken since now - age. It returns 0
// when the cursor reached the end, or when *steps, decremented for each arena,
// group or chunk, is 0.
uintptr_t pagecursor_take(struct pagecursor *c, struct pagealloc *pa,
                          size_t align, size_t min, size_t most, int32_t age,
                          unsigned *steps, size_t *ret_npages);

// pagecursor_spare excludes the chunk at addr from the search for some time, in
// the unit of pagealloc.now.
void pagecursor_spare(struct pagealloc *pa, uintptr_t addr, uint32_t age);

#endif // MOUND_HEAP_PAGECURSOR_H
