// map_hash.c: the map's hashes: collisions and avalanche as SMHasher looks for them
// (by way of Go 1.19's runtime/hash_test.go), the bits that the map uses, and keys
// chosen by an adversary.
//
// The hashes have a key that each process draws anew, so the limits are those of
// chance: wide enough not to be met by a good hash in a million runs.
#include "mound_map.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

MOUND_MAP_U64(ints, int)
MOUND_MAP_STR(names, int)

static uint64_t chance_state;

static uint64_t chance(void) {
    uint64_t z = chance_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void chance_fill(unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(chance() >> 40);
}

// The first map draws the process's key.
static void draw(void) {
    ints_free(ints_make(0));
    cr_assert(mound_map_key_[0] != 0);
}

TestSuite(map_hash, .init = draw);

// A set of hashes.

enum { HASHES_MAX = 1 << 21 };
static uint64_t hashes[HASHES_MAX], sorted[HASHES_MAX];
static size_t nhashes;

static void add(uint64_t hash) {
    cr_assert(nhashes < HASHES_MAX);
    hashes[nhashes++] = hash;
}

static void add_bytes(const void *p, size_t n) {
    add(mound_hash_bytes(p, n, 0));
}

// sort fills sorted with bits of the hashes: by 16 bits at a time.
static void sort(uint64_t mask, unsigned shift) {
    static uint64_t other[HASHES_MAX];
    static uint32_t starts[1 << 16];
    for (size_t i = 0; i < nhashes; i++)
        sorted[i] = hashes[i] >> shift & mask;
    for (unsigned at = 0; at < 64 && mask >> at != 0; at += 16) {
        uint32_t sum = 0;
        memset(starts, 0, sizeof starts);
        for (size_t i = 0; i < nhashes; i++)
            starts[sorted[i] >> at & 0xffff]++;
        for (size_t d = 0; d < 1 << 16; d++) {
            uint32_t n = starts[d];
            starts[d] = sum;
            sum += n;
        }
        for (size_t i = 0; i < nhashes; i++)
            other[starts[sorted[i] >> at & 0xffff]++] = sorted[i];
        memcpy(sorted, other, nhashes * sizeof *sorted);
    }
}

static void check_collisions(const char *name, unsigned bits, unsigned shift) {
    uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    sort(mask, shift);
    size_t collisions = 0;
    for (size_t i = 1; i < nhashes; i++)
        collisions += sorted[i] == sorted[i - 1];
    double pairs = (double)nhashes * (double)(nhashes - 1) / 2;
    double expected = pairs / pow(2, bits);
    cr_assert((double)collisions <= expected + 8 * sqrt(expected) + 4,
              "%s: %zu of %zu hashes collide in the %u bits from %u, %.1f are "
              "to be expected",
              name, collisions, nhashes, bits, shift, expected);
}

// check_cells: as many hashes in each of 2^bits cells, by the chi-square test, whose
// sum is near normal with that many degrees of freedom.
static void check_cells(const char *name, unsigned bits, const uint32_t *cells,
                        size_t n) {
    size_t ncells = (size_t)1 << bits;
    double expected = (double)n / (double)ncells, sum = 0;
    for (size_t i = 0; i < ncells; i++) {
        double d = cells[i] - expected;
        sum += d * d / expected;
    }
    double freedom = (double)ncells - 1;
    double z = (sum - freedom) / sqrt(2 * freedom);
    cr_assert(z < 9, "%s: chi-square of %u bits is off by %.1f sigma", name,
              bits, z);
}

static void check_bits(const char *name) {
    static uint32_t cells[1 << 16];
    // Buckets of maps with that many entries to each.
    for (unsigned bits = 4; bits <= 16 && nhashes >> bits >= 5; bits += 4) {
        memset(cells, 0, sizeof cells);
        for (size_t i = 0; i < nhashes; i++)
            cells[hashes[i] & (((uint32_t)1 << bits) - 1)]++;
        check_cells(name, bits, cells, nhashes);
    }
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < nhashes; i++)
        cells[hashes[i] >> 56]++;
    if (nhashes >= 2000)
        check_cells(name, 8, cells, nhashes);
    // Tophash and bucket together: in a bucket, all tophashes are as likely.
    if (nhashes < 5 << 16)
        return;
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < nhashes; i++)
        cells[(hashes[i] >> 56) << 8 | (hashes[i] & 0xff)]++;
    check_cells(name, 16, cells, nhashes);
}

