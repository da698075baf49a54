// model.c: random operations on maps of many types, each compared with an array that
// holds the same entries. Go's promises about iteration are checked to the letter,
// across growth, deletion, clear and failing malloc.
//
// usage: model [SEED [OPERATIONS]]     "random" and 10 million unless told
//        model replay FILE             a list as printed after a failure
//
// Each round of operations runs in a child process, as it may crash. After a
// failure, operations are left out as long as it still fails (the map's own choices
// are random: a list is tried a few times), and the shortest list is printed.
#include "which.h"
#include "watched_malloc.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KEYS_MAX = 16384,
    NANS_MAX = 1024,
    NITERS = 4,
    ROUND_MAX = 4000,       // operations in a round
    HANG_S = 120,           // then a round counts as hung
    TRIES = 6,              // of a shorter list, until it counts as passing
    SHORTER_SECONDS = 120,  // for finding the shortest list
    NAN_VALUE = 0x7fffffff, // above it, values of NaN keys
};
// Apart: from gcc 13 on it makes all of its enum unsigned.
enum { NAN_KEY = UINT32_MAX };

// The operations. They refer to nothing but the state they find, so that any of
// them can be left out of a list.
// clang-format off
#define OPERATIONS(X)                                                          \
    X(PUT)                                                                     \
    X(SET)                                                                     \
    X(PUT_MANY)                                                                \
    X(PUT_NAN)                                                                 \
    X(GET)                                                                     \
    X(DELETE)                                                                  \
    X(DELETE_MANY)                                                             \
    X(DRAIN)                                                                   \
    X(CLEAR) X(CLONE) X(CONTINUE_ON_CLONE) X(RESERVE) X(SHRINK) X(EVACUATE)    \
        X(BEGIN) X(NEXT) X(END) X(ABANDON) X(DELETE_DELIVERED)                 \
            X(DELETE_MANY_DELIVERED) X(WRITE_DELIVERED) X(WALK) X(EACH)        \
                X(CHECK)
// clang-format on

#define AS_ENUM(name) name,
#define AS_NAME(name) #name,
enum code { OPERATIONS(AS_ENUM) NCODES };
static const char *const code_names[] = {OPERATIONS(AS_NAME)};

struct op {
    uint8_t code;
    uint8_t iter;    // which iterator
    uint8_t variant; // of the key: sign of zero, bytes of padding
    uint8_t fail;    // n-th allocation that fails, 0: none
    bool fail_on;    // and all that follow
    uint32_t key;
    uint32_t n;
    uint32_t value;
};

// What differs between map types. Keys are known by numbers from 0.
struct kind {
    const char *name;
    const struct mound_map_type *type;
    uint32_t universe; // most keys
    bool borrowed;     // keys are strings that the model owns
    bool boxed;        // elements own a block
    bool exact;        // what the map asks of malloc is what its info says
    bool nans;
    uint32_t weight; // of 100: how often

    void *(*make)(size_t hint);
    void (*free)(void *m);
    void *(*put)(void *m, uint32_t k, unsigned variant, bool *ret_new);
    // NULL: there is none
    bool (*set)(void *m, uint32_t k, unsigned variant, uint64_t value);
    void *(*get)(void *m, uint32_t k, unsigned variant);
    bool (*has)(void *m, uint32_t k, unsigned variant);
    bool (*delete)(void *m, uint32_t k, unsigned variant);
    void *(*put_nan)(void *m);
    void (*clear)(void *m);
    void *(*clone)(void *m);
    bool (*reserve)(void *m, size_t n);
    bool (*shrink)(void *m);
    size_t (*evacuate)(void *m, size_t n);
    size_t (*len)(void *m);
    struct mound_map *(*untyped)(void *m);
    void (*begin)(void *m, void *it);
    bool (*next)(void *it, const void **ret_key, void **ret_elem);
    void (*end)(void *it);
    // foreach with a body that returns false to break; NULL: there is none
    void (*each)(void *m, bool (*body)(const void *key, void *elem));
    // The number of a key; variant is set if the key shows one.
    uint32_t (*number)(const void *key, unsigned *ret_variant);
};

// Failing.

static char *failure; // shared with the parent
enum { FAILURE_SIZE = 512 };
static size_t running; // index of the present operation

static void __attribute__((format(printf, 1, 2), noreturn))
wrong(const char *format, ...) {
    int n = snprintf(failure, FAILURE_SIZE, "operation %zu: ", running);
    va_list args;
    va_start(args, format);
    vsnprintf(failure + n, FAILURE_SIZE - (size_t)n, format, args);
    va_end(args);
    _exit(1);
}

