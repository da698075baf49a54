// pallocbits.c: see pallocbits.h.
#include "heap/pallocbits.h"

static unsigned trailing_ones(uint64_t x) {
    return ~x == 0 ? WORD_BITS : (unsigned)__builtin_ctzl(~x);
}

static unsigned leading_ones(uint64_t x) {
    return ~x == 0 ? WORD_BITS : (unsigned)__builtin_clzl(~x);
}

// longest_within returns the longest run of ones in x, or best if that is more.
// Cost: log2(best) steps, and one for each page more than best.
static uint32_t longest_within(uint64_t x, uint32_t best) {
    if (best >= WORD_BITS)
        return best;
    for (x = word_runs(x, best + 1); x != 0; x &= x >> 1)
        best++;
    return best;
}

struct palloc_sum pallocbits_summarize(const uint64_t bits[CHUNK_WORDS]) {
    struct palloc_sum sum = {0};
    uint32_t run = 0;
    bool hole = false; // seen a page that is not free
    for (unsigned w = 0; w < CHUNK_WORDS; w++) {
        uint64_t x = bits[w];
        if (~x == 0) {
            run += WORD_BITS;
            continue;
        }
        run += trailing_ones(x);
        if (!hole)
            sum.start = run;
        hole = true;
        if (run > sum.max)
            sum.max = run;
        if (x != 0)
            sum.max = longest_within(x, sum.max);
        run = leading_ones(x);
    }
    if (!hole)
        sum.start = run;
    if (run > sum.max)
        sum.max = run;
    sum.end = run;
    return sum;
}

unsigned pallocbits_find(const uint64_t bits[CHUNK_WORDS], size_t npages) {
    size_t run = 0; // free pages just before word w
    for (unsigned w = 0; w < CHUNK_WORDS; w++) {
        uint64_t x = bits[w];
        unsigned low = trailing_ones(x);
        if (run + low >= npages)
            return w * WORD_BITS - (unsigned)run;
        if (low == WORD_BITS) {
            run += WORD_BITS;
            continue;
        }
        if (npages <= WORD_BITS) {
            unsigned at = word_find_run(x, (unsigned)npages);
            if (at != WORD_BITS)
                return w * WORD_BITS + at;
        }
        run = leading_ones(x);
    }
    return CHUNK_PAGES;
}

// struct piece is the part of a page range that lies in one word.
struct piece {
    unsigned word;
    unsigned n; // pages
    uint64_t mask;
};

static struct piece piece_at(unsigned page, unsigned npages) {
    unsigned lo = page % WORD_BITS;
    unsigned n = npages < WORD_BITS - lo ? npages : WORD_BITS - lo;
    return (struct piece){page / WORD_BITS, n, word_range(lo, n)};
}

void pallocbits_set(uint64_t bits[CHUNK_WORDS], unsigned page,
                    unsigned npages) {
    for (unsigned end = page + npages; page < end;) {
        struct piece piece = piece_at(page, end - page);
        bits[piece.word] |= piece.mask;
        page += piece.n;
    }
}

void pallocbits_clear(uint64_t bits[CHUNK_WORDS], unsigned page,
                      unsigned npages) {
    for (unsigned end = page + npages; page < end;) {
        struct piece piece = piece_at(page, end - page);
        bits[piece.word] &= ~piece.mask;
        page += piece.n;
    }
}

unsigned pallocbits_count(const uint64_t bits[CHUNK_WORDS], unsigned page,
                          unsigned npages) {
    unsigned count = 0;
    for (unsigned end = page + npages; page < end;) {
        struct piece piece = piece_at(page, end - page);
        count += (unsigned)__builtin_popcountl(bits[piece.word] & piece.mask);
        page += piece.n;
    }
    return count;
}

unsigned pallocbits_ones(const uint64_t bits[CHUNK_WORDS], unsigned page,
                         unsigned most) {
    unsigned n = 0;
    while (page < CHUNK_PAGES && n < most) {
        unsigned lo = page % WORD_BITS;
        unsigned here = trailing_ones(bits[page / WORD_BITS] >> lo);
        if (here > WORD_BITS - lo)
            here = WORD_BITS - lo;
        n += here;
        page += here;
        if (here < WORD_BITS - lo)
            break;
    }
    return n < most ? n : most;
}

