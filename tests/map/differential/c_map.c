// c_map: runs a script of map operations on libmoundmap and prints the map's state
// after each, as go_map.go does on Go's maps. differential.py makes the scripts,
// tells their language, and compares. So does semantics.py, for either map of the
// library: with MAP_SWISS, this is the Swiss one's, of whose state only the length
// is printed.
//
//   c_map typed|untyped SCRIPT DELIVERIES >STATES
//
// typed: by the functions that MOUND_MAP_DECLARE makes, with everything inlined;
// untyped: by the library's, with a struct mound_map_type written out.
#include "../which.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BIG_KEY = 17, // words; above 128 bytes: stored apart
    BIG_ELEM = 25,
    ITERATORS = 16,
    EXACT_B = 16,     // from here on noverflow counts by chance, and ours moves
                      // buckets in order
    SAME_SIZE = 8,    // Go's flag
    VERIFY = 7,       // operations between two calls of mound_map_verify
    VERIFY_MAX = 500, // for maps up to this size
};

static const uint64_t WRONG = 0xdeaddeaddeaddead; // never a value of a script

// The hash: the script says how.
static bool hash_mix;
static uint64_t hash_and, hash_xor;

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t hash(uint64_t x) {
    return ((hash_mix ? mix(x) : x) & hash_and) ^ hash_xor;
}

// Five kinds of maps. A script has words for keys and for elements: here is how
// they become keys and elements, and how those come back.

struct big_key {
    uint64_t word[BIG_KEY];
};
struct big_elem {
    uint64_t word[BIG_ELEM];
};

static uint64_t u64_key(uint64_t x) {
    return x;
}

static uint64_t u64_word(uint64_t key) {
    return key;
}

static uint64_t u64_hash(uint64_t key, uint64_t seed) {
    (void)seed;
    return hash(key);
}

static bool u64_eq(uint64_t a, uint64_t b) {
    return a == b;
}

static double f64_key(uint64_t x) {
    double key;
    memcpy(&key, &x, sizeof key);
    return key;
}

static uint64_t f64_word(double key) {
    uint64_t x;
    memcpy(&x, &key, sizeof x);
    return x;
}

static uint64_t f64_hash(double key, uint64_t seed) {
    (void)seed;
    return hash(key == 0 ? 0 : f64_word(key)); // -0 too
}

static bool f64_eq(double a, double b) {
    return a == b;
}

static struct big_key big_key(uint64_t x) {
    struct big_key key;
    for (int i = 0; i < BIG_KEY; i++)
        key.word[i] = x + (uint64_t)i;
    return key;
}

static uint64_t big_word(struct big_key key) {
    for (int i = 0; i < BIG_KEY; i++)
        if (key.word[i] != key.word[0] + (uint64_t)i)
            return WRONG;
    return key.word[0];
}

static uint64_t big_hash(struct big_key key, uint64_t seed) {
    (void)seed;
    return hash(key.word[0]);
}