// check looks at the hashes added, and forgets them.
static void check(const char *name) {
    check_collisions(name, 64, 0);
    check_collisions(name, 32, 0);
    check_collisions(name, 32, 32);
    check_bits(name);
    nhashes = 0;
}

// Integers.

static void check_ints(const char *name, uint64_t from, uint64_t step) {
    for (uint64_t i = 0; i < 400000; i++)
        add(mound_hash_u64(from + i * step, 0x1234567));
    check(name);
}

Test(map_hash, integers_in_a_row_are_spread) {
    check_ints("from 0", 0, 1);
    check_ints("from below 2^32", 0xffffff00, 1);
    check_ints("downwards from 2^64", UINT64_MAX, UINT64_MAX);
}

// The header writes the products as machine code on x86-64; elsewhere it is this.
Test(map_hash, the_hash_of_an_integer_is_that_of_two_products) {
    for (int i = 0; i < 100000; i++) {
        uint64_t x = chance() >> i % 64, seed = chance() >> i % 63;
        mound_map_u128_ a = (mound_map_u128_)(x ^ seed) * mound_map_key_[0];
        mound_map_u128_ b = (mound_map_u128_)(uint64_t)a *
                            ((uint64_t)(a >> 64) ^ mound_map_key_[1]);
        cr_assert(mound_hash_u64(x, seed) ==
                  ((uint64_t)b ^ (uint64_t)(b >> 64)));
    }
}

Test(map_hash, integers_in_steps_are_spread) {
    char name[32];
    for (unsigned shift = 1; shift < 46; shift += 4) {
        snprintf(name, sizeof name, "steps of 2^%u", shift);
        check_ints(name, 0, (uint64_t)1 << shift);
    }
    check_ints("addresses", 0x7f3412345010, 48);
    check_ints("golden ratio", 0, 0x9e3779b97f4a7c15u);
}

static void add_sparse(uint64_t x, int from, int left) {
    add(mound_hash_u64(x, 0));
    for (int bit = from; left > 0 && bit < 64; bit++)
        add_sparse(x | (uint64_t)1 << bit, bit + 1, left - 1);
}

Test(map_hash, integers_of_few_bits_are_spread) {
    add_sparse(0, 0, 4);
    check("up to four bits");
}

Test(map_hash, rotations_of_16_bits_are_spread) {
    for (int r = 0; r < 64; r += 3) {
        for (uint64_t i = 0; i < 1 << 16; i++)
            add(mound_hash_u64(i << r | (r > 0 ? i >> (64 - r) : 0), 0));
        check("64 bits");
    }
    for (int r = 0; r < 32; r += 3) {
        for (uint32_t i = 0; i < 1 << 16; i++)
            add(mound_hash_u32(i << r | (r > 0 ? i >> (32 - r) : 0), 0));
        check("32 bits");
    }
}

Test(map_hash, one_key_has_as_many_hashes_as_there_are_seeds) {
    for (uint64_t seed = 0; seed < 100000; seed++)
        add(mound_hash_u64(0, seed));
    check("0");
    for (uint64_t seed = 0; seed < 100000; seed++)
        add(mound_hash_u64(0x123456789abcdef, seed));
    check("an integer");
    for (uint64_t seed = 0; seed < 100000; seed++)
        add(mound_hash_bytes("hello", 5, seed));
    check("hello");
    for (uint64_t seed = 0; seed < 100000; seed++)
        add(mound_hash_bytes(NULL, 0, seed));
    check("nothing");
    for (uint64_t seed = 0; seed < 100000; seed++)
        add(mound_hash_f64(0.5, seed));
    check("0.5");
}