// end_of_last returns the page after the last set bit below limit, with each
// word xored with flip, or 0.
static unsigned end_of_last(const uint64_t bits[CHUNK_WORDS], unsigned limit,
                            uint64_t flip) {
    while (limit > 0) {
        unsigned word = (limit - 1) / WORD_BITS;
        uint64_t x =
            (bits[word] ^ flip) & word_range(0, (limit - 1) % WORD_BITS + 1);
        if (x != 0)
            return (word + 1) * WORD_BITS - (unsigned)__builtin_clzl(x);
        limit = word * WORD_BITS;
    }
    return 0;
}

// struct around is the run of free pages that a range is in, or was.
struct around {
    unsigned left;  // pages before the range
    unsigned right; // behind it
};

static struct around run_around(const uint64_t bits[CHUNK_WORDS], unsigned page,
                                unsigned npages) {
    unsigned end = page + npages;
    return (struct around){page - end_of_last(bits, page, ~(uint64_t)0),
                           pallocbits_ones(bits, end, CHUNK_PAGES - end)};
}

struct palloc_sum pallocbits_sum_set(const uint64_t bits[CHUNK_WORDS],
                                     struct palloc_sum sum, unsigned page,
                                     unsigned npages) {
    struct around run = run_around(bits, page, npages);
    unsigned length = run.left + npages + run.right;
    if (page == run.left)
        sum.start = length;
    if (page + npages + run.right == CHUNK_PAGES)
        sum.end = length;
    if (length > sum.max)
        sum.max = length;
    return sum;
}

struct palloc_sum pallocbits_sum_clear(const uint64_t bits[CHUNK_WORDS],
                                       struct palloc_sum sum, unsigned page,
                                       unsigned npages) {
    struct around run = run_around(bits, page, npages);
    if (run.left + npages + run.right == sum.max) {
        uint32_t backed = sum.backed;
        sum = pallocbits_summarize(bits);
        sum.backed = backed;
        return sum;
    }
    if (page == run.left)
        sum.start = run.left;
    if (page + npages + run.right == CHUNK_PAGES)
        sum.end = run.right;
    return sum;
}

bool pallocbits_run_below(const uint64_t bits[CHUNK_WORDS], unsigned limit,
                          unsigned *ret_start, unsigned *ret_end) {
    *ret_end = end_of_last(bits, limit, 0);
    *ret_start = end_of_last(bits, *ret_end, ~(uint64_t)0);
    return *ret_end > 0;
}

struct palloc_sum palloc_sum_merge(const struct palloc_sum *parts,
                                   unsigned nparts, uint32_t unit) {
    struct palloc_sum sum = {0};
    uint32_t run = 0;
    bool hole = false;
    for (unsigned i = 0; i < nparts; i++) {
        const struct palloc_sum *part = &parts[i];
        if (part->backed > sum.backed)
            sum.backed = part->backed;
        if (part->max == unit) {
            run += unit;
            continue;
        }
        run += part->start;
        if (!hole)
            sum.start = run;
        hole = true;
        if (run > sum.max)
            sum.max = run;
        if (part->max > sum.max)
            sum.max = part->max;
        run = part->end;
    }
    if (!hole)
        sum.start = run;
    if (run > sum.max)
        sum.max = run;
    sum.end = run;
    return sum;
}

enum palloc_found palloc_sum_find(const struct palloc_sum *parts,
                                  unsigned nparts, uint32_t unit, size_t npages,
                                  size_t *ret_at) {
    size_t run = 0;
    for (unsigned i = 0; i < nparts; i++) {
        if (run + parts[i].start >= npages) {
            *ret_at = (size_t)i * unit - run;
            return PALLOC_FOUND;
        }
        if (parts[i].max >= npages) {
            *ret_at = i;
            return PALLOC_INSIDE;
        }
        run = parts[i].max == unit ? run + unit : parts[i].end;
    }
    return PALLOC_NONE;
}
