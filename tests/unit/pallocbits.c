// pallocbits.c: one chunk of page bits, against slow loops. A set bit is a free
// page, the opposite of Go's tests.
#include "heap/pallocbits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"

typedef uint64_t chunk[CHUNK_WORDS];

// Shapes of Go's tests: within a word, across one border, across many, whole.
static const struct {
    unsigned page, npages;
} shapes[] = {{0, 1},    {63, 1},   {64, 1},   {511, 1}, {0, 64},
              {5, 8},    {10, 54},  {60, 10},  {63, 2},  {64, 64},
              {70, 200}, {0, 512},  {1, 511},  {0, 511}, {128, 256},
              {100, 64}, {448, 64}, {447, 65}, {3, 1},   {191, 130}};
enum { NSHAPES = sizeof shapes / sizeof shapes[0] };

static bool bit(const chunk bits, unsigned page) {
    return bits[page / WORD_BITS] >> (page % WORD_BITS) & 1;
}

static void set_slowly(chunk bits, unsigned page, unsigned npages, bool on) {
    for (unsigned i = page; i < page + npages; i++) {
        uint64_t mask = (uint64_t)1 << (i % WORD_BITS);
        if (on)
            bits[i / WORD_BITS] |= mask;
        else
            bits[i / WORD_BITS] &= ~mask;
    }
}

static struct palloc_sum sum_slowly(const uint64_t *bits, unsigned npages) {
    struct palloc_sum sum = {0, 0, 0, 0};
    unsigned run = 0;
    for (unsigned i = 0; i < npages; i++) {
        run = bit(bits, i) ? run + 1 : 0;
        if (run > sum.max)
            sum.max = run;
        if (run == i + 1)
            sum.start = run;
    }
    sum.end = run;
    return sum;
}

static unsigned find_slowly(const chunk bits, size_t npages) {
    unsigned run = 0;
    for (unsigned i = 0; i < CHUNK_PAGES; i++) {
        run = bit(bits, i) ? run + 1 : 0;
        if (run >= npages)
            return i + 1 - run;
    }
    return CHUNK_PAGES;
}

static void check_sum(struct palloc_sum got, struct palloc_sum want,
                      const char *what) {
    if (got.start != want.start || got.max != want.max || got.end != want.end)
        cr_fatal("%s: (%u, %u, %u), not (%u, %u, %u)", what, got.start, got.max,
                 got.end, want.start, want.max, want.end);
}

// fill makes a random chunk: runs of random lengths, dense or sparse.
static void fill(chunk bits, struct random *r) {
    unsigned most = 1u << random_below(r, 10);
    bool on = random_below(r, 2) == 0;
    memset(bits, 0, sizeof(chunk));
    for (unsigned page = 0; page < CHUNK_PAGES;) {
        unsigned n = 1 + (unsigned)random_below(r, most);
        if (n > CHUNK_PAGES - page)
            n = CHUNK_PAGES - page;
        if (on)
            set_slowly(bits, page, n, true);
        on = !on;
        page += n;
    }
}

Test(pallocbits, setting_a_range_sets_those_pages_alone) {
    for (unsigned i = 0; i < NSHAPES; i++) {
        chunk got = {0}, want = {0};

        pallocbits_set(got, shapes[i].page, shapes[i].npages);

        set_slowly(want, shapes[i].page, shapes[i].npages, true);
        cr_assert(zero(int, memcmp(got, want, sizeof got)));
    }
}

Test(pallocbits, clearing_a_range_clears_those_pages_alone) {
    for (unsigned i = 0; i < NSHAPES; i++) {
        chunk got, want;
        memset(got, 0xff, sizeof got);
        memset(want, 0xff, sizeof want);

        pallocbits_clear(got, shapes[i].page, shapes[i].npages);

        set_slowly(want, shapes[i].page, shapes[i].npages, false);
        cr_assert(zero(int, memcmp(got, want, sizeof got)));
    }
}

