// pagetree.h: the summaries above the arenas', for a heap with many arenas:
// which arena has a long enough run of free pages.
//
//   level 0    an entry for each arena that can be, 256 MiB
//   level k    an entry for 8 of level k - 1: 2 GiB, 16 GiB, ...
//   level 5    16 entries, 8 TiB each: where a search begins (32 on aarch64)
//
// It is Go's tree of summaries with 8 entries a node, indexed by address: a search
// reads one node of each level, whatever the size of the heap. 10 MiB of addresses, of
// which a heap touches a page or two for each level. All calls need mheap.lock.
#ifndef MOUND_HEAP_PAGETREE_H
#define MOUND_HEAP_PAGETREE_H

#include "heap/pagemap.h"

// struct pagetree: all zero is none; see pagetree_start.
struct pagetree {
    struct palloc_sum *sums; // level by level, the highest first
};

// pagetree_start makes a tree in which nothing is free, and returns its bytes, or 0 if
// there is no memory.
size_t pagetree_start(struct pagetree *t);

static inline bool pagetree_is(const struct pagetree *t) {
    return t->sums != NULL;
}

// pagetree_set sets the summary of the arena at base. anew: recompute
// everything above it, after a half-made change.
void pagetree_set(struct pagetree *t, uintptr_t base, struct palloc_sum sum,
                  bool anew);

// pagetree_find finds the lowest run of npages free pages: PALLOC_FOUND, it begins at
// *ret_addr; PALLOC_INSIDE, it is in the arena there.
enum palloc_found pagetree_find(const struct pagetree *t, size_t npages,
                                uintptr_t *ret_addr);

// pagetree_backed_from returns the lowest arena at or above base that may have a run
// of npages with memory (palloc_sum.backed), or 0.
uintptr_t pagetree_backed_from(const struct pagetree *t, uintptr_t base,
                               size_t npages);

// pagetree_backed_most returns the highest such bound of all.
uint32_t pagetree_backed_most(const struct pagetree *t);

// pagetree_verify returns the number of contradictions in and above the entry of an
// arena whose summary is sum.
unsigned pagetree_verify(const struct pagetree *t, uintptr_t base,
                         struct palloc_sum sum);

#endif // MOUND_HEAP_PAGETREE_H
