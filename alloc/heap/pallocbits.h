// pallocbits.h: the free pages of one chunk (512 pages, 4 MiB) as bits, and
// what summarises them. Pure functions. A set bit is a free page: the opposite
// of Go's, so that address space that is not ours (all zero) is never free.
#ifndef MOUND_HEAP_PALLOCBITS_H
#define MOUND_HEAP_PALLOCBITS_H

#include "base/bits.h"

enum {
    CHUNK_PAGES = 512,
    CHUNK_WORDS = CHUNK_PAGES / WORD_BITS,
};

// struct palloc_sum describes the free pages of a stretch of address space.
struct palloc_sum {
    uint32_t start; // free pages at its beginning
    uint32_t max;   // the longest run of free pages
    uint32_t end;   // free pages at its end
    // An upper bound of runs of free pages with memory within a chunk. It does
    // not follow from the bits of free pages; the caller sets it.
    uint32_t backed;
};

// pallocbits_summarize looks at one chunk; backed is 0. Cost: a few steps per word.
struct palloc_sum pallocbits_summarize(const uint64_t bits[CHUNK_WORDS]);

// pallocbits_find returns the first page of the lowest run of npages free
// pages in a chunk, or CHUNK_PAGES.
unsigned pallocbits_find(const uint64_t bits[CHUNK_WORDS], size_t npages);

// pallocbits_set and _clear change pages [page, page + npages) of a chunk.
void pallocbits_set(uint64_t bits[CHUNK_WORDS], unsigned page, unsigned npages);
void pallocbits_clear(uint64_t bits[CHUNK_WORDS], unsigned page,
                      unsigned npages);

// pallocbits_count returns how many pages of a range are set.
unsigned pallocbits_count(const uint64_t bits[CHUNK_WORDS], unsigned page,
                          unsigned npages);

// pallocbits_ones returns how many set pages follow each other from page on,
// looking at no more than most.
unsigned pallocbits_ones(const uint64_t bits[CHUNK_WORDS], unsigned page,
                         unsigned most);

// pallocbits_sum_set and _sum_clear return what sum becomes when pages
// [page, page + npages) were set, or cleared, that were not before; backed stays. Cost:
// a few steps, but that of pallocbits_summarize if the longest run was cut.
struct palloc_sum pallocbits_sum_set(const uint64_t bits[CHUNK_WORDS],
                                     struct palloc_sum sum, unsigned page,
                                     unsigned npages);
struct palloc_sum pallocbits_sum_clear(const uint64_t bits[CHUNK_WORDS],
                                       struct palloc_sum sum, unsigned page,
                                       unsigned npages);

// pallocbits_run_below finds the highest run of set pages below page limit, which may
// cut it, or returns false.
bool pallocbits_run_below(const uint64_t bits[CHUNK_WORDS], unsigned limit,
                          unsigned *ret_start, unsigned *ret_end);

// palloc_sum_merge joins the summaries of nparts adjacent stretches of unit
// pages.
struct palloc_sum palloc_sum_merge(const struct palloc_sum *parts,
                                   unsigned nparts, uint32_t unit);

static inline bool palloc_sum_equal(struct palloc_sum a, struct palloc_sum b) {
    return a.start == b.start && a.max == b.max && a.end == b.end &&
           a.backed == b.backed;
}

// palloc_sum_find looks for the lowest run of npages in such stretches.
// PALLOC_FOUND: it begins *ret_at pages after the beginning of the first.
// PALLOC_INSIDE: it is inside stretch *ret_at.
enum palloc_found { PALLOC_NONE, PALLOC_FOUND, PALLOC_INSIDE };
enum palloc_found palloc_sum_find(const struct palloc_sum *parts,
                                  unsigned nparts, uint32_t unit, size_t npages,
                                  size_t *ret_at);

#endif // MOUND_HEAP_PALLOCBITS_H
