// cachebudget.h: how much all caches together may hold, and of that each thread.
//
//   all magazines of a thread   3.5 MiB, of it 2 MiB in slots of at most a page
//   with its large objects      4 MiB
//   all threads                 64 KiB each of their own, for magazines, and beyond those
//                               4 MiB and 1/8 of the heap in use
//
// Capacity counts, in bytes of slots, not what is in it. Slots above a page may take what
// small ones and large objects leave: lists of 100 objects of 32 KiB fit as well as those
// of small ones, and a thread holds no more than would of small and large ones.
//
// So what all caches hold is bounded by the sum above, with the heap in use as it was when
// capacity was last granted; threads that sleep for ever keep at most theirs. The budget
// is ample because it does not make the peak higher: when the heap is about to touch
// fresh memory, each thread gives back of each class what it has not asked for since it
// last did so (mcache_trim), and mheap takes back what the stores hold.
#ifndef MOUND_HEAP_CACHEBUDGET_H
#define MOUND_HEAP_CACHEBUDGET_H

#include "heap/mcache.h"

struct mheap;

// cachebudget_limit returns the bytes that all caches together may hold now.
uint64_t cachebudget_limit(const struct mheap *h, uint64_t nthreads);

// cachebudget_is_small says whether slots of a class are of at most a page.
// cachebudget_most returns what the magazines of a cache may hold for that class to grow.
bool cachebudget_is_small(unsigned sizeclass);
uint64_t cachebudget_most(const struct mcache *c, unsigned sizeclass);

// cachebudget_set changes what the magazines of a cache may hold to cap_bytes, and
// cachebudget_set_large its large objects, if the budget allows, and for magazines most
// if it rises. Less is always allowed. Without locks.
bool cachebudget_set(struct mcache *c, struct mheap *h, uint64_t cap_bytes,
                     uint64_t most);
bool cachebudget_set_large(struct mcache *c, struct mheap *h,
                           uint64_t cap_bytes);

// cachebudget_restore sets what was granted before, whatever others were granted since.
void cachebudget_restore(struct mcache *c, struct mheap *h, uint64_t cap_bytes);

// cachebudget_book_only makes the budget count what own may hold, or nothing if NULL:
// what other caches were granted was their process's. cachebudget_unbook makes such a
// cache one of no capacity, before it is flushed.
void cachebudget_book_only(struct mheap *h, const struct mcache *own);
void cachebudget_unbook(struct mcache *c);

#endif // MOUND_HEAP_CACHEBUDGET_H