Test(map_hash, pairs_of_small_integers_chained_are_spread) {
    for (uint64_t a = 0; a < 600; a++)
        for (uint64_t b = 0; b < 600; b++)
            add(mound_hash_u64(b, mound_hash_u64(a, 77)));
    check("pairs");
}

// Avalanche.

enum { AVALANCHE_TRIES = 20000 };

// hash_of returns the hash of n bytes at p under one of the functions.
typedef uint64_t hash_of(const unsigned char *p, size_t n);

// check_avalanche: flipping a bit of the key flips each bit of the hash every other
// time.
static void check_avalanche(const char *name, hash_of *hash, size_t n,
                            size_t tries) {
    static uint32_t flips[200 * 8][64];
    unsigned char key[200];
    memset(flips, 0, sizeof flips);
    for (size_t i = 0; i < tries; i++) {
        chance_fill(key, n);
        uint64_t before = hash(key, n);
        for (size_t in = 0; in < 8 * n; in++) {
            key[in / 8] ^= (unsigned char)(1u << in % 8);
            uint64_t changed = before ^ hash(key, n);
            key[in / 8] ^= (unsigned char)(1u << in % 8);
            for (int out = 0; out < 64; out++)
                flips[in][out] += changed >> out & 1;
        }
    }
    double mean = (double)tries / 2, sigma = sqrt((double)tries) / 2;
    for (size_t in = 0; in < 8 * n; in++)
        for (int out = 0; out < 64; out++)
            cr_assert(fabs(flips[in][out] - mean) < 9 * sigma,
                      "%s: bit %zu of the key flips bit %d of the hash %u "
                      "times of %zu",
                      name, in, out, flips[in][out], tries);
}

static uint64_t of_u64(const unsigned char *p, size_t n) {
    uint64_t x;
    memcpy(&x, p, n);
    return mound_hash_u64(x, 0xabcdef);
}

static uint64_t of_u32(const unsigned char *p, size_t n) {
    uint32_t x;
    memcpy(&x, p, n);
    return mound_hash_u32(x, 0);
}

static uint64_t of_seed(const unsigned char *p, size_t n) {
    uint32_t seed; // maps have 32 bits of it
    memcpy(&seed, p, n);
    return mound_hash_u64(42, seed);
}

static uint64_t of_bytes(const unsigned char *p, size_t n) {
    return mound_hash_bytes(p, n, 0);
}

static uint64_t of_bytes_seed(const unsigned char *p, size_t n) {
    uint32_t seed;
    memcpy(&seed, p, n);
    return mound_hash_bytes("hello", 5, seed);
}

static uint64_t of_f64(const unsigned char *p, size_t n) {
    double x;
    memcpy(&x, p, n);
    // All but NaNs and infinities, whose exponent has all bits.
    if (isnan(x) || isinf(x))
        x = 1;
    return mound_hash_f64(x, 7);
}

Test(map_hash, each_bit_of_an_integer_flips_each_of_the_hash) {
    check_avalanche("u64", of_u64, 8, AVALANCHE_TRIES);
    check_avalanche("u32", of_u32, 4, AVALANCHE_TRIES);
}

Test(map_hash, each_bit_of_the_seed_flips_each_of_the_hash) {
    check_avalanche("u64", of_seed, 4, AVALANCHE_TRIES);
    check_avalanche("bytes", of_bytes_seed, 4, AVALANCHE_TRIES);
}

Test(map_hash, each_bit_of_a_string_flips_each_of_the_hash) {
    static const size_t sizes[] = {1, 2, 3, 4, 8, 9, 16, 17, 32, 64, 128, 200};
    char name[32];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(name, sizeof name, "%zu bytes", sizes[i]);
        // A single byte has 256 values, which come again.
        check_avalanche(name, of_bytes, sizes[i],
                        sizes[i] == 1   ? 100
                        : sizes[i] > 32 ? AVALANCHE_TRIES / 10
                                        : AVALANCHE_TRIES / 2);
    }
}

Test(map_hash, each_bit_of_a_double_flips_each_of_the_hash) {
    check_avalanche("f64", of_f64, 8, AVALANCHE_TRIES);
}

// Strings.

