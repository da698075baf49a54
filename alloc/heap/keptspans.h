// keptspans.h: dead spans. Some are kept whole, with their pages, for the next span of
// their length: a buffer that is made and dropped in turn, or a class that lives from
// one span to the next, then costs no two updates of the bitmaps. The pages of others
// go back to the page allocator, and their records to the free ones.
//
// Kept pages count as idle. No memory is touched for the first time while kept pages
// could serve (run.c), and a tick of the scavenger drops them.
#ifndef MOUND_HEAP_KEPTSPANS_H
#define MOUND_HEAP_KEPTSPANS_H

#include "heap/mheap.h"

// keptspans_retire_locked takes a span whose state is MSPAN_DEAD: keeps it, or gives
// its pages and its record back. It says whether it was kept. scavenged says that no
// memory stands behind the pages. The caller does not use s any more.
bool keptspans_retire_locked(struct mheap *h, struct mspan *s, bool scavenged);

// keptspans_use_locked returns the newest kept span of npages if it has bits for nelems
// slots, or NULL. What was a large object serves none but a large one (large): see
// firstpages.h.
struct mspan *keptspans_use_locked(struct mheap *h, size_t npages,
                                   unsigned nelems, bool large);

// keptspans_drop_locked gives the pages of up to 256 kept spans back to the page
// allocator, but for the first pages of large objects, and says whether there were any.
// mheap_drop_kept is the same without the lock.
bool keptspans_drop_locked(struct mheap *h);
bool mheap_drop_kept(struct mheap *h);

// keptspans_drop_held_locked drops first pages, too. mheap_drop_held does so with all
// that is kept, by 256 spans under one lock.
bool keptspans_drop_held_locked(struct mheap *h);
void mheap_drop_held(struct mheap *h);

// keptspans_have_locked says whether addr is in a page of a kept span.
bool keptspans_have_locked(const struct mheap *h, uintptr_t addr);

#endif // MOUND_HEAP_KEPTSPANS_H