Test(pallocbits, counting_looks_at_its_range_alone) {
    struct random r = random_from(24);
    for (int round = 0; round < 200; round++) {
        chunk bits;
        fill(bits, &r);
        for (unsigned i = 0; i < NSHAPES; i++) {
            unsigned want = 0;
            for (unsigned p = 0; p < shapes[i].npages; p++)
                want += bit(bits, shapes[i].page + p);
            cr_assert(eq(
                u32, pallocbits_count(bits, shapes[i].page, shapes[i].npages),
                want));
        }
    }
}

Test(pallocbits, a_free_chunk_is_one_run_and_a_full_one_none) {
    chunk bits = {0};
    check_sum(pallocbits_summarize(bits), (struct palloc_sum){0, 0, 0, 0},
              "full");
    memset(bits, 0xff, sizeof bits);
    check_sum(pallocbits_summarize(bits), (struct palloc_sum){512, 512, 512, 0},
              "free");
}

Test(pallocbits, the_summary_tells_start_longest_and_end) {
    static const struct {
        const char *what;
        unsigned runs[4][2]; // pages that are free
        struct palloc_sum want;
    } cases[] = {
        {"at the start", {{0, 1}}, {1, 1, 0, 0}},
        {"a longer start", {{0, 130}}, {130, 130, 0, 0}},
        {"in the middle", {{250, 3}}, {0, 3, 0, 0}},
        {"across a word border", {{60, 10}}, {0, 10, 0, 0}},
        {"across three words", {{60, 80}}, {0, 80, 0, 0}},
        {"at the end", {{511, 1}}, {0, 1, 1, 0}},
        {"equal runs", {{10, 5}, {100, 5}, {300, 5}}, {0, 5, 0, 0}},
        {"the longest in between", {{0, 3}, {64, 64}, {508, 4}}, {3, 64, 4, 0}},
        {"all but one page", {{0, 255}, {256, 256}}, {255, 256, 256, 0}},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chunk bits = {0};
        for (int j = 0; j < 4 && cases[i].runs[j][1] > 0; j++)
            pallocbits_set(bits, cases[i].runs[j][0], cases[i].runs[j][1]);
        check_sum(pallocbits_summarize(bits), cases[i].want, cases[i].what);
    }
}

Test(pallocbits, summaries_of_random_chunks_are_those_of_a_slow_loop) {
    struct random r = random_from(25);
    for (int round = 0; round < 20000; round++) {
        chunk bits;
        fill(bits, &r);
        check_sum(pallocbits_summarize(bits), sum_slowly(bits, CHUNK_PAGES),
                  "random chunk");
    }
}

Test(pallocbits, a_summary_that_follows_each_change_is_that_of_a_slow_loop) {
    struct random r = random_from(26);
    chunk bits = {0};
    struct palloc_sum sum = sum_slowly(bits, CHUNK_PAGES);
    for (int i = 0; i < 100000; i++) {
        unsigned page = (unsigned)random_below(&r, CHUNK_PAGES);
        unsigned most = 1 + (unsigned)random_below(&r, i % 512 + 1);
        bool on = !bit(bits, page);
        unsigned n = 0;
        while (n < most && page + n < CHUNK_PAGES && bit(bits, page + n) != on)
            n++;
        set_slowly(bits, page, n, on);
        sum = on ? pallocbits_sum_set(bits, sum, page, n)
                 : pallocbits_sum_clear(bits, sum, page, n);
        check_sum(sum, sum_slowly(bits, CHUNK_PAGES), "after a change");
    }
}

Test(pallocbits, the_lowest_run_of_each_length_is_found) {
    static const unsigned lengths[] = {1,  2,  3,   5,   16,  31,  32,  63,
                                       64, 65, 100, 128, 129, 256, 511, 512};
    struct random r = random_from(26);
    for (int round = 0; round < 5000; round++) {
        chunk bits;
        fill(bits, &r);
        for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            unsigned got = pallocbits_find(bits, lengths[i]);
            unsigned want = find_slowly(bits, lengths[i]);
            if (got != want)
                cr_fatal("%u pages: at %u, slow loop %u", lengths[i], got,
                         want);
        }
    }
}