Test(map_hash, a_strings_hash_depends_on_its_bytes_alone) {
    enum { PAD = 16, OFFSETS = 16 };
    static const size_t sizes[] = {0,   1,   2,   3,    4,    7,   8,   9,
                                   15,  16,  17,  31,   32,   33,  63,  64,
                                   65,  127, 128, 129,  239,  240, 241, 255,
                                   256, 257, 511, 1023, 1024, 1025};
    unsigned char a[1200], b[1200];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t offset = 0; offset < OFFSETS; offset++) {
            size_t n = sizes[i];
            chance_fill(a, sizeof a);
            chance_fill(b, sizeof b);
            memcpy(b + PAD + offset, a + PAD, n);
            cr_assert(mound_hash_bytes(a + PAD, n, 5) ==
                          mound_hash_bytes(b + PAD + offset, n, 5),
                      "%zu bytes at offset %zu", n, offset);
        }
}

Test(map_hash, the_hash_of_a_string_is_that_of_its_bytes) {
    cr_assert(mound_hash_str("hello", 3) == mound_hash_bytes("hello", 5, 3));
    cr_assert(mound_hash_view((struct mound_view){"hello!", 5}, 3) ==
              mound_hash_bytes("hello", 5, 3));
}

Test(map_hash, appended_zeros_make_other_strings) {
    char s[5 + 256] = "hello";
    for (size_t n = 0; n <= sizeof s; n++)
        add_bytes(s, n);
    check("hello and zeros");
}

Test(map_hash, zeros_of_all_lengths_are_spread) {
    enum { N = 20000 };
    static char zeros[N];
    for (size_t n = 0; n <= N; n++)
        add_bytes(zeros, n);
    check("zeros");
}

Test(map_hash, all_strings_of_up_to_two_bytes_and_some_of_three_are_spread) {
    unsigned char b[3];
    for (int i = 0; i < 256; i++) {
        b[0] = (unsigned char)i;
        add_bytes(b, 1);
        for (int j = 0; j < 256; j++) {
            b[1] = (unsigned char)j;
            add_bytes(b, 2);
            for (int k = 0; k < 256; k += 17) {
                b[2] = (unsigned char)k;
                add_bytes(b, 3);
            }
        }
    }
    check("short strings");
}

Test(map_hash, one_and_two_bytes_among_zeros_are_spread) {
    static const size_t sizes[] = {2, 3, 4, 5, 8, 12, 16, 20, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char b[40] = {0};
        size_t n = sizes[i], step = n <= 5 ? 1 : 16;
        add_bytes(b, n);
        for (size_t p = 0; p < n; p++)
            for (size_t x = 1; x < 256; x++) {
                b[p] = (unsigned char)x;
                add_bytes(b, n);
                for (size_t q = p + 1; q < n; q++) {
                    for (size_t y = 1; y < 256 && (x - 1) % step == 0;
                         y += step) {
                        b[q] = (unsigned char)y;
                        add_bytes(b, n);
                    }
                    b[q] = 0;
                }
                b[p] = 0;
            }
        check("two bytes");
    }
}

Test(map_hash, strings_that_repeat_themselves_are_spread) {
    enum { REPEAT = 8, N = 100000 };
    for (size_t n = 4; n <= 12; n++) {
        unsigned char b[REPEAT * 12];
        for (size_t i = 0; i < N; i++) {
            b[0] = (unsigned char)(i * 79 % 97);
            b[1] = (unsigned char)(i * 43 % 137);
            b[2] = (unsigned char)(i * 151 % 197);
            b[3] = (unsigned char)(i * 199 % 251);
            // Counted rather than drawn, so that no key comes twice.
            for (size_t j = 4; j < n; j++)
                b[j] = (unsigned char)(i >> (j - 4) * 4);
            for (size_t j = n; j < n * REPEAT; j++)
                b[j] = b[j - n];
            // 4 bytes alone are not all different.
            if (n > 4 || i < 97 * 137)
                add_bytes(b, n * REPEAT);
        }
        check("cyclic");
    }
}

