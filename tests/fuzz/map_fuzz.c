// map_fuzz: a libFuzzer target. Bytes become operations on a map; a model says what
// each must return and what iterators may deliver, AddressSanitizer sees who reads
// what was freed, and mound_map_verify checks the inside. fuzz.py builds and runs it.
//
// Byte 0 chooses the kind of map, byte 1 the hash of the kinds with a hash of ours,
// bytes 2 and 3 seed what the map draws by lot, byte 4 says how the map is made. The
// rest are operations, see run(): a byte each and its operands.
//
// All that is random comes from the input: the linker's --wrap puts functions of
// ours in the place of map_random, map_seed and getrandom. It also does so for malloc and its
// like, so that operations meet want of memory, and all blocks are counted.
#include "../map/which.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <malloc.h>
#include <sys/types.h>

enum {
    IDS = 16384, // keys that equal themselves
    NANS = 128,  // and those that do not, from IDS on
    ITERATORS = 6,
    WORK_MAX = 45000,    // puts and deletes of one input
    VERIFY_ALWAYS = 100, // entries up to which each operation is verified
    CHECK_EVERY = 16,    // operations between verifications of larger maps
};

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "map_fuzz: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

// With MAP_FUZZ_TRACE set each operation is printed: what to read when an input
// that failed is run again.
static bool tracing;