static bool big_eq(struct big_key a, struct big_key b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static void u64_store(uint64_t *elem, uint64_t value) {
    *elem = value;
}

static uint64_t u64_load(const uint64_t *elem) {
    return *elem;
}

static void big_store(struct big_elem *elem, uint64_t value) {
    for (int i = 0; i < BIG_ELEM; i++)
        elem->word[i] = value;
}

static uint64_t big_load(const struct big_elem *elem) {
    for (int i = 0; i < BIG_ELEM; i++)
        if (elem->word[i] != elem->word[0])
            return WRONG;
    return elem->word[0];
}

// Texts, in the order in which they are no longer needed.
static const char *str_key(uint64_t x) {
    static char texts[4][24];
    static int at;
    char *text = texts[++at % 4];
    snprintf(text, sizeof texts[0], "%" PRIu64, x);
    return text;
}

static uint64_t str_word(const char *key) {
    char *after;
    uint64_t x = strtoull(key, &after, 10);
    return *after == 0 ? x : WRONG;
}

MOUND_MAP_DECLARE(u64_map, uint64_t, uint64_t, u64_hash, u64_eq)
#define F64_MAP(P)                                                             \
    MOUND_TYPED_MAP_(P, f64_map, double, uint64_t, f64_hash, f64_eq,           \
                     MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE)
F64_MAP(mound_map)
MOUND_MAP_DECLARE(big_map, struct big_key, struct big_elem, big_hash, big_eq)
MOUND_MAP_STR(str_map, uint64_t)
MOUND_SET_DECLARE(u64_set, uint64_t, u64_hash, u64_eq)

union iter {
    struct mound_map_iter untyped;
    u64_map_iter u64;
    f64_map_iter f64;
    big_map_iter big;
    str_map_iter str;
    u64_set_iter set;
};

// What a script does to a map, for each kind and way.
struct ops {
    const char *kind;
    struct mound_map_type type;
    void *(*make)(size_t hint);
    void (*free)(void *m);
    size_t (*len)(const void *m);
    // put stores the value and tells what the slot had before.
    bool (*put)(void *m, uint64_t key, uint64_t value, bool *ret_new,
                uint64_t *ret_before);
    bool (*get)(const void *m, uint64_t key, uint64_t *ret_value);
    bool (*remove)(void *m, uint64_t key);
    void (*clear)(void *m);
    void *(*clone)(const void *m);
    bool (*reserve)(void *m, size_t n);
    bool (*shrink)(void *m);
    size_t (*evacuate)(void *m, size_t n);
    void (*begin)(const void *m, union iter *it);
    bool (*next)(union iter *it, uint64_t *ret_key, uint64_t *ret_value);
    void (*end)(union iter *it);
};

// What each map type has of its own accord.
#define TYPED_COMMON(NAME, SHORT)                                              \
    static void *NAME##_t_make(size_t hint) {                                  \
        return NAME##_make(hint);                                              \
    }                                                                          \
    static void NAME##_t_free(void *m) {                                       \
        NAME##_free((NAME *)m);                                                \
    }                                                                          \
    static size_t NAME##_t_len(const void *m) {                                \
        return NAME##_len((const NAME *)m);                                    \
    }                                                                          \
    static void NAME##_t_clear(void *m) {                                      \
        NAME##_clear((NAME *)m);                                               \
    }                                                                          \
    static void *NAME##_t_clone(const void *m) {                               \
        return NAME##_clone((const NAME *)m);                                  \
    }                                                                          \
    static bool NAME##_t_reserve(void *m, size_t n) {                          \
        return NAME##_reserve((NAME *)m, n);                                   \
    }                                                                          \
    static bool NAME##_t_shrink(void *m) {                                     \
        return NAME##_shrink((NAME *)m);                                       \
    }                                                                          \
    static size_t NAME##_t_evacuate(void *m, size_t n) {                       \
        return NAME##_evacuate((NAME *)m, n);                                  \
    }                                                                          \
    static void NAME##_t_begin(const void *m, union iter *it) {                \
        it->SHORT = NAME##_begin((const NAME *)m);                             \
    }                                                                          \
    static void NAME##_t_end(union iter *it) {                                 \
        NAME##_end(&it->SHORT);                                                \
    }

