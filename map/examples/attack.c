// attack.c: keys that somebody picked so that all fall into one bucket. Java's
// table then turns the bucket into a tree; this one does not let it come to
// that: its hash is seeded, by the process and by the map. go/attack.go is the
// same in Go.
//
//     cc -O2 attack.c $(pkg-config --cflags --libs mound moundmap)
//     ./a.out [ENTRIES]
//
// The unseeded map is ours with a well-known hash, Murmur3's finalizer. It
// spreads ordinary keys well, and anybody can run it backwards.
#include <mound_map.h>
#include <stdio.h>
#include <time.h>

static const uint64_t MUL_1 = 0xff51afd7ed558ccdu, MUL_2 = 0xc4ceb9fe1a85ec53u;

static uint64_t murmur(uint64_t x, uint64_t seed) {
    (void)seed;
    x = (x ^ x >> 33) * MUL_1;
    x = (x ^ x >> 33) * MUL_2;
    return x ^ x >> 33;
}

// The number that undoes a multiplication by the odd number x: Newton's method,
// which doubles the right bits in each step.
static uint64_t inverse(uint64_t x) {
    uint64_t y = x; // x * x is 1 in the lowest three bits
    for (int bits = 3; bits < 64; bits *= 2)
        y *= 2 - x * y;
    return y;
}

// The key whose murmur is hash.
static uint64_t murmur_backwards(uint64_t hash) {
    uint64_t x = hash ^ hash >> 33;
    x *= inverse(MUL_2);
    x = (x ^ x >> 33) * inverse(MUL_1);
    return x ^ x >> 33;
}

MOUND_MAP_DECLARE(unseeded, uint64_t, uint64_t, murmur, mound_eq_u64)
MOUND_MAP_U64(seeded, uint64_t)

// Hashes whose low 24 and top bits are zeros: one bucket, one tophash.
static uint64_t attack_key(uint64_t i) {
    return murmur_backwards(i << 24);
}

static uint64_t ordinary_key(uint64_t i) {
    return i;
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// The most entries that one bucket's chain has to hold. It asks the type for
// the hash of each key and reads the map's seed, which programs have no
// business with.
static size_t longest_chain(const struct mound_map_type *t,
                            const struct mound_map *m) {
    struct mound_map_info info;
    mound_map_info(t, m, &info);
    size_t nbuckets = (size_t)1 << info.B, longest = 0;
    uint32_t *chain = (uint32_t *)calloc(nbuckets, sizeof *chain);
    if (chain == NULL)
        return 0;
    struct mound_map_iter it;
    mound_map_begin(t, m, &it);
    while (mound_map_next(&it)) {
        size_t bucket = t->hash(it.key, m->hash0_, t->user) & (nbuckets - 1);
        if (++chain[bucket] > longest)
            longest = chain[bucket];
    }
    mound_map_end(&it);
    free(chain);
    return longest;
}

static void rows(const char *what, size_t chain, double put_ns, double get_ns) {
    printf("%-24s longest chain  %12zu\n", what, chain);
    printf("%-24s ns an insert   %12.1f\n", what, put_ns);
    printf("%-24s ns a lookup    %12.1f\n", what, get_ns);
}

static double least(double a, double b) {
    return a < b ? a : b;
}

// One function for each type of map, so that its operations are inlined. The
// best of some rounds: whatever else the machine does can only make them
// slower.
enum { ROUNDS = 5 };
#define MEASURE(NAME)                                                          \
    static bool measure_##NAME(const char *what, uint64_t (*key)(uint64_t),    \
                               uint64_t n) {                                   \
        double put_ns = 1e18, get_ns = 1e18;                                   \
        size_t chain = 0;                                                      \
        for (int round = 0; round < ROUNDS; round++) {                         \
            NAME *m = NAME##_make(0);                                          \
            double start = now_ns();                                           \
            for (uint64_t i = 0; i < n; i++)                                   \
                if (!NAME##_set(m, key(i), i))                                 \
                    return false;                                              \
            double filled = now_ns();                                          \
            for (uint64_t i = 0; i < n; i++)                                   \
                if (!NAME##_has(m, key(i)))                                    \
                    return false;                                              \
            put_ns = least(put_ns, filled - start);                            \
            get_ns = least(get_ns, now_ns() - filled);                         \
            size_t longest = longest_chain(NAME##_type(), NAME##_untyped(m));  \
            chain = longest > chain ? longest : chain;                         \
            NAME##_free(m);                                                    \
        }                                                                      \
        rows(what, chain, put_ns / (double)n, get_ns / (double)n);             \
        return true;                                                           \
    }
MEASURE(unseeded)
MEASURE(seeded)

int main(int argc, char **argv) {
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    printf("# %llu keys\n", (unsigned long long)n);
    if (!measure_unseeded("unseeded, ordinary keys:", ordinary_key, n) ||
        !measure_unseeded("unseeded, attack keys:", attack_key, n) ||
        !measure_seeded("seeded, ordinary keys:", ordinary_key, n) ||
        !measure_seeded("seeded, attack keys:", attack_key, n)) {
        perror("measure");
        return 1;
    }
    // A red-black tree of n nodes is at most 2 log2(n + 1) high.
    unsigned log2 = 0;
    while (n >> log2 != 0)
        log2++;
    printf("%-39s %12u\n", "a tree of as many, height at most", 2 * log2);
    return 0;
}
