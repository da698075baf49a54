// mspan.c: see mspan.h.
#include "heap/mspan.h"

#include <string.h>

void mspan_init_slots(struct mspan *s, uintptr_t start, size_t npages,
                      unsigned sizeclass) {
    uint32_t elemsize = sizeclass_bytes[sizeclass];
    unsigned nelems = (unsigned)((npages << PAGE_SHIFT) / elemsize);
    atomic_store_explicit(&s->start, start, memory_order_relaxed);
    s->npages = npages;
    s->sizeclass = (uint8_t)sizeclass;
    s->elemsize = elemsize;
    s->magic = sizeclass_magic[sizeclass];
    s->nelems = (uint16_t)nelems;
    s->nfree = (uint16_t)nelems;
    s->bucket = 0;
    s->samples = NULL;
    list_init(&s->link);
    memset(s->freebits, 0, s->nwords * sizeof s->freebits[0]);
    for (unsigned slot = 0; slot < nelems; slot += WORD_BITS) {
        unsigned left = nelems - slot;
        s->freebits[slot / WORD_BITS] =
            word_range(0, left < WORD_BITS ? left : WORD_BITS);
    }
}

size_t mspan_take(struct mspan *s, void **ret, size_t want) {
    uintptr_t start = mspan_start(s);
    size_t n = 0;
    for (unsigned w = 0; w < s->nwords && n < want && n < s->nfree; w++) {
        uint64_t bits = s->freebits[w];
        while (bits != 0 && n < want) {
            unsigned bit = (unsigned)__builtin_ctzl(bits);
            bits &= bits - 1;
            uintptr_t slot = w * WORD_BITS + bit;
            ret[n++] = (void *)(start + slot * s->elemsize);
        }
        s->freebits[w] = bits;
    }
    s->nfree = (uint16_t)(s->nfree - n);
    return n;
}

size_t mspan_take_lines(struct mspan *s, void *ret[LINE_SLOTS]) {
    uintptr_t start = mspan_start(s);
    static const uint64_t lowest = ~(uint64_t)0 / 0xff; // bit 0 of each byte
    for (unsigned w = 0; w < s->nwords; w++) {
        // Eight slots of a multiple of 8 bytes fill whole lines.
        uint64_t bytes = word_runs(s->freebits[w], LINE_SLOTS) & lowest;
        if (bytes == 0)
            continue;
        unsigned bit = (unsigned)__builtin_ctzl(bytes);
        s->freebits[w] &= ~word_range(bit, LINE_SLOTS);
        s->nfree = (uint16_t)(s->nfree - LINE_SLOTS);
        for (unsigned i = 0; i < LINE_SLOTS; i++)
            ret[i] = (void *)(start + (w * WORD_BITS + bit + i) *
                                          (uintptr_t)s->elemsize);
        return LINE_SLOTS;
    }
    return 0;
}

static unsigned count_bits(const struct mspan *s) {
    unsigned nset = 0;
    for (unsigned w = 0; w < s->nwords; w++)
        nset += (unsigned)__builtin_popcountl(s->freebits[w]);
    return nset;
}

void mspan_recount(struct mspan *s) {
    s->nfree = (uint16_t)count_bits(s);
}

unsigned mspan_verify(const struct mspan *s) {
    unsigned nset = count_bits(s);
    unsigned nwrong = 0;
    nwrong += nset != s->nfree;
    nwrong += s->nfree > s->nelems;
    nwrong += (size_t)s->nelems * s->elemsize > s->npages << PAGE_SHIFT;
    for (unsigned slot = s->nelems; slot < s->nwords * WORD_BITS; slot++)
        nwrong += mspan_is_free(s, slot);
    return nwrong;
}