static uint64_t scramble(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// Keys. Those of strings have many lengths.

static char *string_make(char *s, uint32_t k) {
    size_t n = k % 37;
    memset(s, 'a' + (char)(k % 7), n);
    snprintf(s + n, 16, "%u", k);
    return s;
}

static uint32_t string_number(const char *s) {
    while (*s >= 'a')
        s++;
    return (uint32_t)strtoul(s, NULL, 10);
}

static char *put_pointer; // the string that put is to hand in, when borrowed

static const char *owned_key(uint32_t k, unsigned variant) {
    static char s[64];
    (void)variant;
    return string_make(s, k);
}

static const char *borrowed_key(uint32_t k, unsigned variant) {
    return put_pointer != NULL ? put_pointer : owned_key(k, variant);
}

static struct mound_view view_key(uint32_t k, unsigned variant) {
    static char s[64];
    (void)variant;
    // Zeros inside; the number 0 is the empty string.
    memset(s, 0, sizeof s);
    memcpy(s + k % 11, &k, sizeof k);
    struct mound_view v = {s, k == 0 ? 0 : k % 11 + sizeof k};
    return v;
}

static uint32_t view_number(struct mound_view v) {
    uint32_t k = 0;
    if (v.size > 0)
        memcpy(&k, v.data + v.size - sizeof k, sizeof k);
    return k;
}

static uint64_t int_key(uint32_t k, unsigned variant) {
    (void)variant;
    return k * (uint64_t)0x100000001;
}

static double double_key(uint32_t k, unsigned variant) {
    if (k == 0)
        return variant & 1 ? -0.0 : 0.0;
    return k * 0.37;
}

// 7 bytes of padding, never the same.
struct point {
    int8_t layer;
    int64_t x;
};

static struct point padded_key(uint32_t k, unsigned variant) {
    struct point p;
    memset(&p, (int)(variant + k), sizeof p);
    *(volatile int8_t *)&p.layer = (int8_t)(k % 3);
    *(volatile int64_t *)&p.x = k;
    return p;
}

static uint64_t padded_hash(struct point p, uint64_t seed) {
    return mound_hash_u64((uint64_t)p.x,
                          mound_hash_u64((uint64_t)p.layer, seed));
}

static bool padded_eq(struct point a, struct point b) {
    return a.layer == b.layer && a.x == b.x;
}

// Stored apart.
struct large {
    uint32_t k[50];
};
struct larger {
    uint64_t w[38];
};

static struct large large_key(uint32_t k, unsigned variant) {
    struct large l;
    (void)variant;
    for (size_t i = 0; i < 50; i++)
        l.k[i] = k + (uint32_t)i;
    return l;
}

static uint64_t large_hash(struct large l, uint64_t seed) {
    return mound_hash_bytes(l.k, sizeof l.k, seed);
}

static bool large_eq(struct large a, struct large b) {
    return memcmp(a.k, b.k, sizeof a.k) == 0;
}

// The largest that is not stored apart, for arrays of megabytes soon.
struct fat {
    uint64_t w[16];
};

struct unit {};

static struct unit unit_key(uint32_t k, unsigned variant) {
    (void)k;
    (void)variant;
    return (struct unit){};
}

static uint64_t unit_hash(struct unit u, uint64_t seed) {
    (void)u;
    return mound_hash_u64(0, seed);
}

static bool unit_eq(struct unit a, struct unit b) {
    (void)a;
    (void)b;
    return true;
}

typedef struct {
    uint64_t w[4];
} __attribute__((aligned(16))) aligned_16;
typedef struct {
    uint64_t w[8];
} __attribute__((aligned(64))) aligned_64;
typedef struct {
    uint64_t w[24];
} __attribute__((aligned(64))) aligned_apart;

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(owned, uint64_t)
MOUND_MAP_STR_BORROWED(borrowed, uint64_t)
MOUND_MAP_STR_BORROWED(fat_borrowed, struct fat)
MOUND_MAP_STR(fat_owned, struct fat)
MOUND_MAP_VIEW(views, uint64_t)
MOUND_MAP_F64(doubles, uint64_t)
MOUND_MAP_DECLARE(padded, struct point, uint64_t, padded_hash, padded_eq)
MOUND_MAP_DECLARE(apart, struct large, struct larger, large_hash, large_eq)
MOUND_MAP_U32(by16, aligned_16)
MOUND_MAP_U32(by64, aligned_64)
MOUND_MAP_U32(by64_apart, aligned_apart)
MOUND_MAP_DECLARE(single, struct unit, uint64_t, unit_hash, unit_eq)
MOUND_MAP_U64(lent, uint64_t)
MOUND_SET_U64(members)
MOUND_SET_STR(owned_members)

static unsigned no_variant;

static uint32_t int_number(uint64_t x) {
    return (uint32_t)x;
}

static uint32_t double_number(double x) {
    return isnan(x) ? NAN_KEY : (uint32_t)lround(x / 0.37);
}

static uint32_t padded_number(struct point p) {
    return (uint32_t)p.x;
}

static uint32_t large_number(struct large l) {
    return l.k[0];
}

static uint32_t unit_number(struct unit u) {
    (void)u;
    return 0;
}

// fill gives an element, of whatever size, a value; filled reads it again.
static void fill(void *elem, size_t size, uint64_t value) {
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t w = value + i * 0x10001;
        memcpy((char *)elem + 8 * i, &w, sizeof w);
    }
}

static uint64_t filled(const void *elem, size_t size) {
    uint64_t value, w;
    memcpy(&value, elem, sizeof value);
    for (size_t i = 0; i < size / 8; i++) {
        memcpy(&w, (const char *)elem + 8 * i, sizeof w);
        if (w != value + i * 0x10001)
            wrong("word %zu of an element is %lx in place of %lx", i, w,
                  value + i * 0x10001);
    }
    return value;
}

// drive makes the functions of a kind out of those of a typed map.
#define DRIVE_UNUSED __attribute__((unused)) // where a kind has its own
#define DRIVE_COMMON(NAME, K, key_make, key_number)                            \
    DRIVE_UNUSED static void *NAME##_d_make(size_t hint) {                     \
        return NAME##_make(hint);                                              \
    }                                                                          \
    DRIVE_UNUSED static void NAME##_d_free(void *m) {                          \
        NAME##_free((NAME *)m);                                                \
    }                                                                          \
    static bool NAME##_d_has(void *m, uint32_t k, unsigned variant) {          \
        return NAME##_has((NAME *)m, key_make(k, variant));                    \
    }                                                                          \
    static bool NAME##_d_delete(void *m, uint32_t k, unsigned variant) {       \
        return NAME##_delete((NAME *)m, key_make(k, variant));                 \
    }                                                                          \
    static void NAME##_d_clear(void *m) {                                      \
        NAME##_clear((NAME *)m);                                               \
    }                                                                          \
    static void *NAME##_d_clone(void *m) {                                     \
        return NAME##_clone((NAME *)m);                                        \
    }                                                                          \
    static bool NAME##_d_reserve(void *m, size_t n) {                          \
        return NAME##_reserve((NAME *)m, n);                                   \
    }                                                                          \
    static bool NAME##_d_shrink(void *m) {                                     \
        return NAME##_shrink((NAME *)m);                                       \
    }                                                                          \
    static size_t NAME##_d_evacuate(void *m, size_t n) {                       \
        return NAME##_evacuate((NAME *)m, n);                                  \
    }                                                                          \
    static size_t NAME##_d_len(void *m) {                                      \
        return NAME##_len((NAME *)m);                                          \
    }                                                                          \
    static struct mound_map *NAME##_d_untyped(void *m) {                       \
        return NAME##_untyped((NAME *)m);                                      \
    }                                                                          \
    static void NAME##_d_begin(void *m, void *it) {                            \
        *(NAME##_iter *)it = NAME##_begin((NAME *)m);                          \
    }                                                                          \
    static void NAME##_d_end(void *it) {                                       \
        NAME##_end((NAME##_iter *)it);                                         \
    }                                                                          \
    DRIVE_UNUSED static uint32_t NAME##_d_number(const void *key,              \
                                                 unsigned *ret_variant) {      \
        (void)ret_variant;                                                     \
        return key_number(*(const K *)key);                                    \
    }

#define DRIVE(NAME, K, V, key_make, key_number)                                \
    DRIVE_COMMON(NAME, K, key_make, key_number)                                \
    static void NAME##_d_each(void *m, bool (*body)(const void *, void *)) {   \
        mound_map_foreach(NAME, it,                                            \
                          (NAME *)m) if (!body(it.key, it.elem)) break;        \
    }                                                                          \
    static void *NAME##_d_put(void *m, uint32_t k, unsigned variant,           \
                              bool *ret_new) {                                 \
        return NAME##_put((NAME *)m, key_make(k, variant), ret_new);           \
    }                                                                          \
    static bool NAME##_d_set(void *m, uint32_t k, unsigned variant,            \
                             uint64_t value) {                                 \
        V v;                                                                   \
        fill(&v, sizeof v, value);                                             \
        return NAME##_set((NAME *)m, key_make(k, variant), v);                 \
    }                                                                          \
    static void *NAME##_d_get(void *m, uint32_t k, unsigned variant) {         \
        return NAME##_get((NAME *)m, key_make(k, variant));                    \
    }                                                                          \
    static bool NAME##_d_next(void *at, const void **ret_key,                  \
                              void **ret_elem) {                               \
        NAME##_iter *it = (NAME##_iter *)at;                                   \
        bool more = NAME##_next(it);                                           \
        *ret_key = it->key;                                                    \
        *ret_elem = it->elem;                                                  \
        return more;                                                           \
    }

