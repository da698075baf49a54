// apart.h: sorts slots that return to their spans.
//
// apart_find does the work that needs no lock (page map, division) for a batch.
// Slots that return together are mostly neighbours, so a span is looked up once
// for consecutive slots of it, and their bits are collected by words. Each such
// piece then needs only a few steps under the lock of the class.
//
// All misuse is found: a slot that is free already, or twice in one batch, one
// of another class or span, and an address that is no slot.
#ifndef MOUND_HEAP_APART_H
#define MOUND_HEAP_APART_H

#include "heap/mspan.h"
#include "heap/pagemap.h"

enum {
    APART_PIECES = 32, // bounds stack use and the steps under the lock
    APART_SLOTS = UINT8_MAX,
    APART_MISUSED = 8,
};

// struct piece is consecutive slots of a batch whose bits are in one word of
// one span; or one address that is no slot: span is NULL.
struct piece {
    struct mspan *span;
    uint64_t bits;
    uint32_t page; // the span's first page number, lower 32 bits
    uint16_t nelems;
    uint8_t word;
    uint8_t end; // index after its last slot in the batch
};

struct apart {
    unsigned npieces;
    struct piece pieces[APART_PIECES + 1]; // the last one has a NULL span
};

// struct misused is slots to report after the lock is released.
struct misused {
    unsigned n;
    void *slots[APART_MISUSED];
};

// apart_find sorts the first of n slots of the class whose store is home, and
// returns how many: at least one if n > 0. No lock.
size_t apart_find(struct apart *a, const struct pagemap *pm,
                  const struct mcentral *home, unsigned sizeclass,
                  void *const *slots, size_t n);

static inline uint32_t apart_page(uintptr_t start) {
    return (uint32_t)(start >> PAGE_SHIFT);
}

// apart_set_locked sets the bits of a piece if none of its slots is misused; it
// returns false, with nothing changed, if one is. apart_set_each_locked does it
// slot by slot, from index at on. It returns the index after the last slot it
// handled: the end of the piece, or earlier once APART_MISUSED slots were
// misused. Caller holds the lock of the class.
static inline bool apart_set_locked(const struct piece *piece,
                                    const struct mcentral *home, size_t at) {
    struct mspan *s = piece->span;
    // A live slot keeps its span in the class: if the span has left since
    // apart_find, that is misuse.
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
