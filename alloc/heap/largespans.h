// largespans.h: spans of one object above the last class. large.h moves them.
//
// All calls are without locks.
#ifndef MOUND_HEAP_LARGESPANS_H
#define MOUND_HEAP_LARGESPANS_H

#include "heap/mheap.h"

// mheap_alloc_large returns a span of one object of npages, aligned to align
// pages (a power of two), counted as a malloc; or NULL. may_reserve says whether
// the heap may get address space of the system for it.
struct mspan *mheap_alloc_large(struct mheap *h, size_t npages, size_t align,
                                bool may_reserve);

// mheap_alloc_large_moved is the same for an object that is about to be moved
// there with the memory of its nmoved pages.
struct mspan *mheap_alloc_large_moved(struct mheap *h, size_t npages,
                                      size_t nmoved);

// mheap_free_large gives a large object back. It returns false, with nothing
// changed, if s is not a live large span that begins at addr (a double free
// that lost a race, say). scavenged says that it has no memory.
// *ret_sample, unless NULL, is prof/'s record of the object.
bool mheap_free_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      bool scavenged, void **ret_sample);

// mheap_keep_large makes a large object one that was freed and is kept, for a
// quarantine. It returns false, with nothing changed, where mheap_free_large would.
bool mheap_keep_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      void **ret_sample);

// mheap_free_kept gives back a large object that a thread's cache or a quarantine
// kept.
void mheap_free_kept(struct mheap *h, struct mspan *s, bool scavenged);

// mheap_abandon_large takes back a large object that was never handed out, and
// the malloc counted for it.
void mheap_abandon_large(struct mheap *h, struct mspan *s);

// mheap_lose_large is the same for one whose pages are not the heap's any more.
void mheap_lose_large(struct mheap *h, struct mspan *s);

// mheap_resize_large grows or shrinks a large object where it is. It returns
// false, with nothing changed, when the pages behind it are taken.
bool mheap_resize_large(struct mheap *h, struct mspan *s, size_t npages);

#endif // MOUND_HEAP_LARGESPANS_H