// A set has no elements: any address stands for one.
#define DRIVE_SET(NAME, K, key_make, key_number)                               \
    DRIVE_COMMON(NAME, K, key_make, key_number)                                \
    static void NAME##_d_each(void *m, bool (*body)(const void *, void *)) {   \
        mound_map_foreach(NAME, it,                                            \
                          (NAME *)m) if (!body(it.key, &no_variant)) break;    \
    }                                                                          \
    static void *NAME##_d_put(void *m, uint32_t k, unsigned variant,           \
                              bool *ret_new) {                                 \
        return NAME##_add((NAME *)m, key_make(k, variant), ret_new)            \
                   ? &no_variant                                               \
                   : NULL;                                                     \
    }                                                                          \
    static void *NAME##_d_get(void *m, uint32_t k, unsigned variant) {         \
        return NAME##_d_has(m, k, variant) ? &no_variant : NULL;               \
    }                                                                          \
    static bool NAME##_d_next(void *at, const void **ret_key,                  \
                              void **ret_elem) {                               \
        NAME##_iter *it = (NAME##_iter *)at;                                   \
        bool more = NAME##_next(it);                                           \
        *ret_key = it->key;                                                    \
        *ret_elem = &no_variant;                                               \
        return more;                                                           \
    }

DRIVE(ints, uint64_t, uint64_t, int_key, int_number)
DRIVE(owned, char *const, uint64_t, owned_key, string_number)
DRIVE(borrowed, char *const, uint64_t, borrowed_key, string_number)
DRIVE(fat_borrowed, char *const, struct fat, borrowed_key, string_number)
DRIVE(fat_owned, char *const, struct fat, owned_key, string_number)
DRIVE(views, struct mound_view, uint64_t, view_key, view_number)
DRIVE(doubles, double, uint64_t, double_key, double_number)
DRIVE(padded, struct point, uint64_t, padded_key, padded_number)
DRIVE(apart, struct large, struct larger, large_key, large_number)
DRIVE(by16, uint32_t, aligned_16, (uint32_t)int_key, int_number)
DRIVE(by64, uint32_t, aligned_64, (uint32_t)int_key, int_number)
DRIVE(by64_apart, uint32_t, aligned_apart, (uint32_t)int_key, int_number)
DRIVE(single, struct unit, uint64_t, unit_key, unit_number)
DRIVE(lent, uint64_t, uint64_t, int_key, int_number)
DRIVE_SET(members, uint64_t, int_key, int_number)
DRIVE_SET(owned_members, char *const, owned_key, string_number)

static uint32_t doubles_number(const void *key, unsigned *ret_variant) {
    double x = *(const double *)key;
    *ret_variant = signbit(x) != 0;
    return double_number(x);
}

static void *doubles_put_nan(void *m) {
    bool is_new = false;
    void *elem = doubles_put((doubles *)m, NAN, &is_new);
    if (elem != NULL && !is_new)
        wrong("a NaN was found");
    return elem;
}

// The first bucket and the header are the caller's; clones are ordinary.
static lent lent_header;
static struct lent_first lent_bucket;
static bool lent_used;

static void *lent_d_init(size_t hint) {
    (void)hint;
    lent_used = lent_init(&lent_header, &lent_bucket);
    return lent_used ? &lent_header : NULL;
}

static void lent_d_deinit(void *m) {
    if (m != &lent_header) {
        lent_free((lent *)m);
        return;
    }
    lent_deinit(&lent_header);
    lent_used = false;
}

// A type without inlined functions, with few hashes (so that chains are long), whose
// keys and elements each own a block that is counted.

struct counted_key {
    uint32_t k;
    uint32_t *block;
};
struct counted_elem {
    uint64_t *block;
};
static size_t live_keys, live_elems;
static int counted_user;

static void check_user(void *user) {
    if (user != &counted_user)
        wrong("a callback was given another user pointer");
}

static uint64_t counted_hash(const void *key, uint64_t seed, void *user) {
    uint32_t k = ((const struct counted_key *)key)->k;
    (void)seed;
    check_user(user);
    return (uint64_t)(k % 2) << 57 | (k % 3);
}

static bool counted_equal(const void *a, const void *b, void *user) {
    const struct counted_key *x = (const struct counted_key *)a;
    const struct counted_key *y = (const struct counted_key *)b;
    check_user(user);
    // Keys in the map have their block; looking at it shows whether it lives.
    if (y->block != NULL && *y->block != y->k)
        wrong("a key's block is not its own");
    return x->k == y->k;
}

static bool counted_key_copy(void *dst, const void *src, void *user) {
    const struct counted_key *from = (const struct counted_key *)src;
    struct counted_key *to = (struct counted_key *)dst;
    check_user(user);
    uint32_t *block = (uint32_t *)malloc(sizeof *block);
    if (block == NULL)
        return false;
    *block = from->k;
    to->k = from->k;
    to->block = block;
    live_keys++;
    return true;
}

static void counted_key_drop(void *key, void *user) {
    struct counted_key *k = (struct counted_key *)key;
    check_user(user);
    if (*k->block != k->k)
        wrong("a key is dropped that is none");
    *k->block = UINT32_MAX;
    free(k->block);
    live_keys--;
}

static bool counted_elem_copy(void *dst, const void *src, void *user) {
    const struct counted_elem *from = (const struct counted_elem *)src;
    struct counted_elem *to = (struct counted_elem *)dst;
    check_user(user);
    to->block = NULL;
    if (from->block == NULL)
        return true;
    uint64_t *block = (uint64_t *)malloc(sizeof *block);
    if (block == NULL)
        return false;
    *block = *from->block;
    to->block = block;
    live_elems++;
    return true;
}

static void counted_elem_drop(void *elem, void *user) {
    struct counted_elem *e = (struct counted_elem *)elem;
    check_user(user);
    if (e->block == NULL)
        return;
    *e->block = UINT64_MAX;
    free(e->block);
    live_elems--;
}

static const struct mound_map_type counted_type = {
    .key_size = sizeof(struct counted_key),
    .key_align = _Alignof(struct counted_key),
    .elem_size = sizeof(struct counted_elem),
    .elem_align = _Alignof(struct counted_elem),
    .hash = counted_hash,
    .equal = counted_equal,
    .key_copy = counted_key_copy,
    .key_drop = counted_key_drop,
    .elem_copy = counted_elem_copy,
    .elem_drop = counted_elem_drop,
    .user = &counted_user,
};

// The same with keys that are replaced by equal ones.
static const struct mound_map_type updated_type = {
    .key_size = sizeof(struct counted_key),
    .key_align = _Alignof(struct counted_key),
    .elem_size = sizeof(struct counted_elem),
    .elem_align = _Alignof(struct counted_elem),
    .hash = counted_hash,
    .equal = counted_equal,
    .key_copy = counted_key_copy,
    .key_drop = counted_key_drop,
    .elem_copy = counted_elem_copy,
    .elem_drop = counted_elem_drop,
    .user = &counted_user,
    .flags = MOUND_MAP_KEY_UPDATE,
};

static const struct mound_map_type *untyped_type; // the present one of the two

static struct counted_key counted_make(uint32_t k) {
    struct counted_key key = {k, NULL};
    return key;
}

static void *untyped_make(size_t hint) {
    return mound_map_make(untyped_type, hint);
}

static void untyped_free(void *m) {
    mound_map_free(untyped_type, (struct mound_map *)m);
}

