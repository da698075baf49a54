// apart.c: see apart.h.
#include "heap/apart.h"

// span_at returns the span of the class at addr, or NULL.
static inline struct mspan *
span_at(const struct pagemap *pm, const struct mcentral *home, uintptr_t addr) {
    struct mspan *s = pagemap_span(pm, addr);
    return s != NULL && mspan_home(s) == home ? s : NULL;
}

size_t apart_find(struct apart *a, const struct pagemap *pm,
                  const struct mcentral *home, unsigned sizeclass,
                  void *const *slots, size_t n) {
    enum { NO_WORD = MSPAN_WORDS };
    uint64_t magic = sizeclass_magic[sizeclass];
    uint64_t elemsize = sizeclass_bytes[sizeclass];
    struct mspan *s = NULL;
    uintptr_t start = 0;
    size_t nbytes = 0;              // of the span's slots
    struct piece *next = a->pieces; // after the current piece
    const struct piece *end = a->pieces + APART_PIECES;
    // Of the current piece:
    uint64_t word = NO_WORD;
    uint64_t bits = 0;
    size_t i;
    n = min_size(n, APART_SLOTS);
    for (i = 0; i < n; i++) {
        uintptr_t addr = (uintptr_t)slots[i];
        uint64_t offset = addr - start;
        if (offset >= nbytes) {
            word = NO_WORD;
            start = nbytes = 0;
            s = span_at(pm, home, addr);
            if (LIKELY(s != NULL)) {
                start = mspan_start(s);
                nbytes = s->nelems * elemsize;
            }
            offset = addr - start;
        }
        uint64_t slot = offset * magic >> 32;
        uint64_t bit = (uint64_t)1 << slot % WORD_BITS;
        uint64_t at = slot / WORD_BITS;
        if (UNLIKELY(offset >= nbytes || slot * elemsize != offset)) {
            s = NULL; // a piece by itself; the next slot starts another
            nbytes = 0;
            at = NO_WORD;
            word = 0;
        }
        // The same bit twice: the second is a piece by itself.
        if (at != word || bits & bit) {
            if (next == end)
                break;
            next->span = s;
            next->page = apart_page(start);
            next->nelems = s != NULL ? s->nelems : 0;
            next->word = (uint8_t)at;
            next++;
            word = at;
            bits = 0;
        }
        bits |= bit;
        next[-1].bits = bits;
        next[-1].end = (uint8_t)(i + 1);
    }
    next->span = NULL;
    a->npieces = (unsigned)(next - a->pieces);
    return i;
}

// is_at says whether the span is still of this class and at the same address.
static bool is_at(const struct piece *piece, const struct mcentral *home) {
    const struct mspan *s = piece->span;
    return s != NULL && mspan_home(s) == home &&
           apart_page(mspan_start(s)) == piece->page;
}

COLD size_t apart_set_each_locked(const struct piece *piece,
                                  const struct mcentral *home,
                                  void *const *slots, size_t i,
                                  struct misused *misused) {
    struct mspan *s = is_at(piece, home) ? piece->span : NULL;
    for (; i < piece->end && misused->n < APART_MISUSED; i++) {
        unsigned slot = SLOT_NONE;
        if (s != NULL)
            slot = mspan_slot_of(s, (uintptr_t)slots[i]);
        if (slot == SLOT_NONE || mspan_is_free(s, slot))
            misused->slots[misused->n++] = slots[i];
        else
            mspan_set_free(s, slot / WORD_BITS, (uint64_t)1 << slot % WORD_BITS,
                           1);
    }
    return i;
}
