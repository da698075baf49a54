// mcache_slow.h: the slow half of mcache.h: empty and full magazines, and
// caches that give slots back. See alloc/malloc.c for the tour.
#ifndef MOUND_HEAP_MCACHE_SLOW_H
#define MOUND_HEAP_MCACHE_SLOW_H

#include "heap/mcache.h"

struct mheap;

// mcache_refill is called when a magazine is empty: it fetches slots from
// mcentral and returns one of them, counted, or NULL when there is no memory.
void *mcache_refill(struct mcache *c, struct mheap *h, unsigned sizeclass);

// mcache_overflow is called when mcache_free returned false. If this free is to
// be checked (freecheck.h) and p is no slot, is free, or is in the magazine, it
// reports that and changes nothing. A full magazine gets room, usually by
// giving its older half to mcentral. Then p is pushed. counting: no profile is
// taken.
void mcache_overflow(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     void *p, bool counting);

// mcache_trim, if the heap needed fresh memory since its last call, gives back
// of each class the slots beyond its mallocs since then, so that other threads
// use them before more memory is touched. It drops large objects if none was
// requested. Cost: at most 8191 slots; the next call continues.
void mcache_trim(struct mcache *c, struct mheap *h);

// mcache_flush gives every slot back to its span, where misuse is detected, and
// returns the arrays. The cache stays usable. The caller is the owner.
void mcache_flush(struct mcache *c, struct mheap *h);

// mcache_end empties a cache whose owner ends, or is gone, and adds its counts
// to those of the classes. Its slots go to existing transfer stores, for the
// next thread; small arrays stay with the record. Cost: two locks for each used
// class, and one more for each 32 slots that go to their spans; three locks of
// the heap.
void mcache_end(struct mcache *c, struct mheap *h);

// mcache_abandon empties the magazine of a class that was being changed when
// its owner ceased to exist (fork). Its slots leak: they count as live objects.
// Its count goes to the class.
void mcache_abandon(struct mcache *c, struct mheap *h, unsigned sizeclass);

#endif // MOUND_HEAP_MCACHE_SLOW_H
