// memlimit.h: a soft limit on the memory of a heap, like Go's GOMEMLIMIT
// (MOUND_MEMLIMIT). From 90 % of the limit on, nothing is populated ahead and
// no freed span is kept; free pages that would make it more than 95 % are
// released at once. The 5 % between keep what a program at its limit frees and
// allocates in turns. Above the limit, allocation continues; each time the heap
// exceeds it is counted.
//
// What counts is the heap's memory: pages in spans, free pages with memory, and
// records. The 10 % are for what the heap does not know: stacks, code, and the
// program's own mappings.
//
// Memory released at the limit may be needed again at once. So releasing and
// touching it again may take at most half of the time, as in Go's collector at
// its limit (memlimit_may_spend). Beyond that, the heap keeps its memory and
// may grow.
#ifndef MOUND_HEAP_MEMLIMIT_H
#define MOUND_HEAP_MEMLIMIT_H

#include "heap/mheap.h"

// memlimit_set sets it, before the heap is in use. 0: none.
void memlimit_set(struct mheap *h, uint64_t nbytes);

// memlimit_watch sets a function that is called now and whenever pages came or
// went, with the lock held.
void memlimit_watch(struct mheap *h, void (*changed)(struct mheap *h));

// memlimit_note_locked updates the state after pages came or went, and calls
// that function.
void memlimit_note_locked(struct mheap *h);

// memlimit_near_locked says whether the heap is above 90 % of the limit.
bool memlimit_near_locked(const struct mheap *h);

// memlimit_above_locked says whether the heap is above percent % of the limit.
bool memlimit_above_locked(const struct mheap *h, unsigned percent);

// memlimit_idle_locked returns how many unused pages may be kept near the
// limit.
size_t memlimit_idle_locked(const struct mheap *h);

// memlimit_has_room_locked says whether npages may be filled that may stay
// unused: not near the limit, and not if they are more than 1/32 of it. (That
// excludes huge pages for limits below 64 MiB: of a program of 16 MiB, 2 of 4
// were unused.)
bool memlimit_has_room_locked(const struct mheap *h, size_t npages);

// memlimit_may_spend says whether more time may go into releasing memory.
// memlimit_spent adds the time that releasing npages took, and an estimate for
// touching them again. Any thread.
bool memlimit_may_spend(struct mheap *h);
void memlimit_spent(struct mheap *h, uint64_t ticks, size_t npages);

#endif // MOUND_HEAP_MEMLIMIT_H
