// memlimit.h: a soft limit on the memory of a heap, as Go's GOMEMLIMIT
// (MOUND_MEMLIMIT). From 90 % of it on nothing is populated ahead, no freed span is kept
// for later, and free pages go back at once that would make it more than 95 %: what a
// program at its limit frees and takes in turn stays. Above it allocation goes on; how
// often the heap came there is counted.
//
// What counts is what a heap has of the system: pages in spans, free ones with memory,
// and records. The tenth is for what is not seen here: stacks, code, mappings of the
// program's own.
//
// What is given back at the limit may have to be taken again at once. So at most half
// of the time goes into both, as in Go's collector at its limit: see
// memlimit_may_spend. After that the heap keeps what it has, and may grow.
#ifndef MOUND_HEAP_MEMLIMIT_H
#define MOUND_HEAP_MEMLIMIT_H

#include "heap/mheap.h"

// memlimit_set sets it, before the heap is in use. 0: none.
void memlimit_set(struct mheap *h, uint64_t nbytes);

// memlimit_watch has changed called after pages came or went, and now, with the lock.
void memlimit_watch(struct mheap *h, void (*changed)(struct mheap *h));

// memlimit_note_locked counts, after pages came or went, and tells who watches.
void memlimit_note_locked(struct mheap *h);

// memlimit_near_locked says whether the heap is above 90 % of the limit.
bool memlimit_near_locked(const struct mheap *h);

// memlimit_above_locked says whether it is above so many percent of it.
bool memlimit_above_locked(const struct mheap *h, unsigned percent);

// memlimit_idle_locked returns how many pages in no use may be kept near the limit.
size_t memlimit_idle_locked(const struct mheap *h);

// memlimit_has_room_locked says whether so many pages may be filled of which it is not
// known that they will be used: not near the limit, nor where they are more than 1/32
// of it. (Huge pages: not below 64 MiB, where a program of 16 MiB had 2 of 4 too many.)
bool memlimit_has_room_locked(const struct mheap *h, size_t npages);

// memlimit_may_spend says whether more time may go into returning memory;
// memlimit_spent adds what did, for so many pages: also what it takes to touch them
// again. Any thread.
bool memlimit_may_spend(struct mheap *h);
void memlimit_spent(struct mheap *h, uint64_t ticks, size_t npages);

#endif // MOUND_HEAP_MEMLIMIT_H
