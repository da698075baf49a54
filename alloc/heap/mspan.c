// mspan.c: see mspan.h.
#include "heap/mspan.h"

#include <string.h>

#include "os/sys.h"

_Static_assert(MAX_CLASS_PAGES * 2 <= 32, "released has a bit for each page");

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
    s->nhollow = 0;
    s->released = 0;
    s->warm = 0;
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

// struct slots is the slots that overlap a system page: [first, end).
struct slots {
    unsigned first;
    unsigned end;
};

static struct slots slots_on(const struct mspan *s, unsigned page) {
    uint64_t nbytes = sys_page_size();
    uint64_t offset = page * nbytes;
    unsigned first = (unsigned)(offset * s->magic >> 32);
    unsigned last = (unsigned)((offset + nbytes - 1) * s->magic >> 32);
    return (struct slots){first, last < s->nelems ? last + 1 : s->nelems};
}

// pages_of returns the pages that a slot overlaps, as bits.
static uint32_t pages_of(const struct mspan *s, unsigned slot) {
    uintptr_t nbytes = sys_page_size();
    uintptr_t offset = (uintptr_t)slot * s->elemsize;
    unsigned first = (unsigned)(offset / nbytes);
    unsigned last = (unsigned)((offset + s->elemsize - 1) / nbytes);
    return (uint32_t)word_range(first, last - first + 1);
}

// mask_of returns which bits of a word of freebits are of those slots.
static uint64_t mask_of(struct slots some, unsigned word) {
    unsigned lo = word * WORD_BITS;
    unsigned first = some.first > lo ? some.first : lo;
    unsigned end = some.end < lo + WORD_BITS ? some.end : lo + WORD_BITS;
    return first < end ? word_range(first - lo, end - first) : 0;
}

static bool all_free(const struct mspan *s, struct slots some) {
    for (unsigned w = some.first / WORD_BITS; w * WORD_BITS < some.end; w++) {
        uint64_t mask = mask_of(some, w);
        if ((s->freebits[w] & mask) != mask)
            return false;
    }
    return some.first < some.end;
}

// unused_pages returns the pages on which are slots, and only free ones.
static uint32_t unused_pages(const struct mspan *s) {
    unsigned npages = (unsigned)((s->npages << PAGE_SHIFT) / sys_page_size());
    uint32_t unused = 0;
    for (unsigned page = 0; page < npages; page++)
        if (all_free(s, slots_on(s, page)))
            unused |= (uint32_t)1 << page;
    return unused;
}

uint32_t mspan_holes(const struct mspan *s) {
    size_t nbytes = sys_page_size();
    // The end of the last page may belong to no slot.
    size_t room = (s->npages << PAGE_SHIFT) - s->nelems * (size_t)s->elemsize;
    if (nbytes > PAGE_SIZE || s->nfree * (size_t)s->elemsize + room < nbytes)
        return 0;
    return unused_pages(s) & ~s->released;
}

// hollow_of returns which bits of a word of freebits overlap a released page.
static uint64_t hollow_of(const struct mspan *s, unsigned word) {
    uint64_t hollow = 0;
    for (uint32_t left = s->released; left != 0; left &= left - 1)
        hollow |= mask_of(slots_on(s, (unsigned)__builtin_ctz(left)), word);
    return hollow;
}

static uint16_t count_hollow(const struct mspan *s) {
    unsigned n = 0;
    for (unsigned w = 0; s->released != 0 && w < s->nwords; w++)
        n += (unsigned)__builtin_popcountl(s->freebits[w] & hollow_of(s, w));
    return (uint16_t)n;
}

uint64_t mspan_bytes_of(uint32_t pages) {
    return pages == 0 ? 0
                      : (unsigned)__builtin_popcount(pages) * sys_page_size();
}

void mspan_set_released(struct mspan *s, uint32_t holes) {
    s->released |= holes;
    s->nhollow = count_hollow(s);
}

// use_pages notes that the pages of a slot will have memory again.
static void use_pages(struct mspan *s, unsigned slot) {
    s->released &= ~pages_of(s, slot);
}

// take_around is mspan_take for a span with released pages.
static COLD size_t take_around(struct mspan *s, void **end, size_t want) {
    uintptr_t start = mspan_start(s);
    bool backed = s->nfree > s->nhollow;
    size_t n = 0;
    for (unsigned w = 0; w < s->nwords && n < want; w++) {
        uint64_t bits = s->freebits[w];
        if (backed)
            bits &= ~hollow_of(s, w);
        for (; bits != 0 && n < want; bits &= bits - 1) {
            unsigned bit = (unsigned)__builtin_ctzl(bits);
            unsigned slot = w * WORD_BITS + bit;
            s->freebits[w] &= ~((uint64_t)1 << bit);
            *--end = (void *)(start + slot * (uintptr_t)s->elemsize);
            n++;
            if (!backed)
                use_pages(s, slot);
        }
    }
    s->nfree = (uint16_t)(s->nfree - n);
    s->nhollow = count_hollow(s);
    return n;
}

