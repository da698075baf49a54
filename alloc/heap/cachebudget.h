// cachebudget.h: how much the caches may hold, each and all together.
//
//   all magazines of a thread   3.5 MiB, 2 MiB of it in slots of at most a page
//   with its large objects      4 MiB
//   all threads                 64 KiB of magazines each, and beyond those
//                               4 MiB and 1/8 of the heap in use
//
// What counts is capacity in bytes, not contents. Slots above a page may use
// what small slots and large objects leave: lists of 100 objects of 32 KiB fit
// as well as lists of small objects, within the same bound for a thread.
//
// So all caches together hold at most the sum above, with the heap in use when
// capacity was last granted; threads that sleep keep at most their share. The
// budget can be large because it does not raise the peak: when the heap is
// about to touch fresh memory, each thread gives back, of each class, the slots
// it has not used since it last did so (mcache_trim), and mheap takes back what
// the stores hold.
#ifndef MOUND_HEAP_CACHEBUDGET_H
#define MOUND_HEAP_CACHEBUDGET_H

#include "heap/mcache.h"

struct mheap;

// cachebudget_limit returns the bytes that all caches together may hold now.
uint64_t cachebudget_limit(const struct mheap *h, uint64_t nthreads);

// cachebudget_is_small says whether the slots of a class are at most a page.
// cachebudget_most returns how many bytes of capacity the magazines of a cache
// may have when that class grows.
bool cachebudget_is_small(unsigned sizeclass);
uint64_t cachebudget_most(const struct mcache *c, unsigned sizeclass);

// cachebudget_set changes the capacity of a cache's magazines to cap_bytes,
// cachebudget_set_large that of its large objects. They return false if the
// budget does not allow it (for magazines, at most `most`); a smaller capacity
// is always allowed. Without locks.
bool cachebudget_set(struct mcache *c, struct mheap *h, uint64_t cap_bytes,
                     uint64_t most);
bool cachebudget_set_large(struct mcache *c, struct mheap *h,
                           uint64_t cap_bytes);

// cachebudget_restore sets an earlier capacity again, whatever the budget says.
void cachebudget_restore(struct mcache *c, struct mheap *h, uint64_t cap_bytes);

// cachebudget_book_only counts the capacity of own alone, or none if NULL: in
// the child of a fork the other caches have no thread. cachebudget_unbook sets
// the capacity of such a cache to 0, before it is flushed.
void cachebudget_book_only(struct mheap *h, const struct mcache *own);
void cachebudget_unbook(struct mcache *c);

#endif // MOUND_HEAP_CACHEBUDGET_H