#define TYPED(NAME, SHORT, ELEM)                                               \
    TYPED_COMMON(NAME, SHORT)                                                  \
    static bool NAME##_t_put(void *m, uint64_t key, uint64_t value,            \
                             bool *ret_new, uint64_t *ret_before) {            \
        __auto_type slot = NAME##_put((NAME *)m, SHORT##_key(key), ret_new);   \
        if (slot == NULL)                                                      \
            return false;                                                      \
        *ret_before = ELEM##_load(slot);                                       \
        ELEM##_store(slot, value);                                             \
        return true;                                                           \
    }                                                                          \
    static bool NAME##_t_get(const void *m, uint64_t key, uint64_t *ret_v) {   \
        __auto_type slot = NAME##_get((const NAME *)m, SHORT##_key(key));      \
        if (slot != NULL)                                                      \
            *ret_v = ELEM##_load(slot);                                        \
        return slot != NULL;                                                   \
    }                                                                          \
    static bool NAME##_t_delete(void *m, uint64_t key) {                       \
        return NAME##_delete((NAME *)m, SHORT##_key(key));                     \
    }                                                                          \
    static bool NAME##_t_next(union iter *it, uint64_t *ret_key,               \
                              uint64_t *ret_v) {                               \
        if (!NAME##_next(&it->SHORT))                                          \
            return false;                                                      \
        *ret_key = SHORT##_word(*it->SHORT.key);                               \
        *ret_v = ELEM##_load(it->SHORT.elem);                                  \
        return true;                                                           \
    }

TYPED(u64_map, u64, u64)
TYPED(f64_map, f64, u64)
TYPED(big_map, big, big)
TYPED(str_map, str, u64)
TYPED_COMMON(u64_set, set)

static bool u64_set_t_put(void *m, uint64_t key, uint64_t value, bool *ret_new,
                          uint64_t *ret_before) {
    (void)value;
    *ret_before = 0;
    return u64_set_add((u64_set *)m, key, ret_new);
}

static bool u64_set_t_get(const void *m, uint64_t key, uint64_t *ret_value) {
    *ret_value = 0;
    return u64_set_has((const u64_set *)m, key);
}

static bool u64_set_t_delete(void *m, uint64_t key) {
    return u64_set_delete((u64_set *)m, key);
}

static bool u64_set_t_next(union iter *it, uint64_t *ret_key,
                           uint64_t *ret_value) {
    if (!u64_set_next(&it->set))
        return false;
    *ret_key = *it->set.key;
    *ret_value = 0;
    return true;
}

// The untyped way. key is what the script's word becomes in any kind of map.
static const struct ops *ops;
static struct big_key key_buffer;

static bool is_text(void) {
    return strcmp(ops->kind, "str") == 0;
}

static const void *key_of(uint64_t x) {
    static const char *text;
    if (is_text()) {
        text = str_key(x);
        return &text;
    }
    key_buffer = big_key(x);
    return &key_buffer;
}

static uint64_t word_of(const void *key) {
    if (ops->type.key_size == sizeof(struct big_key))
        return big_word(*(const struct big_key *)key);
    if (is_text())
        return str_word(*(char *const *)key);
    return *(const uint64_t *)key;
}

static uint64_t load(const void *elem) {
    switch (ops->type.elem_size) {
    case 0:
        return 0;
    case sizeof(struct big_elem):
        return big_load((const struct big_elem *)elem);
    }
    return *(const uint64_t *)elem;
}

static void store(void *elem, uint64_t value) {
    if (ops->type.elem_size == sizeof(struct big_elem))
        big_store((struct big_elem *)elem, value);
    else if (ops->type.elem_size > 0)
        *(uint64_t *)elem = value;
}

static uint64_t hash_word(const void *key, uint64_t seed, void *user) {
    (void)user;
    return u64_hash(*(const uint64_t *)key, seed);
}

static uint64_t hash_float(const void *key, uint64_t seed, void *user) {
    (void)user;
    return f64_hash(*(const double *)key, seed);
}

static bool equal_word(const void *a, const void *b, void *user) {
    (void)user;
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static bool equal_float(const void *a, const void *b, void *user) {
    (void)user;
    return *(const double *)a == *(const double *)b;
}

static bool equal_big(const void *a, const void *b, void *user) {
    (void)user;
    return memcmp(a, b, sizeof(struct big_key)) == 0;
}

static void *untyped_make(size_t hint) {
    return mound_map_make(&ops->type, hint);
}

static void untyped_free(void *m) {
    mound_map_free(&ops->type, (struct mound_map *)m);
}

static size_t untyped_len(const void *m) {
    return mound_map_len((const struct mound_map *)m);
}

static bool untyped_put(void *m, uint64_t key, uint64_t value, bool *ret_new,
                        uint64_t *ret_before) {
    void *slot =
        mound_map_put(&ops->type, (struct mound_map *)m, key_of(key), ret_new);
    if (slot == NULL)
        return false;
    *ret_before = load(slot);
    store(slot, value);
    return true;
}

static bool untyped_get(const void *m, uint64_t key, uint64_t *ret_value) {
    void *slot =
        mound_map_get(&ops->type, (const struct mound_map *)m, key_of(key));
    if (slot != NULL)
        *ret_value = load(slot);
    return slot != NULL;
}

static bool untyped_delete(void *m, uint64_t key) {
    return mound_map_delete(&ops->type, (struct mound_map *)m, key_of(key));
}

static void untyped_clear(void *m) {
    mound_map_clear(&ops->type, (struct mound_map *)m);
}

static void *untyped_clone(const void *m) {
    return mound_map_clone(&ops->type, (const struct mound_map *)m);
}

static bool untyped_reserve(void *m, size_t n) {
    return mound_map_reserve(&ops->type, (struct mound_map *)m, n);
}

static bool untyped_shrink(void *m) {
    return mound_map_shrink(&ops->type, (struct mound_map *)m);
}

static size_t untyped_evacuate(void *m, size_t n) {
    return mound_map_evacuate(&ops->type, (struct mound_map *)m, n);
}

static void untyped_begin(const void *m, union iter *it) {
    mound_map_begin(&ops->type, (const struct mound_map *)m, &it->untyped);
}

static bool untyped_next(union iter *it, uint64_t *ret_key,
                         uint64_t *ret_value) {
    if (!mound_map_next(&it->untyped))
        return false;
    *ret_key = word_of(it->untyped.key);
    *ret_value = load(it->untyped.elem);
    return true;
}

static void untyped_end(union iter *it) {
    mound_map_end(&it->untyped);
}

#define UNTYPED_OPS                                                            \
    untyped_make, untyped_free, untyped_len, untyped_put, untyped_get,         \
        untyped_delete, untyped_clear, untyped_clone, untyped_reserve,         \
        untyped_shrink, untyped_evacuate, untyped_begin, untyped_next,         \
        untyped_end
#define TYPED_OPS(NAME)                                                        \
    NAME##_t_make, NAME##_t_free, NAME##_t_len, NAME##_t_put, NAME##_t_get,    \
        NAME##_t_delete, NAME##_t_clear, NAME##_t_clone, NAME##_t_reserve,     \
        NAME##_t_shrink, NAME##_t_evacuate, NAME##_t_begin, NAME##_t_next,     \
        NAME##_t_end
#define WORD sizeof(uint64_t), _Alignof(uint64_t)
#define BIG(TYPE) sizeof(struct TYPE), _Alignof(struct TYPE)
#define NO_OWNER NULL, NULL, NULL, NULL, NULL, NULL
#define FLOAT MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE

static const struct ops typed_ops[] = {
    {"u64", {.hash = NULL}, TYPED_OPS(u64_map)},
    {"f64", {.hash = NULL}, TYPED_OPS(f64_map)},
    {"big", {.hash = NULL}, TYPED_OPS(big_map)},
    {"str", {.hash = NULL}, TYPED_OPS(str_map)},
    {"set", {.hash = NULL}, TYPED_OPS(u64_set)},
};

// That of texts is filled in by main.
static struct ops untyped_ops[] = {
    {"str", {.hash = NULL}, UNTYPED_OPS},
    {"u64",
     {WORD, WORD, hash_word, equal_word, NO_OWNER, 0, NULL, NULL},
     UNTYPED_OPS},
    {"f64",
     {WORD, WORD, hash_float, equal_float, NO_OWNER, FLOAT, NULL, NULL},
     UNTYPED_OPS},
    {"big",
     {BIG(big_key), BIG(big_elem), hash_word, equal_big, NO_OWNER, 0, NULL,
      NULL},
     UNTYPED_OPS},
    {"set",
     {WORD, 0, 1, hash_word, equal_word, NO_OWNER, 0, NULL, NULL},
     UNTYPED_OPS},
};

// The map, and what the script has running on it.
static const struct mound_map_type *type;
static void *m;
static void *other; // its clone, or what it was cloned from
static union iter its[ITERATORS];
static void *running[ITERATORS]; // the map that it walks
static uint64_t every;
static FILE *deliveries;
static const char *script_path;
static unsigned long line_number;

static void fail(const char *what) {
    fflush(stdout);
    fprintf(stderr, "%s:%lu: %s\n", script_path, line_number, what);
    exit(1);
}

static void verify(void) {
    const char *broken = mound_map_verify(type, (const struct mound_map *)m);
    if (broken != NULL)
        fail(broken);
}

// state prints the map's header; what the operation returned follows.
static void state(void) {
    struct mound_map_info info;
    mound_map_info(type, (const struct mound_map *)m, &info);
    if (info.count != ops->len(m))
        fail("the count is not the length");
#ifdef MAP_SWISS
    printf("%zu | ", info.count);
#else
    size_t left = info.oldbuckets > 0 ? info.oldbuckets - info.nevacuate : 0;
    printf("%zu %u ", info.count, info.B);
    if (info.B < EXACT_B)
        printf("%zu %zu %u %u | ", left, info.nevacuate, info.noverflow,
               info.flags);
    else
        printf("- - - %u | ", info.flags & ~(unsigned)SAME_SIZE);
#endif
}

static void result(uint64_t x) {
    printf("%" PRIu64 " ", x);
}

static bool put(uint64_t key, uint64_t value, uint64_t *ret_before) {
    bool is_new = false;
    if (!ops->put(m, key, value, &is_new, ret_before))
        fail("put failed");
    return is_new;
}

static void end(size_t i) {
    if (running[i])
        ops->end(&its[i]);
    running[i] = NULL;
}

static bool step(size_t i) {
    uint64_t key, value;
    // The call after the end must be harmless, and find the end again.
    if (running[i] && ops->next(&its[i], &key, &value)) {
        fprintf(deliveries, "%zu %" PRIu64 " %" PRIu64 " \n", i, key, value);
        return true;
    }
    fprintf(deliveries, "%zu end\n", i);
    if (running[i] && ops->next(&its[i], &key, &value))
        fail("an iterator goes on after its end");
    end(i);
    return false;
}

static void walk(void) {
    uint64_t n = 0, sum = 0, odd = 0, key, value;
    union iter it;
    for (ops->begin(m, &it); ops->next(&it, &key, &value);) {
        uint64_t x = mix(key ^ mix(value));
        n++;
        sum += x;
        odd ^= x << (x & 63) | x >> (-x & 63);
    }
    ops->end(&it);
    state();
    result(n);
    result(sum);
    result(odd);
}

// cull is one loop that deletes all entries but each a-th, as it comes by; wipe one that
// clears the map at its a-th entry, and goes on.
static void cull(uint64_t a) {
    uint64_t n = 0, key, value;
    union iter it;
    for (ops->begin(m, &it); ops->next(&it, &key, &value); n++)
        if (mix(key ^ mix(value)) % a != 0)
            ops->remove(m, key);
    ops->end(&it);
    state();
    result(n);
}

static void wipe(uint64_t a) {
    uint64_t n = 0, key, value;
    union iter it;
    for (ops->begin(m, &it); ops->next(&it, &key, &value);)
        if (++n == a)
            ops->clear(m);
    ops->end(&it);
    state();
    result(n);
}

static void end_all(const void *of) {
    for (size_t i = 0; i < ITERATORS; i++)
        if (of == NULL || running[i] == of)
            end(i);
}

static void clone(void) {
    if (other != NULL) {
        end_all(other);
        ops->free(other);
    }
    other = ops->clone(m);
    if (other == NULL)
        fail("clone failed");
}

static void swap(void) {
    if (other == NULL)
        return;
    void *x = m;
    m = other;
    other = x;
}

static void make(uint64_t hint) {
    end_all(NULL);
    if (m != NULL)
        ops->free(m);
    m = ops->make(hint);
    // A choice of ours: Go takes a hint that no memory could hold for none.
    if (m == NULL && errno == ENOMEM && hint >> 40 != 0)
        m = ops->make(0);
    if (m == NULL)
        fail("make failed");
}

static void fill_or_drop(bool fill, const uint64_t *a) {
    for (uint64_t i = 0; i < a[1]; i++) {
        uint64_t key = a[0] + i * a[2], before;
        bool changed = fill ? put(key, i, &before) : ops->remove(m, key);
        if (i % every == 0) {
            state();
            result(changed);
            printf("\n");
        }
    }
    state();
}

static void finish(void) {
    if (m == NULL)
        return;
    verify();
    make(0);
    ops->free(m);
    if (other != NULL)
        ops->free(other);
    m = other = NULL;
}

static void script_begin(const struct ops *way, char *line) {
    char name[64], kind[8];
    int hash_mix_int;
    finish();
    // script NAME KIND MIX AND XOR EVERY
    if (sscanf(line, "script %63s %7s %d %" SCNx64 " %" SCNx64 " %" SCNu64,
               name, kind, &hash_mix_int, &hash_and, &hash_xor, &every) != 6)
        fail("not understood");
    hash_mix = hash_mix_int;
    printf("script %s\n", name);
    size_t i = 0;
    while (strcmp(way[i].kind, kind) != 0)
        i++;
    ops = &way[i];
    type = way == untyped_ops         ? &ops->type
           : strcmp(kind, "u64") == 0 ? u64_map_type()
           : strcmp(kind, "f64") == 0 ? f64_map_type()
           : strcmp(kind, "big") == 0 ? big_map_type()
           : strcmp(kind, "str") == 0 ? str_map_type()
                                      : u64_set_type();
}

static void run(const char *op, const uint64_t *a) {
    uint64_t x = 0;
    if (strcmp(op, "make") == 0) {
        make(a[0]);
        state();
    } else if (strcmp(op, "put") == 0) {
        bool is_new = put(a[0], a[1], &x);
        state();
        result(is_new);
        result(x);
    } else if (strcmp(op, "del") == 0) {
        bool deleted = ops->remove(m, a[0]);
        state();
        result(deleted);
    } else if (strcmp(op, "get") == 0) {
        bool found = ops->get(m, a[0], &x);
        state();
        result(found);
        if (found)
            result(x);
    } else if (strcmp(op, "clear") == 0) {
        // A choice of ours: an empty map is cleared too. Go leaves it alone.
        if (ops->len(m) > 0)
            ops->clear(m);
        state();
    } else if (strcmp(op, "iter") == 0) {
        end(a[0]);
        ops->begin(m, &its[a[0]]);
        running[a[0]] = m;
        step(a[0]);
        state();
    } else if (strcmp(op, "step") == 0) {
        step(a[0]);
        state();
    } else if (strcmp(op, "drain") == 0) {
        while (step(a[0]))
            ;
        state();
    } else if (strcmp(op, "end") == 0) {
        end(a[0]);
        state();
    } else if (strcmp(op, "walk") == 0) {
        walk();
    } else if (strcmp(op, "cull") == 0) {
        cull(a[0]);
    } else if (strcmp(op, "wipe") == 0) {
        wipe(a[0]);
    } else if (strcmp(op, "clone") == 0) {
        clone();
        state();
    } else if (strcmp(op, "swap") == 0) {
        swap();
        state();
    } else if (strcmp(op, "reserve") == 0) {
        if (!ops->reserve(m, a[0]))
            fail("reserve failed");
        state();
    } else if (strcmp(op, "shrink") == 0) {
        if (!ops->shrink(m))
            fail("shrink failed");
        state();
    } else if (strcmp(op, "evacuate") == 0) {
        ops->evacuate(m, a[0]);
        state();
    } else if (strcmp(op, "fill") == 0 || strcmp(op, "drop") == 0) {
        fill_or_drop(op[0] == 'f', a);
    } else {
        fail("not understood");
    }
    printf("\n");
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: c_map typed|untyped SCRIPT DELIVERIES\n");
        return 2;
    }
    const struct ops *way =
        strcmp(argv[1], "typed") == 0 ? typed_ops : untyped_ops;
    untyped_ops[0].type = *str_map_type();
    script_path = argv[2];
    FILE *script = fopen(script_path, "r");
    deliveries = fopen(argv[3], "w");
    if (script == NULL || deliveries == NULL)
        fail("cannot be opened, or its output");
    char line[256];
    while (fgets(line, sizeof line, script) != NULL) {
        line_number++;
        if (strncmp(line, "script ", 7) == 0) {
            script_begin(way, line);
            continue;
        }
        char op[12];
        uint64_t a[3] = {0, 0, 0};
        if (sscanf(line, "%11s %" SCNu64 " %" SCNu64 " %" SCNu64, op, &a[0],
                   &a[1], &a[2]) < 1)
            fail("not understood");
        run(op, a);
        if (line_number % VERIFY == 0 && ops->len(m) <= VERIFY_MAX)
            verify();
    }
    finish();
    fclose(script);
    if (fclose(deliveries) != 0 || fflush(stdout) != 0)
        fail("output cannot be written");
    return 0;
}
