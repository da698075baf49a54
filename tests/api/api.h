// api.h: what the tests of mound.h share. They link libmound.a, so that the
// test runner keeps its own malloc and every object of mound's heap is the
// test's.
#ifndef TESTS_API_H
#define TESTS_API_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mound.h"

enum { PAGE_BYTES = 8192, MAX_SMALL = 32768, KIB = 1 << 10, MIB = 1 << 20 };

static inline struct mound_memstats read_stats(void) {
    struct mound_memstats m;
    memset(&m, 0xaa, sizeof m);
    mound_read_memstats(&m, sizeof m);
    return m;
}

// rng_next is splitmix64.
static inline uint64_t rng_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// mixed_size draws a size: mostly small, sometimes large.
static inline size_t mixed_size(uint64_t *rng) {
    uint64_t r = rng_next(rng);
    unsigned kind = r & 63;
    size_t top = kind < 40   ? 256
                 : kind < 56 ? 4 * KIB
                 : kind < 62 ? 64 * KIB
                             : 2 * MIB;
    return 1 + (size_t)((r >> 8) % top);
}

#endif // TESTS_API_H
