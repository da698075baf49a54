// mound_map_hash.h: hashes and equality for the usual keys. See mound_map.h.
//
// A hash is keyed twice: by the process (32 bytes drawn from the system before the
// first map is made) and by the map (its seed). Without knowing them nobody can choose
// keys that fall into one bucket. A hash must not outlive the process, and is not for
// cryptography.
//
//   integers, pointers, floats   two 64 x 64 -> 128 bit products, as in Wang Yi's
//                                wyhash (final version 4, public domain): the key
//                                by one word of the process, and the halves of
//                                that by each other
//   bytes, strings               XXH3 (64 bits) of Yann Collet's xxHash 0.8.1 over
//                                a secret of the process, then one product with
//                                the map's seed
//
// tests/unit/map_hash.c has SMHasher's collision and avalanche tests of these very
// functions. Two cheaper ones fail them: one product alone, which with one key of the
// process in some hundred makes chains of hundreds of integers in a row, and a second
// product by a constant, with which single bits flip in 42 % of the cases.
#ifndef MOUND_MAP_HASH_H
#define MOUND_MAP_HASH_H

#ifndef __SIZEOF_INT128__
#error "mound_map needs a 64-bit machine"
#endif

#ifdef __cplusplus
extern "C" {
#endif

// mound_map_key_ is the process's hash key; zeros before the first map is made.
MOUND_MAP_API extern uint64_t mound_map_key_[2];

__extension__ typedef unsigned __int128 mound_map_u128_;

// A mound_view is a string of size bytes at data; it may hold zeros, and data may
// be NULL when size is 0.
struct mound_view {
    const char *data;
    size_t size;
};

// mound_hash_u64 returns the hash of x; unsigned integers of all widths may use
// it, signed ones by a cast. Struct keys chain it: the hash of one field is the
// seed of the next. Cost: two multiplications.
static inline uint64_t mound_hash_u64(uint64_t x, uint64_t seed) {
    x ^= seed;
#ifdef __x86_64__
    // The same as below in 6 instructions; gcc makes 14, five of them moves.
    uint64_t high;
    __asm__("mulq %2" : "+a"(x), "=&d"(high) : "m"(mound_map_key_[0]) : "cc");
    high ^= mound_map_key_[1];
    __asm__("mulq %1" : "+a"(x), "+d"(high) : : "cc");
    return x ^ high;
#else
    mound_map_u128_ a = (mound_map_u128_)x * mound_map_key_[0];
    mound_map_u128_ b = (mound_map_u128_)(uint64_t)a *
                        ((uint64_t)(a >> 64) ^ mound_map_key_[1]);
    return (uint64_t)b ^ (uint64_t)(b >> 64);
#endif
}

static inline uint64_t mound_hash_u32(uint32_t x, uint64_t seed) {
    return mound_hash_u64(x, seed);
}

static inline uint64_t mound_hash_ptr(const void *p, uint64_t seed) {
    return mound_hash_u64((uint64_t)(uintptr_t)p, seed);
}

// mound_hash_bytes returns the hash of size bytes at p.
MOUND_MAP_API uint64_t mound_hash_bytes(const void *p, size_t size,
                                        uint64_t seed);

static inline uint64_t mound_hash_str(const char *s, uint64_t seed) {
    return mound_hash_bytes(s, strlen(s), seed);
}

static inline uint64_t mound_hash_view(struct mound_view v, uint64_t seed) {
    return mound_hash_bytes(v.data, v.size, seed);
}

// mound_hash_f64: +0 and -0 are one key; NaNs are all different, and each call
// returns another hash for them.
MOUND_MAP_API uint64_t mound_hash_f64(double x, uint64_t seed);

static inline bool mound_eq_u64(uint64_t a, uint64_t b) {
    return a == b;
}

static inline bool mound_eq_u32(uint32_t a, uint32_t b) {
    return a == b;
}

static inline bool mound_eq_ptr(const void *a, const void *b) {
    return a == b;
}

static inline bool mound_eq_f64(double a, double b) {
    return a == b;
}

static inline bool mound_eq_str(const char *a, const char *b) {
    return a == b || strcmp(a, b) == 0;
}

static inline bool mound_eq_view(struct mound_view a, struct mound_view b) {
    // memcmp may not be given NULL, not even for no bytes.
    return a.size == b.size && (a.data == b.data || a.size == 0 ||
                                memcmp(a.data, b.data, a.size) == 0);
}

// Copies for keys that the map is to own; false: out of memory.
MOUND_MAP_API bool mound_copy_str(const char **dst, const char *src);
MOUND_MAP_API bool mound_copy_view(struct mound_view *dst,
                                   struct mound_view src);
MOUND_MAP_API void mound_drop_str(const char *s);
MOUND_MAP_API void mound_drop_view(struct mound_view v);

#ifdef __cplusplus
}
#endif

#endif
