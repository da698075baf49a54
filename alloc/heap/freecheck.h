// freecheck.h: which frees are checked for a live slot, and the check. Hits do
// not read the free bit of the slot, so without checks a double free is seen
// only when the magazine's slots return to their spans.
//
// The first CHECKED_FREES frees of a process are checked. After that, each
// class of each thread checks the free after every n-th malloc (by way of
// duemalloc_come_by): n is 1 at first and doubles, up to CHECK_MOST, after
// every 16 checks in the process. A free that finds its magazine full is
// checked if its slow path is the thread's 16th, 32nd, ...; a free of a class
// without a magazine is always checked.
#ifndef MOUND_HEAP_FREECHECK_H
#define MOUND_HEAP_FREECHECK_H

#include "heap/mcache.h"

struct mheap;

enum { CHECKED_FREES = 128, CHECK_MOST = 4096 };

// freecheck_all says whether every free is still checked.
bool freecheck_all(const struct mheap *h);

// freecheck_after returns n: the n-th malloc of a class after a check makes the
// next free checked; 0: the next free is checked.
uint64_t freecheck_after(const struct mheap *h);

// freecheck_next makes the next free of a class a checked one.
void freecheck_next(struct mcache *c, unsigned sizeclass);

// freecheck_passes says whether p is a live slot of the class, as far as this
// thread can tell: the magazines of other threads are not searched. If so, it
// sets when the next check is. counting: no profile is taken, which would use
// the same counts. Takes the lock of the class; one step for each slot of the
// magazine.
bool freecheck_passes(struct mcache *c, struct mheap *h, unsigned sizeclass,
                      void *p, bool counting);

// freecheck_holds says whether p is one of the newest 16 slots of its magazine.
bool freecheck_holds(struct mcache *c, unsigned sizeclass, const void *p);

#endif // MOUND_HEAP_FREECHECK_H
