// sample.c: unit tests of alloc/prof/sample.c. Seeds are fixed: what is tested is
// what the arithmetic promises, with room for chance.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "prof/sample.h"

static const uint64_t RATE = 512 << 10;
static const uint64_t sizes[] = {8,     16,     1024,   8192,   32768,
                                 65536, 262144, 524288, 700000, 4194304};
enum { NSIZES = sizeof sizes / sizeof sizes[0], DRAWS = 200000 };

static double chance_of(uint64_t size, uint64_t rate) {
    return -expm1(-(double)size / (double)rate);
}

Test(sample, chances_are_as_libm_says) {
    for (uint64_t rate = 2; rate < (uint64_t)1 << 40; rate *= 3)
        for (uint64_t size = 1; size < (uint64_t)1 << 42; size = size * 5 + 3) {
            double want = chance_of(size, rate);
            cr_assert(
                lt(dbl, fabs(sample_chance(size, rate) / want - 1), 1e-14));
        }
    cr_assert(eq(dbl, sample_chance(8, 1), 1));
    cr_assert(eq(dbl, sample_chance(8, 0), 1));
}

Test(sample, objects_of_one_size_have_the_chance_of_that_size) {
    uint64_t random = 1;
    for (size_t i = 0; i < NSIZES; i++) {
        double chance = sample_chance(sizes[i], RATE);
        double nobjects = 0;
        for (int n = 0; n < DRAWS; n++)
            nobjects += (double)sample_gap(&random, chance);
        cr_assert(lt(dbl, fabs(DRAWS / nobjects / chance - 1), 0.003));
    }
}

Test(sample, the_first_object_has_the_same_chance_as_any_later_one) {
    uint64_t random = 2;
    enum { OBJECTS = 12 };
    for (size_t i = 4; i < NSIZES; i++) {
        double chance = sample_chance(sizes[i], RATE);
        double nsampled[OBJECTS + 1] = {0};
        for (int n = 0; n < DRAWS; n++)
            for (uint64_t at = sample_first(&random, chance); at <= OBJECTS;
                 at += sample_gap(&random, chance))
                nsampled[at]++;
        for (int at = 1; at <= OBJECTS; at++)
            cr_assert(lt(dbl, fabs(nsampled[at] / DRAWS / chance - 1), 0.04));
    }
}

Test(sample, among_objects_of_many_sizes_each_has_its_own_chance) {
    uint64_t random = 3;
    struct sampler s;
    double n[NSIZES] = {0}, nsampled[NSIZES] = {0};

    sampler_start(&s, &random);
    uint64_t order = 1;
    for (int i = 0; i < 4 * DRAWS; i++) {
        order = order * 6364136223846793005u + 1442695040888963407u;
        size_t k = (order >> 40) % NSIZES;
        n[k]++;
        nsampled[k] +=
            sampler_wants(&s, &random, sample_chance(sizes[k], RATE));
    }

    for (size_t k = 4; k < NSIZES; k++)
        cr_assert(lt(dbl,
                     fabs(nsampled[k] / n[k] / chance_of(sizes[k], RATE) - 1),
                     0.04));
}

Test(sample, sizes_that_take_turns_do_not_fall_into_step) {
    uint64_t random = 4;
    struct sampler s;
    double n[2] = {0};
    double chance = sample_chance(RATE / 2, RATE);

    sampler_start(&s, &random);
    for (int i = 0; i < DRAWS; i++)
        n[i % 2] += sampler_wants(&s, &random, chance);

    cr_assert(lt(dbl, fabs(n[0] / (DRAWS / 2) / chance - 1), 0.02));
    cr_assert(lt(dbl, fabs(n[1] / (DRAWS / 2) / chance - 1), 0.02));
}

Test(sample, fifty_megabytes_are_estimated_within_a_few_percent) {
    uint64_t random = 5;
    const double total = 50e6;
    struct sampler s;
    sampler_start(&s, &random);
    for (size_t i = 5; i < NSIZES; i++) {
        double chance = sample_chance(sizes[i], RATE);
        double nobjects = floor(total / (double)sizes[i]);
        for (int run = 0; run < 1000; run++) {
            double nsampled = 0;
            for (double at = 0; at < nobjects; at++)
                nsampled += sampler_wants(&s, &random, chance);
            cr_assert(lt(dbl, fabs(nsampled / chance / nobjects - 1), 0.14));
        }
    }
    for (size_t i = 0; i < 5; i++) {
        double chance = sample_chance(sizes[i], RATE);
        double nobjects = floor(total / (double)sizes[i]);
        for (int run = 0; run < 1000; run++) {
            double nsampled = 0;
            for (double at = (double)sample_first(&random, chance);
                 at <= nobjects; at += (double)sample_gap(&random, chance))
                nsampled++;
            cr_assert(lt(dbl, fabs(nsampled / chance / nobjects - 1), 0.14));
        }
    }
}

Test(sample, a_rate_of_one_takes_every_object) {
    uint64_t random = 7;
    struct sampler s;
    sampler_start(&s, &random);
    for (int i = 0; i < 1000; i++) {
        cr_assert(eq(u64, sample_first(&random, 1), 1));
        cr_assert(eq(u64, sample_gap(&random, 1), 1));
        cr_assert(sampler_wants(&s, &random, 1));
    }
}

Test(sample, the_least_chance_overflows_nothing_and_a_gap_is_never_zero) {
    uint64_t random = 9;
    for (int i = 0; i < 100000; i++) {
        uint64_t n = sample_gap(&random, sample_chance(1, INT64_MAX));
        cr_assert(n >= 1 && n <= (uint64_t)1 << 60);
        cr_assert(ge(u64, sample_gap(&random, 0.5), 1));
        cr_assert(ge(u64, sample_first(&random, 0.5), 1));
    }
}
