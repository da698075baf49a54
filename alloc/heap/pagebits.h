// pagebits.h: the state of each page of the heap: two bits, free and scavenged,
// in the chunks of arenas, and the summaries above them (pagealloc.h has the
// picture). pagealloc.h finds runs in them.
//
//   free  scavenged
//    0       0       in use
//    1       0       free, with memory ("backed")
//    1       1       free, and reads as zero
//
// All calls need mheap.lock.
#ifndef MOUND_HEAP_PAGEBITS_H
#define MOUND_HEAP_PAGEBITS_H

#include "base/persistentalloc.h"
#include "heap/pagetree.h"

// Up to this many arenas, 2 GiB, are searched one by one: most processes need
// no tree.
enum { FEW_ARENAS = 8 };

// struct pagealloc is the pages of a heap, for pagebits and pagealloc: all zero but for
// pagealloc_init.
struct pagealloc {
    struct pagemap *map;
    struct persistent *source;
    struct arena **arenas; // ours, by address
    size_t narenas;
    size_t arenas_cap;
    struct pagetree tree;       // of heaps of many arenas
    uint64_t nfree;             // free pages, backed or not
    uint32_t now;               // the time that chunks are marked with
    uint64_t nbacked;           // those with memory
    _Atomic uint64_t sys_bytes; // of arenas, of the array of them, of the tree
    _Atomic uint64_t arena_bytes; // of arenas
};

// struct pagepart is the part of a page range that lies in one chunk.
struct pagepart {
    struct arena *a;
    unsigned chunk;
    unsigned page; // in the chunk
    unsigned n;    // pages
};

// pagepart_at returns the part that begins at addr, of at most npages; a is NULL where
// no arena is.
static inline struct pagepart pagepart_at(const struct pagealloc *pa,
                                          uintptr_t addr, size_t npages) {
    size_t page = arena_page(addr);
    unsigned in_chunk = (unsigned)(page % CHUNK_PAGES);
    return (struct pagepart){
        .a = pagemap_arena(pa->map, addr),
        .chunk = (unsigned)(page / CHUNK_PAGES),
        .page = in_chunk,
        .n = (unsigned)min_size(npages, CHUNK_PAGES - in_chunk),
    };
}

// pagebits_take marks a run of free pages allocated and returns how many of them were
// scavenged.
size_t pagebits_take(struct pagealloc *pa, uintptr_t addr, size_t npages);

// pagealloc_free frees pages; scavenged says that they have no memory. New
// address space is added by it as well.
void pagealloc_free(struct pagealloc *pa, uintptr_t addr, size_t npages,
                    bool scavenged);

// pagealloc_backed_bits writes which pages of a chunk are free and have memory.
static inline void pagealloc_backed_bits(const struct arena *a, unsigned chunk,
                                         uint64_t ret[CHUNK_WORDS]) {
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        ret[w] = a->chunks[chunk].free[w] & ~a->chunks[chunk].scavenged[w];
}

// pagealloc_backed_known is called after those bits were searched: it corrects
// the summaries' bound of the longest run, which may be too high.
void pagealloc_backed_known(struct pagealloc *pa, struct arena *a,
                            unsigned chunk, const uint64_t bits[CHUNK_WORDS]);

// pagealloc_rebuild computes summaries and counters anew from the bits.
void pagealloc_rebuild(struct pagealloc *pa);

// pagealloc_verify returns the number of contradictions between bits, sums and
// counters.
unsigned pagealloc_verify(const struct pagealloc *pa);

#endif // MOUND_HEAP_PAGEBITS_H