static void add_set_bits(unsigned char *b, size_t n, size_t from, int left) {
    add_bytes(b, n);
    for (size_t bit = from; left > 0 && bit < 8 * n; bit++) {
        b[bit / 8] |= (unsigned char)(1u << bit % 8);
        add_set_bits(b, n, bit + 1, left - 1);
        b[bit / 8] &= (unsigned char)~(1u << bit % 8);
    }
}

Test(map_hash, strings_of_few_bits_are_spread) {
    static const struct {
        size_t bits;
        int most;
    } sparse[] = {{32, 5}, {40, 4},  {48, 4},  {64, 4},
                  {96, 3}, {256, 2}, {1024, 2}};
    for (size_t i = 0; i < sizeof sparse / sizeof *sparse; i++) {
        unsigned char b[128] = {0};
        add_set_bits(b, sparse[i].bits / 8, 0, sparse[i].most);
        check("sparse");
    }
}

static void add_combined(unsigned char *b, const uint32_t *words, size_t nwords,
                         size_t n, size_t most) {
    add_bytes(b, 4 * n);
    for (size_t i = 0; n < most && i < nwords; i++) {
        memcpy(b + 4 * n, &words[i], 4);
        add_combined(b, words, nwords, n + 1, most);
    }
}

Test(map_hash, combinations_of_few_words_are_spread) {
    static const uint32_t low[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint32_t high[] = {0,        1u << 29, 2u << 29, 3u << 29,
                                    4u << 29, 5u << 29, 6u << 29, 7u << 29};
    static const uint32_t one[] = {0, 1}, top[] = {0, 1u << 31};
    static const uint32_t both[] = {
        0,        1,        2,        3,        4,        5,        6,       7,
        1u << 29, 2u << 29, 3u << 29, 4u << 29, 5u << 29, 6u << 29, 7u << 29};
    unsigned char b[80];
    add_combined(b, low, 8, 0, 6);
    check("low words");
    add_combined(b, high, 8, 0, 6);
    check("high words");
    add_combined(b, one, 2, 0, 18);
    check("zeros and ones");
    add_combined(b, top, 2, 0, 18);
    check("top bits");
    add_combined(b, both, 15, 0, 5);
    check("low and high words");
}

Test(map_hash, windows_of_16_bits_in_long_strings_are_spread) {
    for (size_t r = 0; r < 1024; r += 67) {
        for (size_t i = 0; i < 1 << 16; i++) {
            unsigned char b[128] = {0};
            for (size_t j = 0; j < 16; j++)
                if (i >> j & 1)
                    b[(j + r) % 1024 / 8] |=
                        (unsigned char)(1u << (j + r) % 1024 % 8);
            add_bytes(b, sizeof b);
        }
        check("windowed");
    }
}

static void add_text(const char *prefix, const char *suffix) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTabcdefghijklmnopqrst"
                                  "0123456789";
    char b[32];
    size_t at = strlen(prefix), n = at + 3 + strlen(suffix);
    snprintf(b, sizeof b, "%s...%s", prefix, suffix);
    for (const char *x = letters; *x; x++)
        for (const char *y = letters; *y; y++)
            for (const char *z = letters; *z; z++) {
                b[at] = *x;
                b[at + 1] = *y;
                b[at + 2] = *z;
                add_bytes(b, n);
            }
    check("text");
}

Test(map_hash, words_with_a_prefix_and_a_suffix_are_spread) {
    add_text("Foo", "Bar");
    add_text("FooBar", "");
    add_text("", "FooBar");
    add_text("a longer prefix ", "");
}

Test(map_hash, numbers_in_decimal_are_spread) {
    char s[32];
    for (int i = 0; i < 500000; i++)
        add_bytes(s, (size_t)snprintf(s, sizeof s, "%d", i));
    check("decimal");
    for (int i = 0; i < 500000; i++)
        add_bytes(s, (size_t)snprintf(s, sizeof s, "user:%08d:name", i));
    check("decimal in text");
}

