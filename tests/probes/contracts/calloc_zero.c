// calloc_zero.c: calloc hands out zeroes whatever the memory was before: slots
// freed a moment ago, pages of a span of another class, a large block that was
// dirtied and freed, pages that went back to the system and came again.
//
// Trap 50: memory is only known to be zero when the system has really taken it.
#include <malloc.h>

#include "contract.h"

enum { SEED = 50, ROUNDS = 12, NLIVE = 3000, TOP = 8 * MIB };

static void check_zero(size_t n, size_t size, const char *when) {
    unsigned char *p = calloc(n, size);
    expect(p, "calloc(%zu, %zu) %s returned NULL", n, size, when);
    expect(all_zero(p, n * size), "calloc(%zu, %zu) %s is not zero", n, size,
           when);
    memset(p, 0xff, malloc_usable_size(p));
    free(p);
}

// Each size is dirtied, freed and asked for again at once.
static void same_size_again(void) {
    for (size_t size = 1; size <= 66 * KIB;
         size += size < 1100 ? 1 : size / 61) {
        void *p = must_malloc(size);
        memset(p, 0xff, malloc_usable_size(p));
        free(p);
        check_zero(1, size, "after a free of the same size");
    }
    for (size_t size = 32 * KIB; size <= 80 * (size_t)MIB; size += size / 2) {
        void *p = must_malloc(size);
        memset(p, 0xff, malloc_usable_size(p));
        free(p);
        check_zero(size, 1, "after a large free");
        check_zero(1, size / 2, "after a large free of twice the size");
    }
}

// The pages of large blocks become small objects, and the other way round.
static void across_sizes(uint64_t *rng) {
    static void *live[NLIVE];
    for (int round = 0; round < ROUNDS; round++) {
        size_t block = (1 + rng_next(rng) % 24) * MIB;
        unsigned char *big = must_malloc(block);
        memset(big, 0xff, block);
        free(big);
        if (round % 5 == 0) {
            malloc_trim(0);
        }
        size_t size = round % 2 ? 16 + rng_next(rng) % 2000
                                : 1 + rng_next(rng) % (40 * KIB);
        for (int i = 0; i < NLIVE; i++) {
            unsigned char *p = calloc(1, size);
            expect(p && all_zero(p, size),
                   "calloc(1, %zu) is not zero after a free of %zu", size,
                   block);
            memset(p, 0xff, malloc_usable_size(p));
            live[i] = p;
        }
        for (int i = 0; i < NLIVE; i++) {
            free(live[i]);
        }
        check_zero(1, block, "after many small frees");
    }
}

// Random sizes, all dirtied.
static void at_random(uint64_t *rng) {
    static void *live[NLIVE];
    for (int i = 0; i < 8 * NLIVE; i++) {
        void **slot = &live[rng_next(rng) % NLIVE];
        free(*slot);
        size_t size = mixed_size(rng, TOP);
        unsigned char *p = calloc(1, size);
        expect(p && all_zero(p, size), "calloc(1, %zu) is not zero", size);
        memset(p, 0xff, malloc_usable_size(p));
        *slot = p;
    }
    for (int i = 0; i < NLIVE; i++) {
        free(live[i]);
    }
}

// A large object that shrinks in place leaves dirty pages behind, and one that
// grows takes pages others dirtied: only the contents count.
static void after_realloc(uint64_t *rng) {
    for (int i = 0; i < 100; i++) {
        size_t from = 64 * KIB + rng_next(rng) % (4 * MIB);
        size_t to = 1 + rng_next(rng) % from;
        unsigned char *p = must_malloc(from);
        memset(p, 0xff, from);
        p = realloc(p, to);
        expect(p, "realloc from %zu to %zu returned NULL", from, to);
        check_zero(1, from - to + 1, "after a shrink");
        check_zero(1, from, "after a shrink, larger");
        free(p);
    }
}

int main(void) {
    uint64_t rng = SEED;
    same_size_again();
    across_sizes(&rng);
    at_random(&rng);
    after_realloc(&rng);
    return 0;
}
