// sample.c: see sample.h.
#include "prof/sample.h"

#include <string.h>

#include "base/fastrand.h"

// Gaps are uniform in [LEAST, MOST], in sums of probabilities, with mean 1. An
// object with a probability of at most LEAST can then have no two samples, and
// has one with exactly its probability.
static const double LEAST = 0.5, MOST = 1.5;

double sample_chance(uint64_t size, uint64_t rate) {
    enum { TERMS = 10 };
    double x = rate <= 1 ? 40 : (double)size / (double)rate;
    if (!(x < 40)) // 1 - e^-40 is 1 in a double
        return 1;
    int halvings = 0;
    for (; x > 1.0 / 16; x /= 2)
        halvings++;
    // Taylor: x(1 - x/2(1 - x/3(1 - ...))); what is cut is below 1e-18 of it.
    double sum = 1;
    for (int i = TERMS; i > 1; i--)
        sum = 1 - x / i * sum;
    double y = x * sum;
    // 1 - e^-2x = y(2 - y) for y = 1 - e^-x. An error in y shrinks by it.
    for (; halvings > 0; halvings--)
        y *= 2 - y;
    return y;
}

// uniform returns a number in [0, 1).
static double uniform(uint64_t *random) {
    enum { BITS = 53 }; // of a double
    return (double)(fastrand(random) >> (64 - BITS)) /
           (double)((uint64_t)1 << BITS);
}

static double gap(uint64_t *random) {
    return LEAST + (MOST - LEAST) * uniform(random);
}

// first returns the distance of the next sample from a point that is independent of
// the last one: a gap, chosen with a probability in proportion to its length, and a
// point in it.
static double first(uint64_t *random) {
    for (;;) {
        double g = gap(random);
        if (uniform(random) * MOST < g)
            return g * uniform(random);
    }
}

// roll returns after how many objects one is chosen, each independently with
// this probability.
static uint64_t roll(uint64_t *random, double chance) {
    uint64_t n = 1;
    while (uniform(random) >= chance)
        n++;
    return n;
}

static const double OBJECTS_MAX = (double)((uint64_t)1 << 60);

// Rounds to a whole number of objects, up or down at random, preserving the
// mean.
static uint64_t whole(uint64_t *random, double nobjects) {
    return nobjects < OBJECTS_MAX ? (uint64_t)(nobjects + uniform(random))
                                  : (uint64_t)OBJECTS_MAX;
}

uint64_t sample_first(uint64_t *random, double chance) {
    if (chance > LEAST)
        return roll(random, chance);
    double n = first(random) / chance;
    return n < OBJECTS_MAX ? (uint64_t)n + 1 : (uint64_t)OBJECTS_MAX;
}

uint64_t sample_gap(uint64_t *random, double chance) {
    if (chance > LEAST) // a gap might be less than an object
        return roll(random, chance);
    return whole(random, gap(random) / chance);
}

void sampler_start(struct sampler *s, uint64_t *random) {
    s->left = first(random);
    s->out = first(random);
}

static bool passes(double *left, uint64_t *random, double chance) {
    *left -= chance;
    if (*left > 0)
        return false;
    *left += gap(random);
    return true;
}

bool sampler_wants(struct sampler *s, uint64_t *random, double chance) {
    if (chance > LEAST)
        return !passes(&s->out, random, 1 - chance);
    return passes(&s->left, random, chance);
}
