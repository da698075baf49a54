// fastrand.h: random numbers for choosing samples. They can be predicted: not
// for anything an attacker must not guess.
#ifndef MOUND_BASE_FASTRAND_H
#define MOUND_BASE_FASTRAND_H

#include "base/compiler.h"

// fastrand returns the next number of a sequence; any initial state will do.
// After Steele, Lea and Flood's splitmix64 (public domain).
static inline uint64_t fastrand(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#endif // MOUND_BASE_FASTRAND_H
