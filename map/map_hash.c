// map_hash.c: the process's hash key, and the hashes that are not inlined. See
// mound_map_hash.h for their sources.
#include "map_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uint64_t mound_map_key_[2];

enum { SECRET_SIZE = XXH_SECRET_DEFAULT_SIZE };

// The secret that XXH3 reads its bytes against, in place of its published one.
static uint64_t secret[SECRET_SIZE / sizeof(uint64_t)];

static uint64_t mix(uint64_t a, uint64_t b) {
    mound_map_u128_ p = (mound_map_u128_)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

// Golden ratio and its like: odd numbers without a pattern.
static const uint64_t ODD_1 = 0x9e3779b97f4a7c15u, ODD_2 = 0xd1b54a32d192ed03u;

static uint64_t clock_bits(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
#endif
}

// entropy fills n words, at least 2, with random bits of the system's.
static void entropy(uint64_t *words, size_t n) {
    int saved = errno;
    memset(words, 0, n * sizeof *words);
    // A sandbox may forbid the call; the loader was given 16 random bytes. A child
    // has its parent's, so its number is added.
    if (getrandom(words, n * sizeof *words, GRND_NONBLOCK) !=
        (ssize_t)(n * sizeof *words)) {
        const void *at_random = (const void *)getauxval(AT_RANDOM);
        if (at_random != NULL)
            memcpy(words, at_random, 16);
        words[n - 2] ^= clock_bits();
        words[n - 1] ^= (uint64_t)(uintptr_t)words ^ (uint64_t)getpid() << 32;
    }
    errno = saved;
}

static void draw(void) {
    uint64_t seed[4];
    entropy(seed, sizeof seed / sizeof *seed);
    uint64_t state = seed[0];
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        state += ODD_1;
        secret[i] = mix(state ^ seed[1 + i % 3], state ^ ODD_2);
    }
    for (int i = 0; i < 2; i++) {
        state += ODD_1;
        // Odd, so that the product loses no bit of the other factor.
        mound_map_key_[i] =
            (mix(state ^ seed[i], state ^ ODD_2) ^ seed[3 - i]) | 1;
    }
}

// The key of chance, 0 until the next draw draws it. It is not the hash key, which a
// forked child has to keep, as maps of its parent's are full of hashes.
static uint64_t chance_key; // atomic

static void chance_forget(void) {
    __atomic_store_n(&chance_key, 0, __ATOMIC_RELAXED);
}

static void start(void) {
    draw();
    // ENOMEM is no reason not to make maps: a child then draws what its parent does.
    int saved = errno;
    pthread_atfork(NULL, NULL, chance_forget);
    errno = saved;
}

void map_hash_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}

static __attribute__((noinline, cold)) uint64_t chance_renew(void) {
    uint64_t seed[2], none = 0;
    entropy(seed, sizeof seed / sizeof *seed);
    uint64_t key = mix(seed[0] ^ ODD_1, seed[1] ^ ODD_2) | 1;
    // If several threads are here at once, one sets it for all.
    if (__atomic_compare_exchange_n(&chance_key, &none, key, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return key;
    return none;
}

uint64_t map_random(void) {
    // A thread has a number that no other thread of the process had (by its address
    // threads that come one after another could not be told apart), and counts.
    static uint64_t nthreads; // atomic
    static __thread uint64_t thread, ndraws;
    uint64_t key = __atomic_load_n(&chance_key, __ATOMIC_RELAXED);
    if (MOUND_MAP_UNLIKELY_(key == 0))
        key = chance_renew();
    if (MOUND_MAP_UNLIKELY_(ndraws == 0))
        thread = __atomic_add_fetch(&nthreads, 1, __ATOMIC_RELAXED);
    uint64_t x =
        mix(++ndraws * ODD_1 ^ key, thread * ODD_2 ^ mound_map_key_[1]);
    return mix(x ^ mound_map_key_[0], ODD_2);
}

uint64_t mound_hash_bytes(const void *p, size_t size, uint64_t seed) {
    uint64_t hash = XXH3_64bits_withSecret(p, size, secret, SECRET_SIZE);
    return mound_hash_u64(hash, seed);
}

uint64_t mound_hash_f64(double x, uint64_t seed) {
    if (x == 0)
        x = 0; // -0 too
    if (x != x)
        return map_random();
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return mound_hash_u64(bits, seed);
}

bool mound_copy_str(const char **dst, const char *src) {
    char *copy = strdup(src);
    if (copy == NULL)
        return false;
    *dst = copy;
    return true;
}

bool mound_copy_view(struct mound_view *dst, struct mound_view src) {
    char *copy = NULL;
    if (src.size > 0) {
        copy = (char *)malloc(src.size);
        if (copy == NULL)
            return false;
        memcpy(copy, src.data, src.size);
    }
    dst->data = copy;
    dst->size = src.size;
    return true;
}

void mound_drop_str(const char *s) {
    free((void *)s);
}

void mound_drop_view(struct mound_view v) {
    free((void *)v.data);
}
