// largecache.h: large objects that a thread freed, kept for its next requests
// of the same number of pages: struct largecache of its mcache. Without locks,
// except when one is evicted.
#ifndef MOUND_HEAP_LARGECACHE_H
#define MOUND_HEAP_LARGECACHE_H

#include "heap/mcache.h"

struct mheap;
struct mspan;

// largecache_keep takes the freed object of a large span, or returns false: one
// of that many pages is kept already, the budget has no room, or another thread
// frees it at the same time. An object of another size in the same place is
// evicted: it was not requested since it was kept.
bool largecache_keep(struct mcache *c, struct mheap *h, struct mspan *s);

// largecache_use returns a kept span of npages as a live object, not known to
// be zero, or NULL. largecache_has says whether there is one.
struct mspan *largecache_use(struct mcache *c, size_t npages);
bool largecache_has(const struct mcache *c, size_t npages);

// largecache_drop gives all of them back, and their share of the budget.
// largecache_trim does so if no request was served since its last call.
void largecache_drop(struct mcache *c, struct mheap *h);
void largecache_trim(struct mcache *c, struct mheap *h);

// largecache_end adds the counts of a cache that ends to those of the heap.
void largecache_end(struct mcache *c, struct mheap *h);

#endif // MOUND_HEAP_LARGECACHE_H