static void *untyped_put(void *m, uint32_t k, unsigned variant, bool *ret_new) {
    struct counted_key key = counted_make(k);
    (void)variant;
    return mound_map_put(untyped_type, (struct mound_map *)m, &key, ret_new);
}

static void *untyped_get(void *m, uint32_t k, unsigned variant) {
    struct counted_key key = counted_make(k);
    const void *there = NULL;
    (void)variant;
    void *elem =
        mound_map_get_key(untyped_type, (struct mound_map *)m, &key, &there);
    if (elem != NULL && ((const struct counted_key *)there)->k != k)
        wrong("get_key shows another key");
    return elem;
}

static bool untyped_has(void *m, uint32_t k, unsigned variant) {
    struct counted_key key = counted_make(k);
    (void)variant;
    return mound_map_get(untyped_type, (struct mound_map *)m, &key) != NULL;
}

static bool untyped_delete(void *m, uint32_t k, unsigned variant) {
    struct counted_key key = counted_make(k);
    (void)variant;
    return mound_map_delete(untyped_type, (struct mound_map *)m, &key);
}

static void untyped_clear(void *m) {
    mound_map_clear(untyped_type, (struct mound_map *)m);
}

static void *untyped_clone(void *m) {
    return mound_map_clone(untyped_type, (struct mound_map *)m);
}

static bool untyped_reserve(void *m, size_t n) {
    return mound_map_reserve(untyped_type, (struct mound_map *)m, n);
}

static bool untyped_shrink(void *m) {
    return mound_map_shrink(untyped_type, (struct mound_map *)m);
}

static size_t untyped_evacuate(void *m, size_t n) {
    return mound_map_evacuate(untyped_type, (struct mound_map *)m, n);
}

static size_t untyped_len(void *m) {
    return mound_map_len((struct mound_map *)m);
}

static struct mound_map *untyped_untyped(void *m) {
    return (struct mound_map *)m;
}

static void untyped_begin(void *m, void *it) {
    mound_map_begin(untyped_type, (struct mound_map *)m,
                    (struct mound_map_iter *)it);
}

static bool untyped_next(void *at, const void **ret_key, void **ret_elem) {
    struct mound_map_iter *it = (struct mound_map_iter *)at;
    bool more = mound_map_next(it);
    *ret_key = it->key;
    *ret_elem = it->elem;
    return more;
}

static void untyped_end(void *it) {
    mound_map_end((struct mound_map_iter *)it);
}

static uint32_t untyped_number(const void *key, unsigned *ret_variant) {
    const struct counted_key *k = (const struct counted_key *)key;
    (void)ret_variant;
    if (k->block == NULL || *k->block != k->k)
        wrong("a key is delivered whose block is not its own");
    return k->k;
}

#define FUNCTIONS_COMMON(P)                                                    \
    .free = P##_free, .put = P##_put, .get = P##_get, .has = P##_has,          \
    .delete = P##_delete, .clear = P##_clear, .clone = P##_clone,              \
    .reserve = P##_reserve, .shrink = P##_shrink, .evacuate = P##_evacuate,    \
    .len = P##_len, .untyped = P##_untyped, .begin = P##_begin,                \
    .next = P##_next, .end = P##_end
#define FUNCTIONS(P) FUNCTIONS_COMMON(P), .make = P##_make, .number = P##_number
#define TYPED(NAME)                                                            \
    .name = #NAME, .type = &NAME##_type_, FUNCTIONS(NAME##_d),                 \
    .each = NAME##_d_each

static const struct kind kinds[] = {
    {TYPED(ints), .set = ints_d_set, .universe = 5000, .exact = true,
     .weight = 16},
    {TYPED(owned), .set = owned_d_set, .universe = 3000, .weight = 10},
    {TYPED(borrowed), .set = borrowed_d_set, .universe = 3000, .borrowed = true,
     .exact = true, .weight = 10},
    // An array of 2^10 buckets has a megabyte: old ones go bit by bit.
    {TYPED(fat_borrowed), .set = fat_borrowed_d_set, .universe = 16000,
     .borrowed = true, .exact = true, .weight = 8},
    {TYPED(fat_owned), .set = fat_owned_d_set, .universe = 16000, .weight = 4},
    {TYPED(views), .set = views_d_set, .universe = 3000, .weight = 4},
    {.name = "doubles",
     .type = &doubles_type_,
     FUNCTIONS_COMMON(doubles_d),
     .make = doubles_d_make,
     .number = doubles_number,
     .each = doubles_d_each,
     .set = doubles_d_set,
     .put_nan = doubles_put_nan,
     .universe = 2000,
     .exact = true,
     .nans = true,
     .weight = 10},
    {TYPED(padded), .set = padded_d_set, .universe = 2000, .weight = 4},
    {TYPED(apart), .set = apart_d_set, .universe = 500, .weight = 6},
    {TYPED(by16), .set = by16_d_set, .universe = 2000, .exact = true,
     .weight = 4},
    {TYPED(by64), .set = by64_d_set, .universe = 2000, .exact = true,
     .weight = 4},
    {TYPED(by64_apart), .set = by64_apart_d_set, .universe = 300, .weight = 2},
    {TYPED(single), .set = single_d_set, .universe = 1, .weight = 1},
    {.name = "lent",
     .type = &lent_type_,
     .free = lent_d_deinit,
     .put = lent_d_put,
     .get = lent_d_get,
     .has = lent_d_has,
     .delete = lent_d_delete,
     .clear = lent_d_clear,
     .clone = lent_d_clone,
     .reserve = lent_d_reserve,
     .shrink = lent_d_shrink,
     .evacuate = lent_d_evacuate,
     .len = lent_d_len,
     .untyped = lent_d_untyped,
     .begin = lent_d_begin,
     .next = lent_d_next,
     .end = lent_d_end,
     .make = lent_d_init,
     .number = lent_d_number,
     .each = lent_d_each,
     .set = lent_d_set,
     .universe = 100,
     .exact = true,
     .weight = 5},
    {TYPED(members), .universe = 3000, .exact = true, .weight = 4},
    {TYPED(owned_members), .universe = 1000, .weight = 2},
    {.name = "counted",
     .type = &counted_type,
     FUNCTIONS(untyped),
     .universe = 250,
     .boxed = true,
     .weight = 4},
    {.name = "updated",
     .type = &updated_type,
     FUNCTIONS(untyped),
     .universe = 250,
     .boxed = true,
     .weight = 2},
};
enum { NKINDS = sizeof kinds / sizeof *kinds };

// The model.

struct entry {
    bool present;
    unsigned variant;
    uint64_t value;
    uint64_t birth; // when it was put; counts from 1
    char *string;   // what the map borrows
};

struct iterator {
    bool live;
    _Alignas(16) char it[192];
    uint64_t births[KEYS_MAX];    // of the entries at its begin, 0: none
    uint64_t delivered[KEYS_MAX]; // births
    bool delivered_nan[NANS_MAX];
    uint32_t nan_first, nan_end; // NaNs at its begin
    uint64_t clears;             // before its begin
    // The entry delivered last, if nothing was written since.
    uint32_t key;
    void *elem;
    uint64_t writes;
};