static void __attribute__((format(printf, 1, 2)))
trace(const char *format, ...) {
    if (!tracing)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

// Chance.

static uint64_t random_state;

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t next_random(void) {
    return mix(random_state += 0x9e3779b97f4a7c15);
}

uint64_t __wrap_map_random(const void *address);
uint64_t __wrap_map_random(const void *address) {
    (void)address;
    return next_random();
}

uint32_t __wrap_map_seed(const void *m, uint32_t last);
uint32_t __wrap_map_seed(const void *m, uint32_t last) {
    (void)m;
    uint32_t seed = (uint32_t)next_random();
    return seed == last ? ~seed : seed;
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags) {
    (void)flags;
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

// Memory. fail_in counts down to the allocation that fails; 0: none will. With
// fail_on all those after it fail too, until the operation ends.

static bool in_map; // inside a call of the map
static unsigned fail_in;
static bool fail_on, failed;
static long blocks;      // not freed, of map and harness
static size_t map_bytes; // of those that the map asked for

static bool may_allocate(void) {
    if (!in_map || fail_in == 0)
        return true;
    if (fail_in > 1) {
        fail_in--;
        return true;
    }
    if (!fail_on)
        fail_in = 0;
    failed = true;
    errno = ENOMEM;
    return false;
}

static void *count(void *p) {
    if (p == NULL)
        die("out of real memory");
    blocks++;
    if (in_map)
        map_bytes += malloc_usable_size(p);
    return p;
}

static void uncount(void *p) {
    if (p == NULL)
        return;
    blocks--;
    if (in_map)
        map_bytes -= malloc_usable_size(p);
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
int __real_posix_memalign(void **, size_t, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);
int __wrap_posix_memalign(void **, size_t, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
char *__wrap_strdup(const char *);

// libFuzzer is linked in too; only what happens during an input counts.
static bool running;

void *__wrap_malloc(size_t size) {
    if (!running)
        return __real_malloc(size);
    return may_allocate() ? count(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    if (!running)
        return __real_calloc(n, size);
    return may_allocate() ? count(__real_calloc(n, size)) : NULL;
}

void *__wrap_realloc(void *p, size_t size) {
    if (!running)
        return __real_realloc(p, size);
    if (!may_allocate())
        return NULL;
    uncount(p);
    return count(__real_realloc(p, size));
}

void __wrap_free(void *p) {
    if (running)
        uncount(p);
    __real_free(p);
}

int __wrap_posix_memalign(void **ret, size_t align, size_t size) {
    if (running && !may_allocate())
        return ENOMEM;
    int error = __real_posix_memalign(ret, align, size);
    if (running && error == 0)
        count(*ret);
    return error;
}

void *__wrap_aligned_alloc(size_t align, size_t size) {
    void *p = NULL;
    return __wrap_posix_memalign(&p, align, size) == 0 ? p : NULL;
}

char *__wrap_strdup(const char *s) {
    size_t size = strlen(s) + 1;
    char *copy = (char *)__wrap_malloc(size);
    return copy == NULL ? NULL : (char *)memcpy(copy, s, size);
}

// Hashes of ours, good and poor. One uses the map's seed.

static unsigned hash_mode;

static uint64_t hash_id(uint64_t id, uint64_t seed) {
    const uint64_t top = 0xff00000000000000;
    if (id >= IDS)
        return next_random();
    switch (hash_mode % 8) {
    case 0:
        return mix(id);
    case 1:
        return id | id << 56; // in order
    case 2:
        return mix(id) & (top | 3); // four buckets
    case 3:
        return 0x1234567812345678; // all alike
    case 4:
        return mix(id) & ~top; // one tophash
    case 5:
        return (mix(id) & ~(top | 1)) | (id & 7) << 56; // small tophashes
    case 6:
        return mix(id & 15) ^ id << 40; // sixteen buckets, many tophashes
    default:
        return mix(id ^ seed << 20);
    }
}

// Keys. An id from 0 on stands for one; from IDS on they are NaNs or what the kind
// has in their place. What follows are kinds of keys, each with the key's bytes from
// an id, and back.

struct wide { // inline, as large as can be; the name is borrowed
    const char *name;
    uint64_t word[15];
};
struct apart { // stored apart, with an alignment of its own
    uint64_t word[20];
} __attribute__((aligned(32)));
struct apart_elem {
    uint64_t word[32];
} __attribute__((aligned(64)));
struct medium {
    uint64_t word[5];
};
struct boxed { // owns a block that says who it is
    unsigned *id;
};
typedef uint64_t *box; // an element that owns a block; NULL is zero

union key {
    uint64_t u64;
    uint32_t u32;
    double f64;
    const char *str;
    struct mound_view view;
    struct wide wide;
    struct apart apart;
    struct boxed boxed;
};

static uint64_t word_hash(uint64_t key, uint64_t seed) {
    return hash_id(key, seed);
}

static bool word_eq(uint64_t a, uint64_t b) {
    return a == b;
}

static const uint64_t NAN_BITS = 0x7ff8000000000000;

static unsigned f64_id(double key) {
    uint64_t bits;
    memcpy(&bits, &key, sizeof bits);
    return key != key ? (unsigned)(bits & 0xffff) : (unsigned)key;
}

static uint64_t f64_hash(double key, uint64_t seed) {
    return hash_id(f64_id(key), seed);
}

static bool f64_eq(double a, double b) {
    return a == b;
}

// Strings and views are k, the id and as many x as its low bits say.
static unsigned str_id(const char *s) {
    return (unsigned)strtoul(s + 1, NULL, 10);
}

static uint64_t view_hash(struct mound_view v, uint64_t seed) {
    char digits[8] = {0};
    size_t n = v.size - 1 < 7 ? v.size - 1 : 7;
    memcpy(digits, v.data + 1, n);
    return hash_id((uint64_t)strtoul(digits, NULL, 10), seed);
}

static uint64_t str_weak_hash(const char *s, uint64_t seed) {
    return hash_id(str_id(s), seed);
}

static uint64_t boxed_hash(const void *key, uint64_t seed, void *user) {
    (void)user;
    return hash_id(*((const struct boxed *)key)->id, seed);
}

static bool boxed_equal(const void *a, const void *b, void *user) {
    (void)user;
    unsigned x = *((const struct boxed *)a)->id;
    unsigned y = *((const struct boxed *)b)->id;
    return x == y && x < IDS;
}

static bool boxed_copy(void *dst, const void *src, void *user) {
    (void)user;
    unsigned *id = (unsigned *)malloc(sizeof *id);
    if (id == NULL)
        return false;
    *id = *((const struct boxed *)src)->id;
    ((struct boxed *)dst)->id = id;
    return true;
}

static void boxed_drop(void *key, void *user) {
    (void)user;
    free(((struct boxed *)key)->id);
}

static bool box_copy(box *dst, const box *src) {
    box copy = NULL;
    if (*src != NULL) {
        copy = (box)malloc(sizeof *copy);
        if (copy == NULL)
            return false;
        *copy = **src;
    }
    *dst = copy;
    return true;
}

static void box_drop(box *elem) {
    free(*elem);
}

static bool box_copy_void(void *dst, const void *src, void *user) {
    (void)user;
    return box_copy((box *)dst, (const box *)src);
}

static void box_drop_void(void *elem, void *user) {
    (void)user;
    box_drop((box *)elem);
}

static uint64_t first_word_hash(const void *key, uint64_t seed, void *user) {
    (void)user;
    return hash_id(*(const uint64_t *)key, seed);
}

static bool first_word_equal(const void *a, const void *b, void *user) {
    (void)user;
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static uint64_t wide_hash(const void *key, uint64_t seed, void *user) {
    (void)user;
    return hash_id(str_id(((const struct wide *)key)->name), seed);
}

static bool wide_equal(const void *a, const void *b, void *user) {
    (void)user;
    return mound_eq_str(((const struct wide *)a)->name,
                        ((const struct wide *)b)->name);
}

static uint64_t nothing_hash(const void *key, uint64_t seed, void *user) {
    (void)key;
    (void)user;
    return hash_id(7, seed);
}

static bool nothing_equal(const void *a, const void *b, void *user) {
    (void)a;
    (void)b;
    (void)user;
    return true;
}

// Typed maps: with everything inlined, and the hashes of the library or ours.
MOUND_MAP_DECLARE(weak, uint64_t, uint64_t, word_hash, word_eq)
MOUND_MAP_DECLARE(weak_wide, uint64_t, struct medium, word_hash, word_eq)
MOUND_MAP_U32(u32_u8, uint8_t)
MOUND_TYPED_MAP_(mound_map, f64_u16, double, uint16_t, f64_hash, f64_eq,
                 MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE)
MOUND_MAP_STR(owned, uint64_t)
MOUND_MAP_STR_BORROWED(borrowed, uint32_t)
MOUND_TYPED_MAP_(mound_map, weak_borrowed, mound_str_, uint64_t, str_weak_hash,
                 mound_eq_str, MOUND_MAP_KEY_UPDATE)
MOUND_MAP_VIEW_BORROWED(views, struct medium)
MOUND_MAP_DECLARE_OWNING(boxes, struct mound_view, box, view_hash,
                         mound_eq_view, mound_copy_view, mound_drop_view,
                         box_copy, box_drop)
MOUND_SET_U64(set)
MOUND_SET_STR_BORROWED(str_set)

union iter {
    struct mound_map_iter untyped;
    weak_iter weak;
    weak_wide_iter weak_wide;
    u32_u8_iter u32_u8;
    f64_u16_iter f64_u16;
    owned_iter owned;
    borrowed_iter borrowed;
    weak_borrowed_iter weak_borrowed;
    views_iter views;
    boxes_iter boxes;
    set_iter set;
    str_set_iter str_set;
};

enum shape { U64, U32, F64, STR, VIEW, WIDE, APART, BOXED, NOTHING };

struct kind {
    enum shape shape;
    bool borrowed; // the map points to memory of ours
    bool boxes;    // elements are boxes
    const struct mound_map_type *(*type)(void);
    void *(*put)(struct mound_map *m, const void *key, bool *ret_new);
    void *(*get)(const struct mound_map *m, const void *key);
    bool (*remove)(struct mound_map *m, const void *key);
    void (*begin)(const struct mound_map *m, union iter *it);
    bool (*next)(union iter *it, const void **ret_key, void **ret_elem);
    void (*end)(union iter *it);
    // mound_map_foreach; visit returns false to leave the loop.
    void (*each)(struct mound_map *m,
                 bool (*visit)(const void *key, void *elem));
    bool (*set)(struct mound_map *m, const void *key,
                uint64_t value); // or NULL
};

#define COMMON(NAME, K, elem_of)                                               \
    static bool NAME##_k_delete(struct mound_map *m, const void *key) {        \
        return NAME##_delete((NAME *)m, *(const K *)key);                      \
    }                                                                          \
    static void NAME##_k_begin(const struct mound_map *m, union iter *it) {    \
        it->NAME = NAME##_begin((const NAME *)m);                              \
    }                                                                          \
    static bool NAME##_k_next(union iter *it, const void **ret_key,            \
                              void **ret_elem) {                               \
        bool more = NAME##_next(&it->NAME);                                    \
        *ret_key = it->NAME.key;                                               \
        *ret_elem = elem_of(it->NAME);                                         \
        return more;                                                           \
    }                                                                          \
    static void NAME##_k_end(union iter *it) {                                 \
        NAME##_end(&it->NAME);                                                 \
    }                                                                          \
    static void NAME##_k_each(struct mound_map *m,                             \
                              bool (*visit)(const void *, void *)) {           \
        mound_map_foreach(NAME, it, (NAME *)m) {                               \
            if (!visit(it.key, elem_of(it)))                                   \
                break;                                                         \
        }                                                                      \
    }

#define ELEM_OF(it) (it).elem
#define NO_ELEM(it) NULL

#define TYPED(NAME, K)                                                         \
    COMMON(NAME, K, ELEM_OF)                                                   \
    static void *NAME##_k_put(struct mound_map *m, const void *key,            \
                              bool *ret_new) {                                 \
        return NAME##_put((NAME *)m, *(const K *)key, ret_new);                \
    }                                                                          \
    static void *NAME##_k_get(const struct mound_map *m, const void *key) {    \
        return NAME##_get((const NAME *)m, *(const K *)key);                   \
    }

