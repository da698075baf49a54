// duemalloc.h: mallocs that take the slow path although their magazine holds a
// slot. To make the n-th malloc of a class from now on due, the magazine's
// count is set to -n: hits increment it anyway and check for 0 (mcache_alloc).
// There are four reasons: samples of the heap profile, samples of sizes, checks
// of frees, and the scavenger.
#ifndef MOUND_HEAP_DUEMALLOC_H
#define MOUND_HEAP_DUEMALLOC_H

#include "heap/mcache.h"

struct mheap;

// duemalloc_after makes the n-th malloc of a class from now on due; n is at
// least 1. The count becomes -n; so that the class's number of mallocs does not
// change, nretired' = nretired + count + n, modulo 2^64 (heapstats.h). Caller
// is the owner, in a slow path.
void duemalloc_after(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     uint64_t n);
enum { DUEMALLOC_NEVER_LOG2 = 62 }; // as n: never again

// duemalloc_arm makes the 64th malloc due in each used class if there is memory
// to return: a program that never misses would never run the scavenger.
// duemalloc_arm_first does it for a class that gets its first magazine later.
void duemalloc_arm(struct mcache *c, struct mheap *h);
void duemalloc_arm_first(struct mcache *c, struct mheap *h, unsigned sizeclass);

// duemalloc_come_by is called for a due malloc when no profile is taken. It
// returns whether to call the scavenger; if so, it makes the next malloc due
// after 64 hits, or 16 while a walk over holes is in progress. If not, and
// otherwise at every 64th slow path, the next free of the class is checked.
bool duemalloc_come_by(struct mcache *c, struct mheap *h, unsigned sizeclass);

#endif // MOUND_HEAP_DUEMALLOC_H