static const struct kind *kind;
static void *map;
static struct entry entries[KEYS_MAX];
static size_t count;                // NaNs too
static uint32_t nan_first, nan_end; // NaNs in the map have numbers between
static uint64_t births, clears, writes;
static bool abandoned; // some iterator was, since the last clear
static struct iterator iters[NITERS], each_iter;
static size_t since_check;
static uint32_t universe;

static void *elem_value(void *elem, uint64_t *ret_value) {
    *ret_value = 0;
    if (kind->boxed) {
        uint64_t *block = ((struct counted_elem *)elem)->block;
        if (block != NULL)
            *ret_value = *block;
    } else if (kind->type->elem_size > 0) {
        *ret_value = filled(elem, kind->type->elem_size);
    }
    return elem;
}

static void elem_write(void *elem, uint64_t value) {
    if (!kind->boxed) {
        fill(elem, kind->type->elem_size, value);
        return;
    }
    struct counted_elem *e = (struct counted_elem *)elem;
    if (e->block == NULL) {
        e->block = (uint64_t *)malloc(sizeof *e->block);
        live_elems++;
    }
    *e->block = value;
}

static void expect_value(uint32_t k, void *elem) {
    uint64_t value;
    if (kind->type->elem_size == 0)
        return;
    if ((uintptr_t)elem % kind->type->elem_align != 0)
        wrong("the element of %u is at %p, not aligned", k, elem);
    elem_value(elem, &value);
    if (value != entries[k].value)
        wrong("key %u has %lx, should have %lx", k, value, entries[k].value);
}

static void expect_zero(const void *elem) {
    const char *p = (const char *)elem;
    for (size_t i = 0; i < kind->type->elem_size; i++)
        if (p[i] != 0)
            wrong("a new element is not zero");
}

static void string_drop(char **string) {
    if (*string == NULL)
        return;
    memset(*string, 0xdd, strlen(*string));
    free(*string);
    *string = NULL;
}

// gone notes that a key left the map.
static void gone(uint32_t k) {
    entries[k].present = false;
    string_drop(&entries[k].string);
    count--;
}

static void all_gone(void) {
    for (uint32_t k = 0; k < universe; k++)
        if (entries[k].present)
            gone(k);
    nan_first = nan_end;
    count = 0;
}

// The map is called between these two.
static size_t failures_before, calls_before;

static void enter_map(void) {
    errno = 0;
    failures_before = watched().failures;
    calls_before = watched().calls;
    watch_begin();
}

// leave_map returns whether an allocation failed.
static bool leave_map(void) {
    watch_end();
    return watched().failures > failures_before;
}

// refused is called when the map said that it was out of memory.
static void refused(const char *what, bool failed) {
    if (!failed)
        wrong("%s: out of memory, which was not", what);
    if (errno != ENOMEM)
        wrong("%s: errno is %d", what, errno);
    watch_fail(0, false);
}

static void put_key(const struct op *op, uint32_t k, uint32_t value, bool set) {
    struct entry *e = &entries[k];
    if (kind->borrowed) {
        char s[64];
        put_pointer = strdup(string_make(s, k));
    }
    bool is_new = false, done;
    void *elem = NULL;
    set = set && kind->set != NULL;
    enter_map();
    if (set)
        done = kind->set(map, k, op->variant, value);
    else
        done = (elem = kind->put(map, k, op->variant, &is_new)) != NULL;
    bool failed = leave_map();
    writes++;
    if (!done) {
        refused("put", failed);
        string_drop(&put_pointer);
        return;
    }
    if (!set) {
        if (is_new == e->present)
            wrong("put says that %u is %s", k, is_new ? "new" : "there");
        if (is_new)
            expect_zero(elem);
        else
            expect_value(k, elem);
        elem_write(elem, value);
    }
    e->value = value;
    e->variant = op->variant & 1;
    if (kind->borrowed) {
        string_drop(&e->string);
        e->string = put_pointer;
        put_pointer = NULL;
    }
    if (!e->present) {
        e->present = true;
        e->birth = ++births;
        count++;
    }
}

static void put_nan(void) {
    if (nan_end == NANS_MAX)
        return;
    enter_map();
    void *elem = kind->put_nan(map);
    bool failed = leave_map();
    writes++;
    if (elem == NULL) {
        refused("put", failed);
        return;
    }
    expect_zero(elem);
    elem_write(elem, (uint64_t)NAN_VALUE + nan_end++);
    count++;
}

static void get_key(uint32_t k, unsigned variant) {
    enter_map();
    void *elem = kind->get(map, k, variant);
    bool has = kind->has(map, k, variant);
    leave_map();
    if (watched().calls != calls_before)
        wrong("get allocates");
    if ((elem != NULL) != entries[k].present || has != entries[k].present)
        wrong("get: key %u is %s", k, elem ? "there" : "not there");
    if (elem != NULL)
        expect_value(k, elem);
}

static void delete_key(uint32_t k, unsigned variant) {
    enter_map();
    bool was = kind->delete (map, k, variant);
    leave_map();
    writes++;
    if (was != entries[k].present)
        wrong("delete: key %u is %s", k, was ? "there" : "not there");
    if (was)
        gone(k);
}

static void check_info(void) {
    struct mound_map_info info;
    mound_map_info(kind->type, kind->untyped(map), &info);
    size_t nlive = each_iter.live;
    for (int i = 0; i < NITERS; i++)
        nlive += iters[i].live;
    if (info.count != count)
        wrong("info counts %zu entries, should be %zu", info.count, count);
    if (kind->exact) {
        size_t held = info.bytes;
        if (lent_used)
            held -= sizeof(struct mound_map);
        if (held != watched().bytes)
            wrong("info says %zu bytes, %zu are held", held, watched().bytes);
    }
    if (nlive > 0 || abandoned)
        return;
    // What is left of outgrown arrays goes when it is asked to.
    if (info.arrays == 0 || map_is_growing(&info))
        return;
    enter_map();
    kind->evacuate(map, 0);
    leave_map();
    writes++;
    mound_map_info(kind->type, kind->untyped(map), &info);
    if (info.arrays != 0)
        wrong("%zu outgrown arrays and no iterator", info.arrays);
}

static void check(void) {
    since_check = 0;
    const char *broken = mound_map_verify(kind->type, kind->untyped(map));
    if (broken != NULL)
        wrong("verify: %s", broken);
    for (uint32_t k = 0; k < universe; k++)
        get_key(k, entries[k].variant);
    if (kind->boxed && (live_keys != count || live_elems > count))
        wrong("%zu keys and %zu elements are live, should be %zu", live_keys,
              live_elems, count);
    check_info();
}

// Iterators.

// iter_note notes what is in the map at an iterator's begin.
static void iter_note(struct iterator *it) {
    it->live = true;
    for (uint32_t k = 0; k < universe; k++) {
        it->births[k] = entries[k].present ? entries[k].birth : 0;
        it->delivered[k] = 0;
    }
    memset(it->delivered_nan, 0, sizeof it->delivered_nan);
    it->nan_first = nan_first;
    it->nan_end = nan_end;
    it->clears = clears;
    it->elem = NULL;
}

static void iter_begin(struct iterator *it) {
    iter_note(it);
    // What lies there must not matter.
    memset(it->it, 0x5a, sizeof it->it);
    enter_map();
    kind->begin(map, it->it);
    leave_map();
    if (watched().calls != calls_before)
        wrong("begin allocates");
}