#define SET(NAME, K)                                                           \
    COMMON(NAME, K, NO_ELEM)                                                   \
    static void *NAME##_k_put(struct mound_map *m, const void *key,            \
                              bool *ret_new) {                                 \
        static char there;                                                     \
        return NAME##_add((NAME *)m, *(const K *)key, ret_new) ? &there        \
                                                               : NULL;         \
    }                                                                          \
    static void *NAME##_k_get(const struct mound_map *m, const void *key) {    \
        static char there;                                                     \
        return NAME##_has((const NAME *)m, *(const K *)key) ? &there : NULL;   \
    }

TYPED(weak, uint64_t)
TYPED(weak_wide, uint64_t)
TYPED(u32_u8, uint32_t)
TYPED(f64_u16, double)
TYPED(owned, mound_str_)
TYPED(borrowed, mound_str_)
TYPED(weak_borrowed, mound_str_)
TYPED(views, struct mound_view)
TYPED(boxes, struct mound_view)
SET(set, uint64_t)
SET(str_set, mound_str_)

static bool weak_k_set(struct mound_map *m, const void *key, uint64_t value) {
    return weak_set((weak *)m, *(const uint64_t *)key, value);
}

static bool boxes_k_set(struct mound_map *m, const void *key, uint64_t value) {
    box b = (box)__real_malloc(sizeof *b); // the map's once it is in
    *b = value;
    bool done = boxes_set((boxes *)m, *(const struct mound_view *)key, b);
    if (done)
        count(b);
    else
        __real_free(b);
    return done;
}

// Untyped maps.
static const struct kind *kind;

static const struct mound_map_type *untyped_u64(void) {
    static const struct mound_map_type t = {.key_size = 8,
                                            .key_align = 8,
                                            .elem_size = 8,
                                            .elem_align = 8,
                                            .hash = first_word_hash,
                                            .equal = first_word_equal};
    return &t;
}

// So large that a map of IDS has arrays that are given back bit by bit.
static const struct mound_map_type *untyped_wide(void) {
    static const struct mound_map_type t = {.key_size = sizeof(struct wide),
                                            .key_align = 8,
                                            .elem_size = 128,
                                            .elem_align = 8,
                                            .hash = wide_hash,
                                            .equal = wide_equal,
                                            .flags = MOUND_MAP_KEY_UPDATE};
    return &t;
}

static const struct mound_map_type *untyped_apart(void) {
    static const struct mound_map_type t = {.key_size = sizeof(struct apart),
                                            .key_align = 32,
                                            .elem_size =
                                                sizeof(struct apart_elem),
                                            .elem_align = 64,
                                            .hash = first_word_hash,
                                            .equal = first_word_equal};
    return &t;
}

// The key stored apart, the element in place; put replaces the key.
static const struct mound_map_type *untyped_half(void) {
    static const struct mound_map_type t = {.key_size = sizeof(struct apart),
                                            .key_align = 32,
                                            .elem_size = 2,
                                            .elem_align = 2,
                                            .hash = first_word_hash,
                                            .equal = first_word_equal,
                                            .flags = MOUND_MAP_KEY_UPDATE};
    return &t;
}

