// mcache_slow.h: the slow half of mcache.h: magazines that are dry or full, and caches
// that give back. See alloc/malloc.c for the tour.
#ifndef MOUND_HEAP_MCACHE_SLOW_H
#define MOUND_HEAP_MCACHE_SLOW_H

#include "heap/mcache.h"

struct mheap;

// mcache_refill is called when a magazine is dry: it brings slots from mcentral
// and returns one of them, counted, or NULL when there is no memory.
void *mcache_refill(struct mcache *c, struct mheap *h, unsigned sizeclass);

// mcache_overflow is called when mcache_free returned false. If this free is to be
// checked (freecheck.h), it is: p is no slot, or free already, or among those of the
// magazine: then it is reported, and nothing is changed. A magazine that is full gets
// room, mostly by giving its older half to mcentral. Then it keeps p. counting: no
// profile is taken.
void mcache_overflow(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     void *p, bool counting);

// mcache_trim gives back of each class what it holds beyond the mallocs since its last
// call, if the heap needed fresh memory since then: that shall serve others before more
// is touched. Large objects go if none was asked for. Cost: 8191 slots at most;
// the next call goes on.
void mcache_trim(struct mcache *c, struct mheap *h);

// mcache_flush gives every slot back to its span, where misuse is seen, and
// returns the arrays. The cache can go on afterwards. The caller is the owner.
void mcache_flush(struct mcache *c, struct mheap *h);

// mcache_end empties a cache whose owner ends, or is gone, and adds its counts to
// those of the classes. Its slots go to the transfer stores where there are some,
// for the next thread, and the small ones of its arrays stay with the record. Cost:
// of each class that was used two locks, or one more for each 32 slots that go to
// their spans; of the heap's three.
void mcache_end(struct mcache *c, struct mheap *h);

// mcache_abandon empties the magazine of a class that was being changed when its
// owner ceased to exist: its slots are leaked, which stay live objects, and its
// count goes to the class.
void mcache_abandon(struct mcache *c, struct mheap *h, unsigned sizeclass);

#endif // MOUND_HEAP_MCACHE_SLOW_H