// iter_complete checks, at the end, that nothing was left out.
static void iter_complete(struct iterator *it) {
    it->live = false;
    if (it->clears != clears)
        return;
    for (uint32_t k = 0; k < universe; k++)
        if (it->births[k] != 0 && entries[k].present &&
            entries[k].birth == it->births[k] &&
            it->delivered[k] != it->births[k])
            wrong("key %u was there all the time and not delivered", k);
    for (uint32_t i = it->nan_first; i < it->nan_end; i++)
        if (!it->delivered_nan[i])
            wrong("NaN %u was not delivered", i);
}

static void deliver_nan(struct iterator *it, void *elem) {
    uint64_t value;
    elem_value(elem, &value);
    uint64_t i = value - NAN_VALUE;
    if (i < nan_first || i >= nan_end)
        wrong("a NaN is delivered that is not in the map, number %lu", i);
    if (it->delivered_nan[i])
        wrong("NaN %lu is delivered twice", i);
    it->delivered_nan[i] = true;
    it->elem = NULL;
}

// delivered looks at what an iterator hands out.
static void delivered(struct iterator *it, const void *key, void *elem) {
    if ((uintptr_t)key % kind->type->key_align != 0)
        wrong("a key is at %p, not aligned", key);
    unsigned variant = UINT_MAX;
    uint32_t k = kind->number(key, &variant);
    if (k == NAN_KEY) {
        deliver_nan(it, elem);
        return;
    }
    if (k >= universe)
        wrong("a key is delivered that never was, %u", k);
    struct entry *e = &entries[k];
    if (!e->present)
        wrong("key %u is delivered, which is not in the map", k);
    if (it->delivered[k] == e->birth)
        wrong("key %u is delivered twice", k);
    it->delivered[k] = e->birth;
    if (k == 0 && variant != UINT_MAX && variant != e->variant)
        wrong("the zero delivered has the sign of an earlier one");
    if (kind->borrowed && *(char *const *)key != e->string)
        wrong("the string delivered for %u is an earlier one", k);
    expect_value(k, elem);
    it->key = k;
    it->elem = elem;
    it->writes = writes;
}

// iter_next returns false at the end.
static bool iter_next(struct iterator *it) {
    const void *key;
    void *elem;
    enter_map();
    bool more = kind->next(it->it, &key, &elem);
    leave_map();
    if (watched().calls != calls_before)
        wrong("next allocates");
    if (!more) {
        iter_complete(it);
        return false;
    }
    delivered(it, key, elem);
    return true;
}

static void iter_end(struct iterator *it) {
    enter_map();
    kind->end(it->it);
    leave_map();
    if (watched().calls != calls_before)
        wrong("end allocates");
    it->live = false;
}

// walk goes over all entries while nothing happens.
static void walk(struct iterator *it) {
    size_t n = 0;
    iter_begin(it);
    while (iter_next(it))
        n++;
    if (n != count)
        wrong("%zu of %zu entries were delivered", n, count);
}

// clone makes a copy, and lets it take the map's place or not.
static void clone(bool go_on) {
    size_t blocks = watched().blocks;
    void *original = map;
    enter_map();
    void *copy = kind->clone(map);
    bool failed = leave_map();
    if (copy == NULL) {
        refused("clone", failed);
        if (watched().blocks != blocks)
            wrong("a clone that failed left %zu blocks",
                  watched().blocks - blocks);
        return;
    }
    const char *broken = mound_map_verify(kind->type, kind->untyped(copy));
    if (broken != NULL)
        wrong("the clone: %s", broken);
    if (kind->len(copy) != count)
        wrong("the clone has %zu entries of %zu", kind->len(copy), count);
    map = copy;
    for (uint32_t k = 0; k < universe; k++)
        get_key(k, entries[k].variant);
    if (go_on) {
        map = original;
        for (int i = 0; i < NITERS; i++)
            if (iters[i].live)
                iter_end(&iters[i]);
        map = copy;
        copy = original;
        abandoned = false;
        writes++;
    } else {
        map = original;
    }
    enter_map();
    kind->free(copy);
    leave_map();
}

static void clear(void) {
    enter_map();
    kind->clear(map);
    bool failed = leave_map();
    writes++;
    clears++;
    all_gone();
    // Without memory to note the end of iterators, they stay counted.
    abandoned = abandoned && failed;
    struct mound_map_info info;
    mound_map_info(kind->type, kind->untyped(map), &info);
    if (!failed && (info.arrays != 0 || map_is_growing(&info)))
        wrong("outgrown arrays after clear");
}

static void shrink(void) {
    enter_map();
    bool done = kind->shrink(map);
    bool failed = leave_map();
    writes++;
    if (!done) {
        refused("shrink", failed);
        return;
    }
    bool iterated = each_iter.live;
    for (int i = 0; i < NITERS; i++)
        iterated = iterated || iters[i].live;
    struct mound_map_info info;
    mound_map_info(kind->type, kind->untyped(map), &info);
    // Of a Swiss map tables with an iterator in them are not joined.
    if (map_is_growing(&info) ||
        (!iterated && !abandoned && !map_is_tight(&info, count)))
        wrong("shrunk to %zu bytes for %zu entries", info.bytes, count);
    if (!abandoned && !iterated && info.arrays != 0)
        wrong("%zu outgrown arrays after shrink", info.arrays);
}

static void reserve(size_t n) {
    enter_map();
    bool done = kind->reserve(map, n);
    bool failed = leave_map();
    writes++;
    struct mound_map_info info;
    mound_map_info(kind->type, kind->untyped(map), &info);
    if (!done)
        refused("reserve", failed);
    else if (n > 8 && !map_has_room(&info, n))
        wrong("reserve of %zu left %zu bytes", n, info.bytes);
}

static void evacuate(size_t n) {
    struct mound_map_info before, after;
    mound_map_info(kind->type, kind->untyped(map), &before);
    enter_map();
    size_t left = kind->evacuate(map, n);
    bool failed = leave_map();
    writes++;
    mound_map_info(kind->type, kind->untyped(map), &after);
    if (left != map_to_move(&after))
        wrong("evacuate says %zu are left, info %zu", left,
              map_to_move(&after));
    if (!failed && n >= map_to_move(&before) && left != 0)
        wrong("evacuate left %zu old buckets", left);
}

// foreach, whose body does the one thing and the other, as chance has it.
static const struct op *each_op;
static uint64_t each_state;
static uint32_t each_left; // until it breaks

static bool each_body(const void *key, void *elem) {
    delivered(&each_iter, key, elem);
    uint64_t r = scramble(each_state += 0x9e3779b97f4a7c15u);
    uint32_t other = (uint32_t)(r >> 32) % universe;
    bool plain = each_iter.elem != NULL;
    switch (r % 16) {
    case 0:
    case 1:
        if (plain)
            delete_key(each_iter.key, each_op->variant);
        break;
    case 2:
        delete_key(other, each_op->variant);
        break;
    case 3:
    case 4:
        put_key(each_op, other, (uint32_t)r % NAN_VALUE, r & 256);
        break;
    case 5:
        for (uint32_t i = 0; i < each_op->n && i < universe; i++)
            put_key(each_op, (other + i) % universe, i, i % 2);
        break;
    case 6:
        for (uint32_t i = 0; i < each_op->n && i < universe; i++)
            delete_key((other + i) % universe, each_op->variant);
        break;
    case 7:
        if (plain && kind->type->elem_size > 0) {
            elem_write(elem, r % NAN_VALUE);
            entries[each_iter.key].value = r % NAN_VALUE;
        }
        break;
    case 8:
        if (r >> 60 == 0)
            clear();
        break;
    case 9:
        if (r >> 60 == 0)
            shrink();
        break;
    case 10:
        if (r >> 60 == 0)
            reserve(other);
        break;
    default:
        break;
    }
    return --each_left > 0;
}

