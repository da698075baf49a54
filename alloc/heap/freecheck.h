// freecheck.h: which frees are checked for being one of a live slot, and the check. Hits
// do not look at the bit of what they push, so that a free of a free slot would go
// unseen until the magazine is taken apart.
//
// Checked are the first CHECKED_FREES frees of a process; then, of each class and thread,
// the next after so many mallocs as checks are apart (the malloc comes to
// duemalloc_come_by): 1 at first, and twice as many, up to CHECK_MOST, each time that 16
// more were checked in the process. A free that finds a magazine full is checked if its
// slow path is the thread's 16th, 32nd, ...; one of a class without a magazine always.
#ifndef MOUND_HEAP_FREECHECK_H
#define MOUND_HEAP_FREECHECK_H

#include "heap/mcache.h"

struct mheap;

enum { CHECKED_FREES = 128, CHECK_MOST = 4096 };

// freecheck_all says whether every free is checked still.
bool freecheck_all(const struct mheap *h);

// freecheck_after says which malloc of a class, from a check on, makes the next free
// one to be checked; 0: the next free is one.
uint64_t freecheck_after(const struct mheap *h);

// freecheck_next makes the next free of a class one to be checked.
void freecheck_next(struct mcache *c, unsigned sizeclass);

// freecheck_passes says whether p is a live slot of the class, as far as this thread can
// tell: that it is not in the magazine of another is not known. If so, it says when the
// next check is. counting: no profile is taken, which would count the same mallocs.
// Takes the lock of the class; one step for each slot of the magazine.
bool freecheck_passes(struct mcache *c, struct mheap *h, unsigned sizeclass,
                      void *p, bool counting);

// freecheck_holds says whether p is one of the newest 16 slots of its magazine.
bool freecheck_holds(struct mcache *c, unsigned sizeclass, const void *p);

#endif // MOUND_HEAP_FREECHECK_H