Test(map_hash, any_two_of_16_bytes_reach_most_values_of_16_bits) {
    static uint8_t low[1 << 16], high[1 << 16];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            unsigned char a[16] = {0};
            size_t nlow = 0, nhigh = 0;
            if (i == j)
                continue;
            memset(low, 0, sizeof low);
            memset(high, 0, sizeof high);
            for (int n = 0; n < 1 << 16; n++) {
                a[i] = (unsigned char)n;
                a[j] = (unsigned char)(n >> 8);
                uint64_t h = mound_hash_bytes(a, sizeof a, 0);
                low[h & 0xffff] = 1;
                high[h >> 48] = 1;
            }
            for (int n = 0; n < 1 << 16; n++) {
                nlow += low[n];
                nhigh += high[n];
            }
            // By chance 41427.
            cr_assert(nlow > 40000 && nhigh > 40000,
                      "bytes %d and %d: %zu and %zu values", i, j, nlow, nhigh);
        }
}

// Floats.

Test(map_hash, both_zeros_have_one_hash) {
    for (uint64_t seed = 0; seed < 100; seed++)
        cr_assert(mound_hash_f64(0.0, seed) == mound_hash_f64(-0.0, seed));
    cr_assert(mound_hash_f64(1.0, 0) != mound_hash_f64(-1.0, 0));
}

Test(map_hash, a_nan_has_another_hash_each_time) {
    for (int i = 0; i < 100000; i++)
        add(mound_hash_f64(NAN, 0));
    check("NaN");
}

Test(map_hash, doubles_with_short_mantissas_are_spread) {
    for (int i = -100000; i < 100000; i++)
        add(mound_hash_f64(i, 0));
    check("whole numbers");
    for (int i = 1; i < 100000; i++)
        add(mound_hash_f64(i / 1024.0, 0));
    check("binary fractions");
    for (int i = 1; i < 100000; i++)
        add(mound_hash_f64(i * 0.01, 0));
    check("hundredths");
    for (int i = -1000; i < 1000; i++)
        add(mound_hash_f64(ldexp(1, i), 0));
    check("powers of two");
}

// Adversaries, who know the source, but neither the process's key nor the seeds.

// The overflow buckets that a map has with those keys.
static unsigned overflow_of(const struct mound_map_type *t,
                            const uint64_t *keys, size_t n) {
    struct mound_map *m = mound_map_make(t, n);
    for (size_t i = 0; i < n; i++)
        mound_map_put(t, m, &keys[i], NULL);
    struct mound_map_info info;
    mound_map_info(t, m, &info);
    cr_assert(info.count == n);
    mound_map_free(t, m);
    return info.noverflow;
}

static const uint64_t FIBONACCI = 0x9e3779b97f4a7c15u;

static uint64_t fibonacci_hash(const void *key, uint64_t seed, void *user) {
    (void)seed;
    (void)user;
    return *(const uint64_t *)key * FIBONACCI;
}