static void each(const struct op *op) {
    each_op = op;
    each_state = op->value;
    each_left = op->variant % 4 > 0 ? UINT32_MAX : op->n;
    iter_note(&each_iter);
    kind->each(map, each_body);
    if (each_left > 0)
        iter_complete(&each_iter);
    each_iter.live = false;
}

static void perform(const struct op *op) {
    uint32_t k = op->key % universe;
    struct iterator *it = &iters[op->iter % NITERS];
    watch_fail(op->fail, op->fail_on);
    switch (op->code) {
    case PUT:
    case SET:
        put_key(op, k, op->value, op->code == SET);
        break;
    case PUT_MANY:
        for (uint32_t i = 0; i < op->n && i < universe; i++)
            put_key(op, (k + i) % universe, op->value + i, i % 2);
        break;
    case PUT_NAN:
        for (uint32_t i = 0; i < op->n && kind->nans; i++)
            put_nan();
        break;
    case GET:
        get_key(k, op->variant);
        break;
    case DELETE:
        delete_key(k, op->variant);
        break;
    case DELETE_MANY:
        for (uint32_t i = 0; i < op->n && i < universe; i++)
            delete_key((k + i) % universe, op->variant);
        break;
    case DRAIN:
        for (uint32_t i = 0; i < universe; i++)
            if (entries[(k + i) % universe].present)
                delete_key((k + i) % universe, op->variant);
        break;
    case CLEAR:
        clear();
        break;
    case CLONE:
    case CONTINUE_ON_CLONE:
        clone(op->code == CONTINUE_ON_CLONE);
        break;
    case RESERVE:
        reserve(op->n);
        break;
    case SHRINK:
        shrink();
        break;
    case EVACUATE:
        evacuate(op->n);
        break;
    case BEGIN:
        if (!it->live)
            iter_begin(it);
        break;
    case NEXT:
        for (uint32_t i = 0; i < op->n && it->live; i++)
            if (!iter_next(it) && op->variant & 1)
                iter_end(it); // allowed once more
        break;
    case END:
        if (it->live)
            iter_end(it);
        break;
    case ABANDON:
        if (it->live) {
            it->live = false;
            abandoned = true;
        }
        break;
    case DELETE_DELIVERED:
        if (it->live && it->elem != NULL && entries[it->key].present)
            delete_key(it->key, op->variant);
        break;
    case DELETE_MANY_DELIVERED:
        for (uint32_t i = 0; i < op->n && it->live; i++)
            if (iter_next(it) && it->elem != NULL)
                delete_key(it->key, op->variant);
        break;
    case WRITE_DELIVERED:
        if (it->live && it->elem != NULL && it->writes == writes &&
            kind->type->elem_size > 0) {
            elem_write(it->elem, op->value);
            entries[it->key].value = op->value;
        }
        break;
    case WALK:
        if (!it->live)
            walk(it);
        break;
    case EACH:
        if (kind->each != NULL)
            each(op);
        break;
    default:
        check();
    }
    watch_fail(0, false);
    if (kind->len(map) != count)
        wrong("len is %zu, should be %zu", kind->len(map), count);
    since_check += 8;
    if (since_check > universe)
        check();
}

// round_run runs a list in this process and exits.
static void __attribute__((noreturn))
round_run(const struct kind *of, uint32_t nkeys, const struct op *ops,
          size_t n) {
    kind = of;
    universe = nkeys;
    if (kind->type == &counted_type || kind->type == &updated_type)
        untyped_type = kind->type;
    alarm(HANG_S);
    running = 0;
    enter_map();
    map = kind->make(ops[0].n % 100);
    leave_map();
    if (map == NULL)
        wrong("make failed");
    for (running = 0; running < n; running++)
        perform(&ops[running]);
    check();
    for (int i = 0; i < NITERS; i++)
        if (iters[i].live) {
            if (i % 2 == 0)
                while (iter_next(&iters[i]))
                    ;
            else
                iter_end(&iters[i]);
        }
    check();
    enter_map();
    kind->free(map);
    leave_map();
    all_gone();
    size_t blocks = watched().blocks;
    if (blocks != 0 || live_keys != 0 || live_elems != 0)
        wrong("%zu blocks, %zu keys, %zu elements are left", blocks, live_keys,
              live_elems);
    fflush(stdout);
    exit(0);
}

