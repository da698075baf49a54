// bits.c: rounding and runs of ones, against slow loops.
#include "base/bits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"

static unsigned slow_find_run(uint64_t x, unsigned n) {
    for (unsigned at = 0; at + n <= WORD_BITS; at++) {
        unsigned run = 0;
        while (run < n && x >> (at + run) & 1)
            run++;
        if (run == n)
            return at;
    }
    return WORD_BITS;
}

Test(bits, rounding_reaches_the_next_multiple_and_keeps_multiples) {
    for (size_t align = 1; align <= 4096; align *= 2)
        for (size_t n = 0; n <= 3 * align; n += align / 8 + 1) {
            size_t down = n / align * align;
            size_t up = down == n ? n : down + align;
            if (align_up(n, align) != up || align_down(n, align) != down)
                cr_fatal("%zu rounded to %zu: up %zu, down %zu", n, align,
                         align_up(n, align), align_down(n, align));
        }
}

Test(bits, powers_of_two_are_told_from_other_numbers) {
    cr_assert(not(is_pow2(0)));
    for (unsigned k = 0; k < 64; k++)
        cr_assert(is_pow2((size_t)1 << k));
    for (unsigned k = 2; k < 64; k++) {
        cr_assert(not(is_pow2(((size_t)1 << k) - 1)));
        cr_assert(not(is_pow2(((size_t)1 << k) + 1)));
    }
}

Test(bits, ceil_log2_is_the_smallest_sufficient_exponent) {
    cr_assert(eq(u32, ceil_log2(1), 0));
    cr_assert(eq(u32, ceil_log2(2), 1));
    for (unsigned k = 2; k < 63; k++) {
        cr_assert(eq(u32, ceil_log2(((size_t)1 << k) - 1), k));
        cr_assert(eq(u32, ceil_log2((size_t)1 << k), k));
        cr_assert(eq(u32, ceil_log2(((size_t)1 << k) + 1), k + 1));
    }
}

Test(bits, min_max_and_clamp_take_the_bounds_themselves) {
    cr_assert(eq(sz, min_size(3, 5), 3));
    cr_assert(eq(sz, max_size(3, 5), 5));
    cr_assert(eq(sz, clamp_size(2, 3, 5), 3));
    cr_assert(eq(sz, clamp_size(4, 3, 5), 4));
    cr_assert(eq(sz, clamp_size(6, 3, 5), 5));
}

Test(bits, a_word_range_has_exactly_its_ones) {
    for (unsigned lo = 0; lo < WORD_BITS; lo++)
        for (unsigned n = 1; lo + n <= WORD_BITS; n++) {
            uint64_t want = 0;
            for (unsigned i = lo; i < lo + n; i++)
                want |= (uint64_t)1 << i;
            if (word_range(lo, n) != want)
                cr_fatal("range of %u ones from bit %u is %#lx", n, lo,
                         (unsigned long)word_range(lo, n));
        }
}

Test(bits, a_single_run_is_found_for_every_length_up_to_its_own) {
    for (unsigned n = 1; n <= WORD_BITS; n++) {
        uint64_t low = word_range(0, n);
        uint64_t high = word_range(WORD_BITS - n, n);
        for (unsigned want = 1; want <= WORD_BITS; want++) {
            unsigned at_low = want <= n ? 0 : WORD_BITS;
            unsigned at_high = want <= n ? WORD_BITS - n : WORD_BITS;
            if (word_find_run(low, want) != at_low ||
                word_find_run(high, want) != at_high)
                cr_fatal("runs of %u, wanted %u: %u and %u", n, want,
                         word_find_run(low, want), word_find_run(high, want));
        }
    }
}

Test(bits, no_run_is_found_where_there_is_none) {
    for (unsigned n = 1; n <= WORD_BITS; n++)
        cr_assert(eq(u32, word_find_run(0, n), WORD_BITS));
    for (unsigned n = 2; n <= WORD_BITS; n++)
        cr_assert(eq(u32, word_find_run(0x5555555555555555u, n), WORD_BITS));
}

Test(bits, runs_in_random_words_are_found_where_a_slow_loop_finds_them) {
    struct random r = random_from(28);
    for (int round = 0; round < 20000; round++) {
        uint64_t x = random_next(&r);
        if (round % 3 == 0)
            x |= random_next(&r); // longer runs
        if (round % 9 == 0)
            x |= random_next(&r) | random_next(&r);
        unsigned n = 1 + (unsigned)random_below(&r, WORD_BITS);
        if (round % 2 == 0)
            n = 1 + n % 8;
        if (word_find_run(x, n) != slow_find_run(x, n))
            cr_fatal("%u ones in %#lx: at %u, slow loop %u", n,
                     (unsigned long)x, word_find_run(x, n),
                     slow_find_run(x, n));
    }
}
