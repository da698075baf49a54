// maps.h: what the map's tests share: checks, and a type whose hash is the key.
#ifndef TESTS_MAP_MAPS_H
#define TESTS_MAP_MAPS_H

#include "which.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

// expect_eq shows both numbers when they differ.
#define expect_eq(got, want)                                                   \
    do {                                                                       \
        long long got_ = (long long)(got), want_ = (long long)(want);          \
        cr_assert(got_ == want_, "%s is %lld, should be %lld", #got, got_,     \
                  want_);                                                      \
    } while (0)

// sound is for typed maps: every invariant holds, and there are n entries.
#define sound(NAME, m, n)                                                      \
    do {                                                                       \
        const char *wrong_ =                                                   \
            mound_map_verify(NAME##_type(), NAME##_untyped(m));                \
        cr_assert(wrong_ == NULL, "%s", wrong_);                               \
        expect_eq(NAME##_len(m), (n));                                         \
    } while (0)

#define info_of(NAME, m) info_from(NAME##_type(), NAME##_untyped(m))

static inline struct mound_map_info info_from(const struct mound_map_type *t,
                                              const struct mound_map *m) {
    struct mound_map_info info;
    mound_map_info(t, m, &info);
    return info;
}

// Slots of the map's array, without overflow buckets, or of its tables.
#ifndef MAP_SWISS
#define slots_of(NAME, m) ((size_t)8 << info_of(NAME, m).B)
#else
#define slots_of(NAME, m) info_of(NAME, m).capacity
#endif

// A plain map has keys and elements of 64 bits, and the hash of a key is the key, so
// that a test decides which bucket it goes to and what its tophash is. hook, when
// not NULL, is called in hash and equal.
struct plain {
    void (*hook)(const char *where);
    size_t nhashes;
    size_t nequals;
    uint64_t seed;      // of the last hash
    const char *misuse; // the last message
    size_t nmisuses;
};

static inline uint64_t plain_hash(const void *key, uint64_t seed, void *user) {
    struct plain *p = (struct plain *)user;
    p->nhashes++;
    p->seed = seed;
    if (p->hook != NULL)
        p->hook("hash");
    return *(const uint64_t *)key;
}

static inline bool plain_equal(const void *a, const void *b, void *user) {
    struct plain *p = (struct plain *)user;
    p->nequals++;
    if (p->hook != NULL)
        p->hook("equal");
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static inline void plain_misuse(const char *message, void *user) {
    struct plain *p = (struct plain *)user;
    p->misuse = message;
    p->nmisuses++;
}

static inline struct mound_map_type plain_type(struct plain *p) {
    return (struct mound_map_type){
        .key_size = sizeof(uint64_t),
        .key_align = _Alignof(uint64_t),
        .elem_size = sizeof(uint64_t),
        .elem_align = _Alignof(uint64_t),
        .hash = plain_hash,
        .equal = plain_equal,
        .misuse = plain_misuse,
        .user = p,
    };
}

static inline bool plain_put(const struct mound_map_type *t,
                             struct mound_map *m, uint64_t key,
                             uint64_t value) {
    uint64_t *elem = (uint64_t *)mound_map_put(t, m, &key, NULL);
    if (elem == NULL)
        return false;
    *elem = value;
    return true;
}

static inline uint64_t *plain_get(const struct mound_map_type *t,
                                  const struct mound_map *m, uint64_t key) {
    return (uint64_t *)mound_map_get(t, m, &key);
}

static inline bool plain_delete(const struct mound_map_type *t,
                                struct mound_map *m, uint64_t key) {
    return mound_map_delete(t, m, &key);
}

static inline void plain_sound(const struct mound_map_type *t,
                               const struct mound_map *m, size_t n) {
    const char *wrong = mound_map_verify(t, m);
    cr_assert(wrong == NULL, "%s", wrong);
    expect_eq(mound_map_len(m), n);
}

// key_in returns the n-th key that goes to a bucket of 2^B; its tophash is not that
// of its neighbours.
static inline uint64_t key_in(unsigned B, uint64_t bucket, uint64_t n) {
    return bucket | n << B | (n * 37 + 5) % 251 << 56;
}

#endif