// round_passes runs a list in a child.
static bool round_passes(const struct kind *of, uint32_t nkeys,
                         const struct op *ops, size_t n, bool quiet) {
    failure[0] = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (quiet && freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        round_run(of, nkeys, ops, n);
    }
    int status;
    while (child < 0 || waitpid(child, &status, 0) != child) {
        perror("model: a child");
        exit(2);
    }
    if (WIFSIGNALED(status))
        snprintf(failure, FAILURE_SIZE, "died of signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0 && failure[0] == 0)
        snprintf(failure, FAILURE_SIZE, "exit status %d, see above",
                 WEXITSTATUS(status));
    return failure[0] == 0;
}

// Making lists.

static uint64_t chance_state;

static uint32_t chance(uint32_t n) {
    chance_state += 0x9e3779b97f4a7c15u;
    return (uint32_t)(scramble(chance_state) >> 32) % n;
}

// How often each operation comes, in phases of some character.
static const uint8_t phases[][NCODES] = {
    // growing
    {[PUT] = 40,
     [SET] = 10,
     [PUT_MANY] = 10,
     [PUT_NAN] = 4,
     [GET] = 4,
     [DELETE] = 4,
     [EVACUATE] = 1,
     [BEGIN] = 6,
     [NEXT] = 10,
     [END] = 1,
     [WRITE_DELIVERED] = 4},
    // shrinking
    {[PUT] = 4,
     [DELETE] = 40,
     [DELETE_MANY] = 10,
     [GET] = 4,
     [BEGIN] = 6,
     [NEXT] = 10,
     [END] = 1,
     [DELETE_DELIVERED] = 10,
     [DELETE_MANY_DELIVERED] = 4,
     [SHRINK] = 1},
    // coming and going at one size: overflow buckets collect
    {[PUT] = 30,
     [PUT_MANY] = 4,
     [DELETE] = 30,
     [DELETE_MANY] = 4,
     [PUT_NAN] = 1,
     [BEGIN] = 4,
     [NEXT] = 10,
     [END] = 1,
     [DELETE_DELIVERED] = 4,
     [WRITE_DELIVERED] = 4},
    // everything
    {[PUT] = 10,
     [SET] = 4,
     [PUT_MANY] = 4,
     [PUT_NAN] = 2,
     [GET] = 4,
     [DELETE] = 8,
     [DELETE_MANY] = 4,
     [DRAIN] = 2,
     [CLEAR] = 2,
     [CLONE] = 1,
     [CONTINUE_ON_CLONE] = 1,
     [RESERVE] = 2,
     [SHRINK] = 3,
     [EVACUATE] = 4,
     [BEGIN] = 12,
     [NEXT] = 12,
     [END] = 4,
     [ABANDON] = 1,
     [DELETE_DELIVERED] = 6,
     [DELETE_MANY_DELIVERED] = 4,
     [WRITE_DELIVERED] = 4,
     [WALK] = 4,
     [EACH] = 6,
     [CHECK] = 2},
};
enum { NPHASES = sizeof phases / sizeof *phases };

// round_make fills a list and returns its length; ret_work is how many map
// operations it stands for.
static size_t round_make(const struct kind *of, struct op *ops,
                         uint32_t *ret_keys, size_t *ret_work) {
    // Small maps find most, large ones what needs size.
    static const uint32_t sizes[] = {60, 60, 60, 60, 400, 400, 400, KEYS_MAX};
    uint32_t most = sizes[chance(8)];
    uint32_t keys = 1 + chance(most < of->universe ? most : of->universe);
    bool faulty = chance(3) == 0, abandons = chance(4) == 0;
    size_t n = 50 + chance(ROUND_MAX - 50), phase = 0, until = 0;
    if (chance(2) == 0)
        n = 20 + chance(300);
    *ret_keys = keys;
    *ret_work = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == until) {
            phase = chance(NPHASES);
            until += 10 + chance(400);
        }
        unsigned total = 0;
        for (unsigned c = 0; c < NCODES; c++)
            total += phases[phase][c];
        unsigned at = chance(total), c = 0;
        for (; at >= phases[phase][c]; c++)
            at -= phases[phase][c];
        if (c == ABANDON && !abandons)
            c = END;
        // What costs a map's size is rarer in large ones.
        if ((c == DRAIN || c == CLEAR || c == CLONE || c == WALK || c == EACH ||
             c == CHECK || c == CONTINUE_ON_CLONE || c == SHRINK) &&
            chance(keys) > 300)
            c = PUT_MANY;
        struct op *op = &ops[i];
        *op = (struct op){.code = (uint8_t)c,
                          .iter = (uint8_t)chance(NITERS),
                          .variant = (uint8_t)chance(256),
                          .key = chance(keys),
                          .value = chance(NAN_VALUE)};
        op->n = 1 + chance(chance(4) > 0 ? 6 : keys);
        if (c == RESERVE)
            op->n = 1 + chance(2 * keys);
        if (c == EVACUATE && chance(2) == 0)
            op->n = chance(4);
        if (faulty && chance(6) == 0) {
            op->fail = (uint8_t)(1 + chance(chance(2) ? 2 : 20));
            op->fail_on = chance(2);
        }
        if (c == PUT_MANY || c == DELETE_MANY || c == DELETE_MANY_DELIVERED)
            *ret_work += op->n;
        else
            *ret_work += 1;
    }
    return n;
}

static void op_print(const struct op *op) {
    printf("%s key %u n %u value %u variant %u iter %u fail %u %u\n",
           code_names[op->code], op->key, op->n, op->value, op->variant,
           op->iter, op->fail, op->fail_on);
}

static bool op_read(FILE *file, struct op *op) {
    char name[32];
    unsigned variant, iter, fail, fail_on;
    if (fscanf(file, "%31s key %u n %u value %u variant %u iter %u fail %u %u",
               name, &op->key, &op->n, &op->value, &variant, &iter, &fail,
               &fail_on) != 8)
        return false;
    op->variant = (uint8_t)variant;
    op->iter = (uint8_t)iter;
    op->fail = (uint8_t)fail;
    op->fail_on = fail_on != 0;
    for (op->code = 0; op->code < NCODES; op->code++)
        if (strcmp(name, code_names[op->code]) == 0)
            return true;
    return false;
}

// shorten leaves out runs of operations, ever shorter ones, as long as the rest
// still fails.
static size_t shorten(const struct kind *of, uint32_t nkeys, struct op *ops,
                      size_t n) {
    static struct op rest[ROUND_MAX];
    time_t end = time(NULL) + SHORTER_SECONDS;
    bool found = true;
    for (size_t run = n / 2; run > 0; run = found ? run : run / 2) {
        found = false;
        for (size_t at = 0; at + run <= n && n > 1 && time(NULL) < end;) {
            memcpy(rest, ops, at * sizeof *ops);
            memcpy(rest + at, ops + at + run, (n - at - run) * sizeof *ops);
            bool fails = false;
            for (int i = 0; i < TRIES && !fails; i++)
                fails = !round_passes(of, nkeys, rest, n - run, true);
            if (!fails) {
                at += run;
                continue;
            }
            n -= run;
            memcpy(ops, rest, n * sizeof *ops);
            found = true;
        }
        if (time(NULL) >= end)
            break;
    }
    return n;
}

static void report(const struct kind *of, uint32_t nkeys, struct op *ops,
                   size_t n) {
    printf("kind %s keys %u\n", of->name, nkeys);
    for (size_t i = 0; i < n; i++)
        op_print(&ops[i]);
    fflush(stdout);
}

static int replay(const char *path) {
    static struct op ops[ROUND_MAX];
    char name[32];
    uint32_t nkeys;
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "kind %31s keys %u", name, &nkeys) != 2) {
        fprintf(stderr, "model: cannot read %s\n", path);
        return 2;
    }
    size_t n = 0;
    while (n < ROUND_MAX && op_read(file, &ops[n]))
        n++;
    fclose(file);
    for (size_t i = 0; i < NKINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            round_run(&kinds[i], nkeys, ops, n);
    return 2;
}

static const struct kind *some_kind(void) {
    uint32_t total = 0;
    for (size_t i = 0; i < NKINDS; i++)
        total += kinds[i].weight;
    uint32_t at = chance(total);
    const struct kind *of = kinds;
    for (; at >= of->weight; of++)
        at -= of->weight;
    return of;
}

int main(int argc, char **argv) {
    static struct op ops[ROUND_MAX];
    failure = (char *)mmap(NULL, FAILURE_SIZE, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failure == MAP_FAILED)
        return 2;
    if (argc == 3 && strcmp(argv[1], "replay") == 0)
        return replay(argv[2]);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 8;
    if (argc > 1 && strcmp(argv[1], "random") != 0)
        seed = strtoull(argv[1], NULL, 10);
    size_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    printf("seed %lu\n", seed);
    chance_state = seed;
    for (size_t done = 0, round = 0; done < operations; round++) {
        const struct kind *of = some_kind();
        uint32_t nkeys;
        size_t work, n = round_make(of, ops, &nkeys, &work);
        done += work;
        if (round_passes(of, nkeys, ops, n, false))
            continue;
        printf("round %zu of seed %lu: %s of %zu: %s\n", round, seed, of->name,
               n, failure);
        n = shorten(of, nkeys, ops, n);
        bool again = false;
        for (int i = 0; i < 10 * TRIES && !again; i++)
            again = !round_passes(of, nkeys, ops, n, false);
        printf("shortest, %zu operations: %s\n", n,
               again ? failure : "it did not fail again");
        report(of, nkeys, ops, n);
        return 1;
    }
    return 0;
}