Test(pallocbits, a_run_longer_than_a_chunk_is_not_found) {
    chunk bits;
    memset(bits, 0xff, sizeof bits);

    cr_assert(eq(u32, pallocbits_find(bits, CHUNK_PAGES), 0));
    cr_assert(eq(u32, pallocbits_find(bits, CHUNK_PAGES + 1), CHUNK_PAGES));
    cr_assert(eq(u32, pallocbits_find(bits, SIZE_MAX), CHUNK_PAGES));
}

Test(pallocbits, ones_are_counted_up_to_the_first_zero_and_no_further) {
    struct random r = random_from(29);
    for (int round = 0; round < 20000; round++) {
        chunk bits;
        fill(bits, &r);
        unsigned page = (unsigned)random_below(&r, CHUNK_PAGES);
        unsigned most = (unsigned)random_below(&r, CHUNK_PAGES - page) + 1;
        unsigned want = 0;
        while (want < most && bit(bits, page + want))
            want++;
        if (pallocbits_ones(bits, page, most) != want)
            cr_fatal("from %u at most %u: %u, not %u", page, most,
                     pallocbits_ones(bits, page, most), want);
    }
}

Test(pallocbits, merged_summaries_are_those_of_the_whole_stretch) {
    enum { NPARTS = 8 };
    struct random r = random_from(30);
    for (int round = 0; round < 3000; round++) {
        static uint64_t bits[NPARTS * CHUNK_WORDS];
        struct palloc_sum parts[NPARTS];
        for (unsigned i = 0; i < NPARTS; i++) {
            uint64_t *part = bits + i * CHUNK_WORDS;
            unsigned kind = (unsigned)random_below(&r, 3);
            if (kind == 0)
                fill(part, &r);
            else // whole and empty parts make runs across the borders
                memset(part, kind == 1 ? 0xff : 0, sizeof(chunk));
            parts[i] = pallocbits_summarize(part);
        }
        check_sum(palloc_sum_merge(parts, NPARTS, CHUNK_PAGES),
                  sum_slowly(bits, NPARTS * CHUNK_PAGES), "merge");
    }
}

Test(pallocbits, freeing_one_page_a_range_or_all_gives_back_those_bits) {
    chunk bits = {0}, all;
    memset(all, 0xff, sizeof all);

    pallocbits_set(bits, 0, CHUNK_PAGES);
    cr_assert(zero(int, memcmp(bits, all, sizeof all)));
    pallocbits_clear(bits, 17, 1);
    pallocbits_clear(bits, 60, 70);
    pallocbits_set(bits, 17, 1);
    pallocbits_set(bits, 60, 70);

    cr_assert(zero(int, memcmp(bits, all, sizeof all)));
}

Test(pallocbits, the_highest_run_below_a_page_is_found) {
    struct random r = random_from(27);
    for (int round = 0; round < 300; round++) {
        chunk bits;
        for (unsigned w = 0; w < CHUNK_WORDS; w++) {
            unsigned kind = (unsigned)random_below(&r, 4);
            bits[w] = kind == 0   ? 0
                      : kind == 1 ? ~(uint64_t)0
                                  : random_next(&r);
        }
        unsigned limit = (unsigned)random_below(&r, CHUNK_PAGES + 1);
        unsigned want_end = limit;
        while (want_end > 0 && !bit(bits, want_end - 1))
            want_end--;
        unsigned want_start = want_end;
        while (want_start > 0 && bit(bits, want_start - 1))
            want_start--;
        unsigned start, end;

        bool found = pallocbits_run_below(bits, limit, &start, &end);

        cr_assert(eq(int, found, want_end > 0));
        cr_assert(eq(u32, end, want_end));
        cr_assert(eq(u32, start, want_start));
    }
}