static const struct mound_map_type *untyped_boxed(void) {
    static const struct mound_map_type t = {.key_size = sizeof(struct boxed),
                                            .key_align = 8,
                                            .elem_size = 8,
                                            .elem_align = 8,
                                            .hash = boxed_hash,
                                            .equal = boxed_equal,
                                            .key_copy = boxed_copy,
                                            .key_drop = boxed_drop,
                                            .elem_copy = box_copy_void,
                                            .elem_drop = box_drop_void,
                                            .flags = MOUND_MAP_KEY_UPDATE |
                                                     MOUND_MAP_KEY_IRREFLEXIVE};
    return &t;
}

// The same, stored apart.
static const struct mound_map_type *untyped_boxed_apart(void) {
    static struct mound_map_type t;
    t = *untyped_boxed();
    t.key_size = sizeof(struct apart);
    t.elem_size = sizeof(struct apart);
    return &t;
}

static const struct mound_map_type *untyped_nothing(void) {
    static const struct mound_map_type t = {.key_size = 0,
                                            .key_align = 1,
                                            .elem_size = 4,
                                            .elem_align = 4,
                                            .hash = nothing_hash,
                                            .equal = nothing_equal};
    return &t;
}

static void *untyped_put(struct mound_map *m, const void *key, bool *ret_new) {
    return mound_map_put(kind->type(), m, key, ret_new);
}

static void *untyped_get(const struct mound_map *m, const void *key) {
    return mound_map_get(kind->type(), m, key);
}

static bool untyped_delete(struct mound_map *m, const void *key) {
    return mound_map_delete(kind->type(), m, key);
}

static void untyped_begin(const struct mound_map *m, union iter *it) {
    mound_map_begin(kind->type(), m, &it->untyped);
}

static bool untyped_next(union iter *it, const void **ret_key,
                         void **ret_elem) {
    bool more = mound_map_next(&it->untyped);
    *ret_key = it->untyped.key;
    *ret_elem = it->untyped.elem;
    return more;
}

static void untyped_end(union iter *it) {
    mound_map_end(&it->untyped);
}

static void untyped_each(struct mound_map *m,
                         bool (*visit)(const void *, void *)) {
    struct mound_map_iter it;
    mound_map_begin(kind->type(), m, &it);
    while (mound_map_next(&it) && visit(it.key, it.elem))
        ;
    mound_map_end(&it);
}

#define KIND(NAME)                                                             \
    NAME##_type, NAME##_k_put, NAME##_k_get, NAME##_k_delete, NAME##_k_begin,  \
        NAME##_k_next, NAME##_k_end, NAME##_k_each
#define UNTYPED                                                                \
    untyped_put, untyped_get, untyped_delete, untyped_begin, untyped_next,     \
        untyped_end, untyped_each, NULL

static const struct kind kinds[] = {
    {U64, false, false, KIND(weak), weak_k_set},
    {F64, false, false, KIND(f64_u16), NULL},
    {STR, true, false, KIND(weak_borrowed), NULL},
    {STR, true, false, KIND(borrowed), NULL},
    {STR, false, false, KIND(owned), NULL},
    {VIEW, false, true, KIND(boxes), boxes_k_set},
    {VIEW, true, false, KIND(views), NULL},
    {U64, false, false, KIND(weak_wide), NULL},
    {U32, false, false, KIND(u32_u8), NULL},
    {U64, false, false, KIND(set), NULL},
    {STR, true, false, KIND(str_set), NULL},
    {BOXED, false, true, untyped_boxed, UNTYPED},
    {APART, false, false, untyped_apart, UNTYPED},
    {APART, false, false, untyped_half, UNTYPED},
    {WIDE, true, false, untyped_wide, UNTYPED},
    {U64, false, false, untyped_u64, UNTYPED},
    {NOTHING, false, false, untyped_nothing, UNTYPED},
    {BOXED, false, true, untyped_boxed_apart, UNTYPED},
};

// The model: what is in the map. Serial numbers tell an entry from a later one of
// the same key.
struct entry {
    uint64_t value;
    uint64_t serial; // 0: not there
    char *memory;    // what the map's key points to, when borrowed
    bool negative;   // the key is -0
};

struct iterator { // the last one is of the loop that is being run, if any
    union iter it;
    bool active;
    uint64_t born;  // entries up to this serial are older
    unsigned last;  // id delivered last, IDS + NANS: none
    uint64_t *seen; // serials delivered, by id
};

static struct entry entries[IDS + NANS];
static struct iterator iterators[ITERATORS + 1];
static uint64_t seen[ITERATORS + 2][IDS + NANS]; // zero from ids_used on
static unsigned ids_used; // entries below may not be zero
static uint64_t serial;
static size_t len;
static unsigned nans;
static struct mound_map *map;
static void *map_first; // memory lent to it, and map is ours
static bool map_lent;
static bool abandoned; // there may be an iterator that nobody ends
static unsigned work;

static bool irreflexive(unsigned id) {
    return id >= IDS;
}

