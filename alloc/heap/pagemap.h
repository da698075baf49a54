// pagemap.h: address -> class byte and span, for any 64-bit value.
//
// Address space is divided into arenas of 256 MiB. A table of 4 MiB, nearly all
// of it never touched, has an entry for every arena that can exist; with Go's
// arenas of 64 MiB it would be 16 MiB, which processes under RLIMIT_AS would
// miss. The metadata of an arena is mapped when its first page becomes ours,
// touched as its pages come into use, and stays.
//
//   addr = [ arena: 19 bits ][ page in arena: 15 bits ][ offset: 13 bits ]
#ifndef MOUND_HEAP_PAGEMAP_H
#define MOUND_HEAP_PAGEMAP_H

#include "heap/mspan.h"
#include "heap/pallocbits.h"

enum {
#if defined(__x86_64__)
    ADDR_BITS =
        47, // of user space; the kernel goes above only for a hint above
#else
    ADDR_BITS = 48,
#endif
    ARENA_SHIFT = 28,
    ARENA_PAGES = 1 << (ARENA_SHIFT - PAGE_SHIFT),
    ARENA_CHUNKS = ARENA_PAGES / CHUNK_PAGES,
    ARENA_REGIONS = 1 << (ARENA_SHIFT - 21),
    GROUP_CHUNKS = 8,
    ARENA_GROUPS = ARENA_CHUNKS / GROUP_CHUNKS,
    GROUP_PAGES = GROUP_CHUNKS * CHUNK_PAGES,
    PAGEMAP_ENTRIES = 1 << (ADDR_BITS - ARENA_SHIFT),
};
#define ARENA_BYTES ((size_t)1 << ARENA_SHIFT)

// struct arena is the metadata of one arena: 300 KiB of addresses, of which a
// small process touches five pages. Never freed.
//   (a) atomic, written under the class's lock or mheap.lock
//   (h) mheap.lock
struct arena {
    _Atomic uint8_t class_of_page[ARENA_PAGES];        // (a) 0: not small
    _Atomic(struct mspan *) span_of_page[ARENA_PAGES]; // (a) stale when free;
        // of a large span only the first page's
    // (h) The two words of a page lie near each other: a small process has one
    // chunk.
    struct {
        uint64_t free[CHUNK_WORDS];      // page is free
        uint64_t scavenged[CHUNK_WORDS]; // free and not backed
    } chunks[ARENA_CHUNKS];
    struct palloc_sum chunk_sums[ARENA_CHUNKS]; // (h)
    struct palloc_sum group_sums[ARENA_GROUPS]; // (h)
    struct palloc_sum sum;                      // (h)
    uint16_t nbacked[ARENA_CHUNKS]; // (h) free pages that are backed, by chunk
    uint32_t nbacked_total;         // (h)
    uint32_t taken[ARENA_CHUNKS];   // (h) pagealloc.now when last taken from
    // (h) What hugepages.c last advised for each region of 2 MiB: huge pages,
    // or none; neither bit: nothing.
    uint64_t huge[ARENA_REGIONS / WORD_BITS];
    uint64_t forbidden[ARENA_REGIONS / WORD_BITS];
    // (h) Regions that large objects got pages of, and small ones none since.
    uint64_t large[ARENA_REGIONS / WORD_BITS];
    uint64_t
        guessed[ARENA_REGIONS / WORD_BITS]; // (h) see hugepages_guess_locked
    uintptr_t base;                         // constant
};

// struct pagemap: entry i is the distance in bytes from pagemap_none to the
// arena, so that an entry of zero leads to an arena without pages and a lookup
// needs no test for it.
struct pagemap {
    _Atomic uintptr_t arenas[PAGEMAP_ENTRIES]; // (a) zero, then set for good
};

// All zero, never written. Not const: 32 KiB of zeros would be read from the file.
extern uint8_t pagemap_none[ARENA_PAGES] HIDDEN;

// pagemap_in_range says whether an address can be ours at all.
ALWAYS_INLINE bool pagemap_in_range(uintptr_t addr) {
    return addr >> ADDR_BITS == 0;
}

// pagemap_slot_arena returns the arena of addr if a slot can be there: in
// range, and aligned to MIN_ALIGN; else PAGEMAP_ENTRIES or more. It costs as
// much as the range check: it rotates the bits that must be 0 to the top.
ALWAYS_INLINE size_t pagemap_slot_arena(uintptr_t addr) {
    enum { ALIGN_LOG2 = 4, TURN = 64 - ALIGN_LOG2 };
    _Static_assert(1 << ALIGN_LOG2 == MIN_ALIGN, "of every object");
    return (addr >> ALIGN_LOG2 | addr << TURN) >> (ARENA_SHIFT - ALIGN_LOG2);
}

ALWAYS_INLINE unsigned pagemap_class_in(const struct pagemap *pm, size_t arena,
                                        uintptr_t addr) {
    // relaxed: a thread gets a pointer to an object after its page was published,
    // and what passed the pointer on orders the two
    uintptr_t distance =
        atomic_load_explicit(&pm->arenas[arena], memory_order_relaxed);
    const _Atomic uint8_t *classes =
        (const _Atomic uint8_t *)((uintptr_t)pagemap_none + distance);
    return atomic_load_explicit(
        &classes[addr >> PAGE_SHIFT & (ARENA_PAGES - 1)], memory_order_relaxed);
}

// pagemap_class returns the class byte of the page at addr, which is in range:
// 0 unless it is in a small span of ours. Two dependent loads.
ALWAYS_INLINE unsigned pagemap_class(const struct pagemap *pm, uintptr_t addr) {
    return pagemap_class_in(pm, addr >> ARENA_SHIFT, addr);
}

// pagemap_arena returns the metadata of the arena at addr, or NULL.
static inline struct arena *pagemap_arena(const struct pagemap *pm,
                                          uintptr_t addr) {
    if (!pagemap_in_range(addr))
        return NULL;
    // acquire: sees the arena's base; partner: release in pagemap_add
    uintptr_t distance = atomic_load_explicit(&pm->arenas[addr >> ARENA_SHIFT],
                                              memory_order_acquire);
    if (distance == 0)
        return NULL;
    return (struct arena *)((uintptr_t)pagemap_none + distance);
}

static inline size_t arena_page(uintptr_t addr) {
    return addr >> PAGE_SHIFT & (ARENA_PAGES - 1);
}

// pagemap_span returns the span that has, or had, the page at addr: the caller
// checks its state and bounds. NULL if there never was one. A large span is
// found by its first page only.
static inline struct mspan *pagemap_span(const struct pagemap *pm,
                                         uintptr_t addr) {
    struct arena *a = pagemap_arena(pm, addr);
    if (a == NULL)
        return NULL;
    // acquire: sees the span's fields; partner: release in pagemap_set
    return atomic_load_explicit(&a->span_of_page[arena_page(addr)],
                                memory_order_acquire);
}

// pagemap_add makes the arena at addr known. Caller holds mheap.lock.
void pagemap_add(struct pagemap *pm, struct arena *a, uintptr_t base);

// pagemap_set publishes a span: the span of each page first, the class byte
// last. pagemap_clear clears the class bytes; the stale entries of the span
// stay, since records are type-stable.
void pagemap_set(struct pagemap *pm, struct mspan *s);
void pagemap_clear(struct pagemap *pm, struct mspan *s);

#endif // MOUND_HEAP_PAGEMAP_H
