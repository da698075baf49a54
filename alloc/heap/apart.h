// apart.h: slots on their way back to their spans.
//
// apart_find does what needs no lock (page map, division) for many slots at once:
// what comes back together mostly lies together, so a span is looked up once for
// those of it that follow each other, and their bits are gathered by words. What is
// left to be done under the lock of the class is little for each such piece.
//
// Exact all the same: a slot that is free already, twice in one batch too, one of
// another class or span, and what is no slot at all, is told from the others.
#ifndef MOUND_HEAP_APART_H
#define MOUND_HEAP_APART_H

#include "heap/mspan.h"
#include "heap/pagemap.h"

enum {
    APART_PIECES = 32, // bounds the stack used, and the steps under the lock
    APART_SLOTS = UINT8_MAX,
    APART_MISUSED = 8,
};

// struct piece is slots that follow each other and have their bits in one word of one
// span; or one that is no slot: span is NULL.
struct piece {
    struct mspan *span;
    uint64_t bits;
    uint32_t page; // number of the span's first page, its low half
    uint16_t nelems;
    uint8_t word;
    uint8_t
        end; // of the slots that were found: the first that is not one of it
};

struct apart {
    unsigned npieces;
    struct piece pieces[APART_PIECES + 1]; // the last is NULL's
};

// struct misused is slots to be reported once the lock is free.
struct misused {
    unsigned n;
    void *slots[APART_MISUSED];
};

// apart_find begins with the first of n slots of the class whose store is home, and
// returns how many it has got; at least one of at least one. No lock.
size_t apart_find(struct apart *a, const struct pagemap *pm,
                  const struct mcentral *home, unsigned sizeclass,
                  void *const *slots, size_t n);

static inline uint32_t apart_page(uintptr_t start) {
    return (uint32_t)(start >> PAGE_SHIFT);
}

// apart_set_locked sets the bits of a piece, if it is whole: none of its slots is misused,
// and returns whether it was. apart_set_each_locked does so for slots from number `at`
// on, one by one. It returns the number of the first that it has not looked at: that of
// another piece, or of this one once APART_MISUSED were found that were misused. Caller
// holds the lock of the class.
static inline bool apart_set_locked(const struct piece *piece,
                                    const struct mcentral *home, size_t at) {
    struct mspan *s = piece->span;
    // The span may have left since apart_find: a good slot keeps its span, so that is
    // misuse, too.
    if (UNLIKELY(s == NULL) || UNLIKELY(mspan_home(s) != home) ||
        UNLIKELY(apart_page(mspan_start(s)) != piece->page) ||
        UNLIKELY(s->nelems != piece->nelems) ||
        UNLIKELY((s->freebits[piece->word] & piece->bits) != 0))
        return false;
    mspan_set_free(s, piece->word, piece->bits, piece->end - (unsigned)at);
    return true;
}
size_t apart_set_each_locked(const struct piece *piece,
                             const struct mcentral *home, void *const *slots,
                             size_t at, struct misused *misused);

#endif // MOUND_HEAP_APART_H
