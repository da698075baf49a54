// keptspans.h: dead spans. Some are kept whole, with their pages, for the next
// span of the same length: a buffer that is allocated and freed in turns, or a
// class that needs one span at a time, then saves two updates of the page
// bitmaps. Of the others, the pages go to the page allocator and the records to
// the free records.
//
// Kept pages count as idle. No memory is touched for the first time while kept
// pages could serve (run.c), and a tick of the scavenger drops them.
#ifndef MOUND_HEAP_KEPTSPANS_H
#define MOUND_HEAP_KEPTSPANS_H

#include "heap/mheap.h"

// keptspans_retire_locked takes a span whose state is MSPAN_DEAD: it keeps the
// span, or frees its pages and its record. It says whether it kept it.
// scavenged says that the pages have no memory. The caller must not use s
// afterwards.
bool keptspans_retire_locked(struct mheap *h, struct mspan *s, bool scavenged);

// keptspans_use_locked returns the newest kept span of npages if it has bits
// for nelems slots, or NULL. A former large object serves large objects only
// (large): see firstpages.h.
struct mspan *keptspans_use_locked(struct mheap *h, size_t npages,
                                   unsigned nelems, bool large);

// keptspans_drop_locked frees the pages of up to 256 kept spans, except the
// first pages of large objects, and says whether there were any.
// mheap_drop_kept does so without the lock held.
bool keptspans_drop_locked(struct mheap *h);
bool mheap_drop_kept(struct mheap *h);

// keptspans_drop_held_locked drops the held first pages, too. mheap_drop_held
// does so with all kept spans, 256 for each time it takes the lock.
bool keptspans_drop_held_locked(struct mheap *h);
void mheap_drop_held(struct mheap *h);

// keptspans_have_locked says whether addr is in a page of a kept span.
bool keptspans_have_locked(const struct mheap *h, uintptr_t addr);

#endif // MOUND_HEAP_KEPTSPANS_H
