// sizeclass.h: size -> class -> (bytes of a slot, pages of a span, slots).
// The tables are Go's (sizeclasses.c, generated). Its classes of 8 and 24 bytes are
// in them but are never chosen: every object is aligned to 16, as max_align_t is
// and as glibc does. (What that costs: resident memory of 17 programs, median of 3
// to 9 runs each, rose by 0.2 %: by 2.9 % where awk makes 400 000 strings of up to
// 8 bytes, and by nothing that can be told from noise elsewhere.)
#ifndef MOUND_HEAP_SIZECLASS_H
#define MOUND_HEAP_SIZECLASS_H

#include "base/compiler.h"

enum {
    PAGE_SHIFT = 13,
    PAGE_SIZE = 1 << PAGE_SHIFT, // a heap page: Go's 8 KiB, not the system's
    NUM_SIZECLASSES = 68,        // class 0 is "large, or not ours"
    MAX_SMALL_SIZE = 32768,
    LOOKUP_SHIFT = 3,
    LOOKUP_STEP = 1 << LOOKUP_SHIFT,
    MAX_SLOTS = 1024, // of any span
    MAX_CLASS_PAGES = 10,
    MIN_ALIGN = 16, // of every object
};

extern const uint16_t sizeclass_bytes[NUM_SIZECLASSES] HIDDEN;
// Pages of the first span of a class, as Go; small processes need no more.
extern const uint8_t sizeclass_first_pages[NUM_SIZECLASSES] HIDDEN;
extern const uint8_t sizeclass_pages[NUM_SIZECLASSES] HIDDEN;
// offset * magic >> 32 is the slot at offset, for every offset in a span.
extern const uint32_t sizeclass_magic[NUM_SIZECLASSES] HIDDEN;
// By the logarithm of an alignment and a class: the first class from that one on
// whose slots have the alignment, or 0.
extern const uint8_t sizeclass_aligned[PAGE_SHIFT + 1][NUM_SIZECLASSES] HIDDEN;
extern const uint8_t sizeclass_of_size[MAX_SMALL_SIZE / LOOKUP_STEP + 1] HIDDEN;

// sizeclass_for returns the class for a request of size bytes, at most
// MAX_SMALL_SIZE. One table of 4 KiB and not Go's two: it saves a branch, and
// a program touches only the lines of the sizes it uses.
ALWAYS_INLINE unsigned sizeclass_for(size_t size) {
    return sizeclass_of_size[(size + LOOKUP_STEP - 1) >> LOOKUP_SHIFT];
}

// sizeclass_for_aligned returns the first class that holds size bytes in slots
// aligned to align (a power of two up to a page), or 0. Spans begin at page
// boundaries, so a slot has the alignment of its size.
ALWAYS_INLINE unsigned sizeclass_for_aligned(size_t size, size_t align) {
    if (size > MAX_SMALL_SIZE || align > PAGE_SIZE)
        return 0;
    return sizeclass_aligned[__builtin_ctzl(align)][sizeclass_for(size)];
}

#endif // MOUND_HEAP_SIZECLASS_H
