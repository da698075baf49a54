// bits.h: pure functions on words: rounding, runs of ones.
#ifndef MOUND_BASE_BITS_H
#define MOUND_BASE_BITS_H

#include "base/compiler.h"

enum { WORD_BITS = 64 };

static inline size_t align_up(size_t n, size_t align) {
    return (n + align - 1) & ~(align - 1);
}

static inline size_t align_down(size_t n, size_t align) {
    return n & ~(align - 1);
}

static inline bool is_pow2(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

static inline size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

static inline size_t clamp_size(size_t n, size_t lo, size_t hi) {
    return n < lo ? lo : n > hi ? hi : n;
}

// ceil_log2 returns the smallest k with 1 << k >= n; n is at least 1.
static inline unsigned ceil_log2(size_t n) {
    return n <= 1 ? 0 : 64 - (unsigned)__builtin_clzl(n - 1);
}

// word_range returns a word with n ones from bit lo; lo + n is at most 64.
static inline uint64_t word_range(unsigned lo, unsigned n) {
    return n == WORD_BITS ? ~(uint64_t)0 : (((uint64_t)1 << n) - 1) << lo;
}

// word_runs returns the bits of x where n ones in a row begin; n is at least 1.
// Cost: log2(n) steps. Each step removes ones from the top of every run until
// only runs of at least n ones have a bit left; after Go 1.19's
// runtime/mpallocbits.go, findBitRange64.
static inline uint64_t word_runs(uint64_t x, unsigned n) {
    unsigned left = n - 1;
    for (unsigned width = 1; left > 0 && x != 0; width *= 2) {
        unsigned step = left < width ? left : width;
        x &= x >> step;
        left -= step;
    }
    return x;
}

// word_find_run returns the lowest bit where n ones in a row begin, or 64.
static inline unsigned word_find_run(uint64_t x, unsigned n) {
    x = word_runs(x, n);
    return x == 0 ? WORD_BITS : (unsigned)__builtin_ctzl(x);
}

#endif // MOUND_BASE_BITS_H