// key_make makes the key of an id, in memory of its own where it points to some.
static char *key_make(unsigned id, bool negative, union key *key) {
    char *memory = NULL;
    *key = (union key){.u64 = 0};
    switch (kind->shape) {
    case U64:
        key->u64 = id;
        break;
    case U32:
        key->u32 = id;
        break;
    case F64:
        key->f64 = id == 0 && negative ? -0.0 : id;
        if (irreflexive(id)) {
            uint64_t bits = NAN_BITS | id;
            memcpy(&key->f64, &bits, sizeof bits);
        }
        break;
    case STR:
    case VIEW:
    case WIDE: {
        char text[80];
        int n = snprintf(text, sizeof text, "k%u%.*s", id, (int)(id % 40),
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        memory = (char *)malloc((size_t)n + 1);
        memcpy(memory, text, (size_t)n + 1);
        if (kind->shape == STR)
            key->str = memory;
        else if (kind->shape == WIDE)
            key->wide.name = memory;
        else
            key->view = (struct mound_view){memory, (size_t)n};
        break;
    }
    case APART:
        for (int i = 0; i < 20; i++)
            key->apart.word[i] = id;
        break;
    case BOXED:
        memory = (char *)malloc(sizeof(unsigned));
        key->boxed.id = (unsigned *)(void *)memory;
        *key->boxed.id = id;
        break;
    case NOTHING:
        break;
    }
    return memory;
}

// key_id checks a key of the map's and returns its id.
static unsigned key_id(const void *p) {
    unsigned id = 0;
    if (p == NULL)
        die("a key without an address");
    switch (kind->shape) {
    case U64:
    case APART:
        id = (unsigned)*(const uint64_t *)p;
        for (size_t i = 0; i < kind->type()->key_size / 8; i++)
            if (((const uint64_t *)p)[i] != id)
                die("a key is torn");
        break;
    case U32:
        id = *(const uint32_t *)p;
        break;
    case F64:
        id = f64_id(*(const double *)p);
        if (id == 0 && entries[0].serial != 0 &&
            __builtin_signbit(*(const double *)p) != entries[0].negative)
            die("zero has the wrong sign");
        break;
    case STR:
    case WIDE:
        id = str_id(*(const char *const *)p);
        break;
    case VIEW:
        id = str_id(((const struct mound_view *)p)->data);
        if (((const struct mound_view *)p)->size == 0)
            die("a view is torn");
        break;
    case BOXED:
        id = *((const struct boxed *)p)->id;
        break;
    case NOTHING:
        break;
    }
    if (id >= IDS + NANS)
        die("a key was never put");
    if (kind->borrowed && entries[id].serial != 0 &&
        *(char *const *)p != entries[id].memory)
        die("a borrowed key is not the one put last");
    return id;
}

// Elements have a value each, cut to their size.

static uint64_t value_cut(uint64_t value) {
    size_t size = kind->type()->elem_size;
    return size >= 8 ? value : value & ~(~(uint64_t)0 << 8 * size);
}

static uint64_t value_load(const void *slot) {
    size_t size = kind->type()->elem_size;
    uint64_t value = 0;
    if (kind->boxes) {
        box b = *(const box *)slot;
        return b == NULL ? 0 : *b;
    }
    if (size <= 8) {
        if (size > 0)
            memcpy(&value, slot, size);
        return value;
    }
    value = *(const uint64_t *)slot;
    for (size_t i = 0; i < size / 8; i++)
        if (((const uint64_t *)slot)[i] != value)
            die("an element is torn");
    return value;
}

static void value_store(void *slot, uint64_t value) {
    size_t size = kind->type()->elem_size;
    if (kind->boxes) {
        box *b = (box *)slot;
        if (*b == NULL)
            *b = (box)malloc(sizeof **b);
        **b = value;
    } else if (size <= 8) {
        if (size > 0)
            memcpy(slot, &value, size);
    } else {
        for (size_t i = 0; i < size / 8; i++)
            ((uint64_t *)slot)[i] = value;
    }
}

// map_call goes around each call of the map: only there memory may run out.
#define MAP_CALL(call)                                                         \
    do {                                                                       \
        in_map = true;                                                         \
        call;                                                                  \
        in_map = false;                                                        \
    } while (0)

static void entry_gone(unsigned id) {
    free(entries[id].memory);
    entries[id] = (struct entry){.value = 0};
    len--;
}

static void get(unsigned id) {
    union key key;
    void *slot, *same;
    const void *there = NULL;
    char *memory = key_make(id, false, &key);
    MAP_CALL(slot = kind->get(map, &key));
    MAP_CALL(same = mound_map_get_key(kind->type(), map, &key, &there));
    const struct entry *e = &entries[id];
    if ((slot != NULL) != (e->serial != 0 && !irreflexive(id)))
        die("get of %u: %s", id, slot ? "should not be there" : "not there");
    if (slot != NULL && value_load(slot) != e->value)
        die("get of %u: wrong element", id);
    if ((slot != NULL) != (same != NULL))
        die("get_key does not agree with get");
    if (slot != NULL && key_id(there) != id)
        die("get_key gave another key");
    free(memory);
}

static void put(unsigned id, uint64_t value) {
    if (irreflexive(id) && entries[id].serial != 0)
        return; // each once, that the model can tell them apart
    union key key;
    bool is_new = false, negative = value & 1;
    char *memory = key_make(id, negative, &key);
    struct entry *e = &entries[id];
    void *slot;
    trace("put %u", id);
    work++;
    failed = false;
    errno = 0;
    MAP_CALL(slot = kind->put(map, &key, &is_new));
    if (slot == NULL) {
        if (!failed || errno != ENOMEM)
            die("put of %u failed", id);
        free(memory);
        get(id);
        return;
    }
    if (is_new != (e->serial == 0))
        die("put of %u: %s", id, is_new ? "was there" : "was not there");
    if (value_load(slot) != e->value)
        die("put of %u: the slot is not what it should be", id);
    value_store(slot, value_cut(value));
    e->value = value_cut(value);
    if (is_new) {
        e->serial = ++serial;
        len++;
    }
    // The old key's memory, or the new one's where the map has its own.
    char *unused = memory;
    if (kind->borrowed) {
        unused = e->memory;
        e->memory = memory;
    }
    free(unused);
    e->negative = negative;
    if (id >= ids_used)
        ids_used = id + 1;
}

// set is put by the function that does not tell whether the key was there.
static void set_id(unsigned id, uint64_t value) {
    if (kind->set == NULL) {
        put(id, value);
        return;
    }
    union key key;
    char *memory = key_make(id, false, &key);
    struct entry *e = &entries[id];
    bool done;
    trace("set %u", id);
    work++;
    failed = false;
    errno = 0;
    MAP_CALL(done = kind->set(map, &key, value_cut(value)));
    free(memory);
    if (!done) {
        if (!failed || errno != ENOMEM)
            die("set of %u failed", id);
        get(id);
        return;
    }
    e->value = value_cut(value);
    if (e->serial == 0) {
        e->serial = ++serial;
        len++;
    }
    if (id >= ids_used)
        ids_used = id + 1;
    get(id);
}

static void put_nan(void) {
    if (!(kind->type()->flags & MOUND_MAP_KEY_IRREFLEXIVE) || nans == NANS)
        return;
    put(IDS + nans, 1 + nans);
    nans++;
}

static void drop(unsigned id) {
    union key key;
    char *memory = key_make(id, false, &key);
    bool there = entries[id].serial != 0 && !irreflexive(id);
    bool deleted;
    trace("delete %u", id);
    work++;
    MAP_CALL(deleted = kind->remove(map, &key));
    if (deleted != there)
        die("delete of %u: %s", id, deleted ? "was not there" : "was there");
    if (deleted)
        entry_gone(id);
    free(memory);
}

// Iterators.

static void iterator_init(struct iterator *i) {
    memset(i->seen, 0, ids_used * sizeof *i->seen);
    i->last = IDS + NANS;
    i->born = serial;
    i->active = true;
}

static void iterator_begin(struct iterator *i) {
    iterator_init(i);
    trace("begin iterator %td", i - iterators);
    MAP_CALL(kind->begin(map, &i->it));
}

static void iterator_end(struct iterator *i) {
    if (!i->active)
        return;
    trace("end iterator %td", i - iterators);
    MAP_CALL(kind->end(&i->it));
    i->active = false;
}

// iterator_took checks what an iterator delivered.
static void iterator_took(struct iterator *i, const void *key, void *elem) {
    unsigned id = key_id(key);
    struct entry *e = &entries[id];
    trace("iterator %td delivered %u", i - iterators, id);
    if (e->serial == 0)
        die("an iterator delivered %u, which is deleted", id);
    if (i->seen[id] == e->serial)
        die("an iterator delivered %u twice", id);
    i->seen[id] = e->serial;
    if (value_load(elem) != e->value)
        die("an iterator delivered %u with another element", id);
    i->last = id;
    if ((id & 3) == 0 && !irreflexive(id) && kind->type()->elem_size > 0) {
        e->value = value_cut(e->value + 1);
        value_store(elem, e->value);
    }
}

// iterator_done checks that it left nothing out.
static void iterator_done(struct iterator *i) {
    trace("iterator %td is at its end", i - iterators);
    i->active = false;
    i->last = IDS + NANS;
    for (unsigned id = 0; id < ids_used; id++)
        if (entries[id].serial != 0 && entries[id].serial <= i->born &&
            i->seen[id] != entries[id].serial)
            die("an iterator left %u out", id);
}

static bool iterator_step(struct iterator *i) {
    const void *key;
    void *elem;
    bool more;
    if (!i->active)
        return false;
    MAP_CALL(more = kind->next(&i->it, &key, &elem));
    if (more) {
        iterator_took(i, key, elem);
        return true;
    }
    iterator_done(i);
    if (i->born & 1) // allowed, not needed
        MAP_CALL(kind->end(&i->it));
    return false;
}

// The map as a whole.

static bool iterators_running(void) {
    for (int i = 0; i <= ITERATORS; i++)
        if (iterators[i].active)
            return true;
    return false;
}

static void check_all(void) {
    struct iterator *i = NULL;
    for (unsigned id = 0; id < ids_used; id++)
        if (entries[id].serial != 0)
            get(id);
    for (int n = 0; n < ITERATORS && i == NULL; n++)
        if (!iterators[n].active)
            i = &iterators[n];
    if (i == NULL)
        return;
    size_t n = 0;
    iterator_begin(i);
    while (iterator_step(i))
        n++;
    if (n != len)
        die("an iteration delivered %zu of %zu", n, len);
}

static void verify(void) {
    const struct mound_map_type *t = kind->type();
    const char *broken = mound_map_verify(t, map);
    if (broken != NULL)
        die("verify: %s", broken);
    struct mound_map_info info;
    mound_map_info(t, map, &info);
    if (info.count != len || mound_map_len(map) != len)
        die("len is %zu, should be %zu", info.count, len);
    bool plain = t->key_copy == NULL && t->elem_copy == NULL &&
                 t->key_size <= 128 && t->elem_size <= 128;
    // Blocks that wait to be freed may have a table of blocks too long.
    if (plain && info.arrays == 0 && !map_is_growing(&info) &&
        info.bytes != map_bytes + (map_lent ? sizeof *map : 0))
        die("it has %zu bytes and says %zu", map_bytes, info.bytes);
}

// release gives back what waits, and sees that it does not wait for nobody.
static void release(size_t n) {
    struct mound_map_info info;
    size_t left;
    trace("evacuate %zu", n);
    MAP_CALL(left = mound_map_evacuate(kind->type(), map, n));
    mound_map_info(kind->type(), map, &info);
    if (left != map_to_move(&info))
        die("evacuate says %zu are left", left);
    MAP_CALL(mound_map_evacuate(kind->type(), map, 0));
    mound_map_info(kind->type(), map, &info);
    if (info.arrays != 0 && !abandoned && !iterators_running())
        die("%zu arrays wait for no iterator", info.arrays);
}

static void forget_entries(void) {
    for (unsigned id = 0; id < ids_used; id++)
        if (entries[id].serial != 0)
            entry_gone(id);
    nans = 0;
}

static void iterators_leave(bool properly) {
    for (int i = 0; i < ITERATORS; i++) {
        if (properly)
            iterator_end(&iterators[i]);
        iterators[i].active = false;
    }
}

static void map_free(void) {
    trace("free");
    if (map_lent) {
        MAP_CALL(mound_map_deinit(kind->type(), map));
        free(map);
        free(map_first);
        map_lent = false;
        map_first = NULL;
    } else {
        MAP_CALL(mound_map_free(kind->type(), map));
    }
    map = NULL;
    abandoned = false;
}

static void map_make(unsigned how) {
    static const size_t hints[] = {0,   0,   1,    8,        9,
                                   14,  53,  100,  105,      500,
                                   900, 105, 2000, SIZE_MAX, (size_t)1 << 45};
    size_t hint = hints[(how >> 2) % (sizeof hints / sizeof *hints)];
    const struct mound_map_type *t = kind->type();
    abandoned = false;
    trace("%s", how & 1 ? how & 2 ? "init with a bucket" : "init" : "make");
    if (how & 1) {
        map_lent = true;
        map = (struct mound_map *)malloc(sizeof *map);
        if ((how & 2) && posix_memalign(&map_first, MOUND_MAP_ALIGN_MAX,
                                        mound_map_first_size(t)) != 0)
            die("out of real memory");
        bool done;
        MAP_CALL(done = mound_map_init(t, map, map_first));
        if (!done)
            die("init failed");
        return;
    }
    failed = false;
    errno = 0;
    MAP_CALL(map = mound_map_make(t, hint));
    if (hint >> 40 != 0 && map != NULL)
        die("make took a hint of %zu", hint);
    if (map == NULL) {
        if (errno != ENOMEM || (!failed && hint >> 40 == 0))
            die("make failed");
        fail_in = 0;
        MAP_CALL(map = mound_map_make(t, 0));
    }
}

static void clear(void) {
    trace("clear");
    MAP_CALL(mound_map_clear(kind->type(), map));
    forget_entries();
    abandoned = false;
}

static void clone(unsigned how) {
    const struct mound_map_type *t = kind->type();
    size_t before = map_bytes;
    struct mound_map *copy;
    trace("clone, and go on with the %s", how & 1 ? "copy" : "original");
    failed = false;
    errno = 0;
    MAP_CALL(copy = mound_map_clone(t, map));
    if (copy == NULL) {
        if (!failed || errno != ENOMEM)
            die("clone failed");
        if (map_bytes != before)
            die("a failed clone leaves %zu bytes", map_bytes - before);
        return;
    }
    struct mound_map *other = map;
    bool properly = how & 2;
    if (how & 1) { // go on with the copy
        iterators_leave(properly);
        map_free();
        map = copy;
        check_all();
        return;
    }
    // The copy is checked by itself, and the original's iterators wait.
    struct iterator i = {.active = false};
    bool lent = map_lent;
    i.seen = seen[ITERATORS + 1];
    map = copy;
    map_lent = false;
    iterator_begin(&i);
    size_t n = 0;
    const void *key;
    void *elem;
    for (bool more;; n++) {
        MAP_CALL(more = kind->next(&i.it, &key, &elem));
        if (!more)
            break;
        unsigned id = key_id(key);
        if (entries[id].serial == 0 || value_load(elem) != entries[id].value ||
            i.seen[id] == entries[id].serial)
            die("a clone has %u, wrongly", id);
        i.seen[id] = entries[id].serial;
    }
    if (n != len)
        die("a clone has %zu of %zu", n, len);
    const char *broken = mound_map_verify(t, copy);
    if (broken != NULL)
        die("verify of a clone: %s", broken);
    MAP_CALL(mound_map_free(t, copy));
    map = other;
    map_lent = lent;
}

static void shrink_or_reserve(bool shrink, size_t n) {
    const struct mound_map_type *t = kind->type();
    bool done;
    trace(shrink ? "shrink" : "reserve %zu", n);
    failed = false;
    errno = 0;
    if (shrink)
        MAP_CALL(done = mound_map_shrink(t, map));
    else
        MAP_CALL(done = mound_map_reserve(t, map, n));
    if (!done && (!failed || errno != ENOMEM))
        die("%s failed", shrink ? "shrink" : "reserve");
    if (done && !shrink) {
        struct mound_map_info info;
        mound_map_info(t, map, &info);
        if (!map_has_room(&info, n))
            die("reserve of %zu made %zu bytes", n, info.bytes);
    }
}

// The input.

struct input {
    const uint8_t *p, *end;
};

static unsigned byte(struct input *in) {
    return in->p < in->end ? *in->p++ : 0;
}

// Where the hash makes long chains, a few keys are enough.
static unsigned id_of(unsigned x) {
    static const unsigned limits[8] = {[2] = 1000, [3] = 400, [6] = 2000};
    unsigned limit = limits[hash_mode % 8];
    return kind->shape == NOTHING ? 0 : x % (limit ? limit : IDS);
}

static unsigned small_id(struct input *in) {
    return id_of(byte(in));
}

static unsigned wide_id(struct input *in) {
    unsigned low = byte(in);
    return id_of(low | byte(in) << 8);
}

static unsigned many(struct input *in) {
    unsigned n = byte(in);
    return n < 0xf0 ? n & 63 : 1000;
}

static void run(unsigned op, struct input *in);

// A loop of mound_map_foreach, with operations from the input in its body.
static struct input *loop_input;

static bool loop_body(const void *key, void *elem) {
    struct iterator *i = &iterators[ITERATORS];
    in_map = false;
    iterator_took(i, key, elem);
    unsigned op = byte(loop_input);
    bool go_on = true;
    if (op >= 0xf8)
        go_on = false;
    else if (op >= 0xe0)
        drop(i->last);
    else if (op >= 0x40 && op % 32 < 25 && work < WORK_MAX)
        run(op, loop_input);
    in_map = true;
    i->active = go_on;
    return go_on;
}

static void loop(struct input *in) {
    struct iterator *i = &iterators[ITERATORS];
    if (i->active) // not within another
        return;
    loop_input = in;
    iterator_init(i);
    trace("foreach");
    MAP_CALL(kind->each(map, loop_body));
    if (i->active)
        iterator_done(i);
    else
        trace("break");
}

static void run(unsigned op, struct input *in) {
    struct iterator *i;
    unsigned a, n;
    switch (op % 32) {
    case 0:
    case 1:
    case 2:
        put(small_id(in), byte(in));
        break;
    case 3:
        set_id(wide_id(in), serial);
        break;
    case 4:
    case 5:
    case 6:
        drop(small_id(in));
        break;
    case 7:
        drop(wide_id(in));
        break;
    case 8:
        get(small_id(in));
        break;
    case 9:
        put_nan();
        break;
    case 10:
        i = &iterators[byte(in) % ITERATORS];
        iterator_end(i);
        iterator_begin(i);
        iterator_step(i);
        break;
    case 11:
        loop(in);
        break;
    case 12:
    case 13:
        a = byte(in);
        for (n = 0; n <= a / ITERATORS; n++)
            iterator_step(&iterators[a % ITERATORS]);
        break;
    case 14:
        i = &iterators[byte(in) % ITERATORS];
        while (iterator_step(i))
            ;
        break;
    case 15: // in the manner of a loop that deletes what it meets
        a = byte(in);
        i = &iterators[a % ITERATORS];
        for (n = 0; n <= a / ITERATORS && iterator_step(i); n++)
            drop(i->last);
        break;
    case 16:
        iterator_end(&iterators[byte(in) % ITERATORS]);
        break;
    case 17: // left without an end
        i = &iterators[byte(in) % ITERATORS];
        trace("leave iterator %td", i - iterators);
        abandoned |= i->active;
        i->active = false;
        break;
    case 18: // begun and not stepped
        i = &iterators[byte(in) % ITERATORS];
        iterator_end(i);
        iterator_begin(i);
        break;
    case 19:
        for (n = 0; n < ITERATORS; n++)
            iterator_step(&iterators[n]);
        break;
    case 20: // many puts
        a = wide_id(in);
        for (n = many(in); n > 0; n--)
            put(id_of(a++), serial);
        break;
    case 21: // one bucket, where the hash says so: filled and emptied, which
             // leaves overflow buckets, and brings growth to the same size
        a = byte(in);
        n = byte(in);
        for (unsigned k = 0; k < 9 + (n >> 6) * 4; k++)
            put(id_of(a + (k << (n & 7))), serial);
        for (unsigned k = n >> 3 & 7; k < 9 + (n >> 6) * 4; k++)
            drop(id_of(a + (k << (n & 7))));
        break;
    case 22:
    case 23: // many deletes
        a = wide_id(in);
        for (n = many(in); n > 0; n--)
            drop(id_of(a++));
        break;
    case 24:
        if (byte(in) % 4 == 0)
            clear();
        break;
    case 25:
        clone(byte(in));
        break;
    case 26:
        shrink_or_reserve(true, 0);
        break;
    case 27:
        shrink_or_reserve(false, byte(in) << 4);
        break;
    case 28:
        release(byte(in));
        break;
    case 29:
        a = byte(in);
        fail_in = 1 + (a & 7);
        fail_on = a & 8;
        trace("allocation %u of the next operation fails%s", fail_in,
              fail_on ? ", and all after it" : "");
        return; // for the next operation
    case 30:
        check_all();
        break;
    case 31: // a map anew
        a = byte(in);
        iterators_leave(a & 1);
        map_free();
        forget_entries();
        map_make(byte(in));
        break;
    }
    fail_in = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    tracing = getenv("MAP_FUZZ_TRACE") != NULL;
    running = true;
    blocks = 0;
    map_bytes = 0;
    fail_in = 0;
    serial = 0;
    work = 0;
    kind = &kinds[byte(&in) % (sizeof kinds / sizeof *kinds)];
    hash_mode = byte(&in);
    trace("kind %td, hash %u", kind - kinds, hash_mode % 8);
    random_state = byte(&in);
    random_state |= byte(&in) << 8;
    for (int i = 0; i <= ITERATORS; i++)
        iterators[i].seen = seen[i];
    map_make(byte(&in));
    for (unsigned n = 0; in.p < in.end && work < WORK_MAX; n++) {
        run(byte(&in), &in);
        if (len <= VERIFY_ALWAYS || n % CHECK_EVERY == 0)
            verify();
    }
    fail_in = 0;
    verify();
    check_all();
    iterators_leave(serial & 1);
    map_free();
    forget_entries();
    for (int i = 0; i < ITERATORS + 2; i++)
        memset(seen[i], 0, ids_used * sizeof *seen[i]);
    ids_used = 0;
    if (blocks != 0)
        die("%ld blocks were not freed", blocks);
    running = false;
    return 0;
}