// take_run takes the lowest want slots of a word whose free slots are adjacent,
// as in a new span; or all of them. addr is the address of the word's first
// slot. It returns how many.
static inline size_t take_run(uint64_t *word, uintptr_t addr, size_t elemsize,
                              void **end, size_t want) {
    unsigned first = (unsigned)__builtin_ctzl(*word);
    unsigned n = WORD_BITS - (unsigned)__builtin_clzl(*word) - first;
    if (n > want)
        n = (unsigned)want;
    *word &= ~word_range(first, n);
    addr += first * elemsize;
    for (unsigned i = 0; i < n; i++, addr += elemsize)
        *--end = (void *)addr;
    return n;
}

size_t mspan_take(struct mspan *s, void **end, size_t want) {
    if (UNLIKELY(s->released != 0))
        return take_around(s, end, want);
    size_t elemsize = s->elemsize;
    size_t left = min_size(want, s->nfree);
    size_t n = left;
    uintptr_t addr = mspan_start(s);
    for (uint64_t *word = s->freebits; left > 0;
         word++, addr += WORD_BITS * elemsize) {
        uint64_t bits = *word;
        if (bits == 0)
            continue;
        if ((bits & (bits + (bits & -bits))) == 0) { // one run
            size_t run = take_run(word, addr, elemsize, end, left);
            end -= run;
            left -= run;
            continue;
        }
        do {
            *--end = (void *)(addr + (unsigned)__builtin_ctzl(bits) * elemsize);
            bits &= bits - 1;
        } while (--left > 0 && bits != 0);
        *word = bits;
    }
    s->nfree = (uint16_t)(s->nfree - n);
    return n;
}

// find_lines returns the first of LINE_SLOTS slots for mspan_take_lines, or
// SLOT_NONE; with backed, on pages with memory.
static unsigned find_lines(const struct mspan *s, bool backed) {
    static const uint64_t lowest = ~(uint64_t)0 / 0xff; // bit 0 of each byte
    for (unsigned w = 0; w < s->nwords; w++) {
        uint64_t bits = s->freebits[w];
        if (backed)
            bits &= ~hollow_of(s, w);
        // Eight slots of a multiple of 8 bytes fill whole lines.
        uint64_t bytes = word_runs(bits, LINE_SLOTS) & lowest;
        if (bytes != 0)
            return w * WORD_BITS + (unsigned)__builtin_ctzl(bytes);
    }
    return SLOT_NONE;
}

size_t mspan_take_lines(struct mspan *s, void **end) {
    unsigned first = find_lines(s, /* backed= */ true);
    if (first == SLOT_NONE && s->released != 0)
        first = find_lines(s, /* backed= */ false);
    if (first == SLOT_NONE)
        return 0;
    s->freebits[first / WORD_BITS] &=
        ~word_range(first % WORD_BITS, LINE_SLOTS);
    s->nfree = (uint16_t)(s->nfree - LINE_SLOTS);
    for (unsigned i = 0; i < LINE_SLOTS; i++) {
        *--end =
            (void *)(mspan_start(s) + (first + i) * (uintptr_t)s->elemsize);
        if (s->released != 0)
            use_pages(s, first + i);
    }
    s->nhollow = count_hollow(s);
    return LINE_SLOTS;
}

static unsigned count_bits(const struct mspan *s) {
    unsigned nset = 0;
    for (unsigned w = 0; w < s->nwords; w++)
        nset += (unsigned)__builtin_popcountl(s->freebits[w]);
    return nset;
}

void mspan_recount(struct mspan *s) {
    s->nfree = (uint16_t)count_bits(s);
    if (s->released != 0)
        s->released &= unused_pages(s);
    s->nhollow = count_hollow(s);
}

unsigned mspan_verify(const struct mspan *s) {
    unsigned nset = count_bits(s);
    unsigned nwrong = 0;
    nwrong += nset != s->nfree;
    nwrong += s->nfree > s->nelems;
    nwrong += s->released != 0 && (s->released & ~unused_pages(s)) != 0;
    nwrong += s->nhollow != count_hollow(s);
    nwrong += (size_t)s->nelems * s->elemsize > s->npages << PAGE_SHIFT;
    for (unsigned slot = s->nelems; slot < s->nwords * WORD_BITS; slot++)
        nwrong += mspan_is_free(s, slot);
    return nwrong;
}
