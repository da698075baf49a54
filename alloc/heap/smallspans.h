// smallspans.h: makes pages into spans of a class. spanfree.h is the reverse.
#ifndef MOUND_HEAP_SMALLSPANS_H
#define MOUND_HEAP_SMALLSPANS_H

#include "heap/mheap.h"

// mheap_alloc_spans makes up to want spans of npages for a class and returns
// how many, 0 when there is no memory. They are in the caller's hands until
// mheap_publish_small. want is at most 256 KiB of pages. Without locks.
size_t mheap_alloc_spans(struct mheap *h, unsigned sizeclass, size_t npages,
                         size_t want, struct mspan **ret);

// mheap_publish_small makes a span visible to frees. Caller holds the class's
// lock.
void mheap_publish_small(struct mheap *h, struct mspan *s,
                         struct mcentral *home);

#endif // MOUND_HEAP_SMALLSPANS_H
