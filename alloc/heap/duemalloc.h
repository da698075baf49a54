// duemalloc.h: mallocs that go the slow way though their magazine holds a slot: the
// n-th of a class from now on is made due by setting the magazine's count to -n, for
// hits raise it anyway and see when it comes to 0 (mcache_alloc). Four things come so:
// samples of the heap profile, looks at sizes, checks of frees, and visits to the
// scavenger.
#ifndef MOUND_HEAP_DUEMALLOC_H
#define MOUND_HEAP_DUEMALLOC_H

#include "heap/mcache.h"

struct mheap;

// duemalloc_after makes the n-th malloc of a class from now on due; n is at
// least 1. The count becomes -n, and so that the mallocs of the class stay what they
// were, nretired' = nretired + count + n, modulo 2^64 (heapstats.h). Caller is the
// owner, in a slow path.
void duemalloc_after(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     uint64_t n);
enum { DUEMALLOC_NEVER_LOG2 = 62 }; // n for: not any more

// duemalloc_arm makes a malloc due in each class that was used, after 64 hits, if there
// is memory to be returned: a program that never misses would never come to the
// scavenger. duemalloc_arm_first does so for a class that gets its first magazine later.
void duemalloc_arm(struct mcache *c, struct mheap *h);
void duemalloc_arm_first(struct mcache *c, struct mheap *h, unsigned sizeclass);

// duemalloc_come_by is what a malloc that is due does if no profile is taken: it says
// whether it shall go to the scavenger, and makes another due if so: after 64 hits, or
// after 16 while a walk over holes is not at its end. If not, and of the others at every
// 64th slow path, the next free of the class is checked.
bool duemalloc_come_by(struct mcache *c, struct mheap *h, unsigned sizeclass);

#endif // MOUND_HEAP_DUEMALLOC_H