static bool same(const void *a, const void *b, void *user) {
    (void)user;
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static struct mound_map_type with_hash(uint64_t (*hash)(const void *, uint64_t,
                                                        void *)) {
    return (struct mound_map_type){.key_size = 8,
                                   .key_align = 8,
                                   .elem_size = 4,
                                   .elem_align = 4,
                                   .hash = hash,
                                   .equal = same};
}

enum { NKEYS = 4000, CHANCE_MOST = 120 };

Test(map_hash, keys_against_a_multiplicative_hash_are_ordinary_keys_here) {
    // The inverse of an odd number, by Newton's method.
    uint64_t inverse = FIBONACCI;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - FIBONACCI * inverse;
    cr_assert(inverse * FIBONACCI == 1);
    static uint64_t keys[NKEYS];
    for (uint64_t i = 0; i < NKEYS; i++)
        keys[i] = inverse * (i << 24);
    // There all are in one chain of 500 buckets.
    struct mound_map_type t = with_hash(fibonacci_hash);
    unsigned there = overflow_of(&t, keys, NKEYS);
    cr_assert(there >= NKEYS / 8 - 1, "%u overflow buckets there", there);
    // Here, of 1024 buckets with 4 entries on the average, 2 in 100 overflow.
    unsigned here = overflow_of(ints_type(), keys, NKEYS);
    cr_assert(here < CHANCE_MOST, "%u overflow buckets here", here);
}

static uint64_t unkeyed_hash(const void *key, uint64_t seed, void *user) {
    (void)user;
    // mound_hash_u64 in a process whose key is known.
    mound_map_u128_ a =
        (mound_map_u128_)(*(const uint64_t *)key ^ 0x1111111111111111) *
        (seed ^ 0x2222222222222223);
    mound_map_u128_ b = (mound_map_u128_)((uint64_t)a ^ 0x3333333333333333) *
                        ((uint64_t)(a >> 64) ^ 0x4444444444444445);
    return (uint64_t)b ^ (uint64_t)(b >> 64);
}

static uint64_t known_hash(const void *key, uint64_t seed, void *user) {
    (void)seed;
    return unkeyed_hash(key, 12345, user);
}

Test(map_hash, keys_that_collide_in_a_process_whose_key_is_known_do_not_here) {
    static uint64_t keys[NKEYS];
    size_t n = 0;
    for (uint64_t x = 0; n < NKEYS; x++)
        if ((known_hash(&x, 0, NULL) & 1023) == 7)
            keys[n++] = x;
    struct mound_map_type t = with_hash(known_hash);
    unsigned there = overflow_of(&t, keys, NKEYS);
    cr_assert(there >= NKEYS / 8 - 1, "%u overflow buckets there", there);
    unsigned here = overflow_of(ints_type(), keys, NKEYS);
    cr_assert(here < CHANCE_MOST, "%u overflow buckets here", here);
}

static uint64_t seedless(const void *key, uint64_t seed, void *user) {
    (void)seed;
    (void)user;
    return mound_hash_u64(*(const uint64_t *)key, 99);
}

Test(map_hash, keys_that_collide_in_one_map_do_not_in_the_next) {
    // Who learns the order of one map's entries knows what collides there.
    static uint64_t keys[NKEYS];
    size_t n = 0;
    for (uint64_t x = 0; n < NKEYS; x++)
        if ((mound_hash_u64(x, 99) & 1023) == 7)
            keys[n++] = x;
    struct mound_map_type t = with_hash(seedless);
    unsigned there = overflow_of(&t, keys, NKEYS);
    cr_assert(there >= NKEYS / 8 - 1, "%u overflow buckets there", there);
    unsigned here = overflow_of(ints_type(), keys, NKEYS);
    cr_assert(here < CHANCE_MOST, "%u overflow buckets here", here);
}

// Eight strings, of which four are "foo" and four are "": 70 keys, which a hash that
// is careless with empty strings takes for one.
struct eight {
    const char *s[8];
};

static uint64_t eight_hash(struct eight k, uint64_t seed) {
    for (int i = 0; i < 8; i++)
        seed = mound_hash_str(k.s[i], seed);
    return seed;
}

static bool eight_eq(struct eight a, struct eight b) {
    for (int i = 0; i < 8; i++)
        if (strcmp(a.s[i], b.s[i]) != 0)
            return false;
    return true;
}

MOUND_MAP_DECLARE(eights, struct eight, bool, eight_hash, eight_eq)

Test(map_hash, empty_strings_in_a_struct_count_for_its_hash) {
    eights *m = eights_make(70);
    for (unsigned i = 0; i < 256; i++) {
        struct eight k;
        for (int j = 0; j < 8; j++)
            k.s[j] = i >> j & 1 ? "foo" : "";
        if (__builtin_popcount(i) == 4)
            eights_set(m, k, true);
    }
    cr_assert(eights_len(m) == 70);
    struct mound_map_info info;
    mound_map_info(eights_type(), eights_untyped(m), &info);
    // All in one chain they would be 8; by chance, less than one in 16 buckets.
    cr_assert(info.noverflow < 8, "%u overflow buckets", info.noverflow);
    eights_free(m);
}

Test(map_hash, the_process_draws_its_key_once) {
    uint64_t key[2];
    memcpy(key, mound_map_key_, sizeof key);
    for (int i = 0; i < 10; i++)
        names_free(names_make(100));
    cr_assert(memcmp(key, mound_map_key_, sizeof key) == 0);
    cr_assert(key[0] != key[1]);
}
