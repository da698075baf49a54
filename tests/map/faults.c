// faults.c: the n-th allocation fails, for n = 1, 2, 3 ... until a script runs
// through without meeting the failure; once, and from the n-th on. What may fail
// says so with ENOMEM, and then the map is as it was; nothing leaks; delete works.
#include "maps.h"
#include "watched_malloc.h"

#include <math.h>

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(names, uint64_t)
MOUND_MAP_VIEW(views, uint64_t)
MOUND_SET_STR(words)

struct large {
    uint64_t w[20];
};

static uint64_t large_hash(struct large k, uint64_t seed) {
    return mound_hash_u64(k.w[0], seed);
}

static bool large_eq(struct large a, struct large b) {
    return a.w[0] == b.w[0];
}

MOUND_MAP_DECLARE(larges, struct large, struct large, large_hash, large_eq)

// The failure.

static size_t at; // the n-th
static bool on;   // and all that follow

// refused is called when the map said that it was out of memory; from then on there
// is enough.
static void refused(const char *what) {
    watch_end();
    cr_assert(watched().failures > 0, "%s: refused without need", what);
    cr_assert(errno == ENOMEM, "%s: errno is %d", what, errno);
    watch_fail(0, false);
    watch_begin();
}

// everywhere runs a script with every failure.
static void everywhere(void (*script)(void)) {
    for (int mode = 0; mode < 2; mode++) {
        on = mode == 1;
        for (at = 1;; at++) {
            size_t failures = watched().failures, blocks = watched().blocks;
            watch_fail(at, on);
            watch_begin();
            errno = 0;
            script();
            watch_end();
            watch_fail(0, false);
            cr_assert(watched().blocks == blocks,
                      "failure %zu: %zu blocks are left", at,
                      watched().blocks - blocks);
            if (watched().failures == failures)
                break;
        }
        cr_assert(at > 2, "the script met no failure");
    }
}

// What the scripts do, tried again after a failure.

#define made(NAME, m, hint)                                                    \
    NAME *m = NAME##_make(hint);                                               \
    if (m == NULL) {                                                           \
        refused("make");                                                       \
        m = NAME##_make(hint);                                                 \
    }

// done repeats a call that fails, and checks that there are n entries as before.
#define done(NAME, m, n, call)                                                 \
    do {                                                                       \
        errno = 0;                                                             \
        if (!(call)) {                                                         \
            refused(#call);                                                    \
            sound(NAME, m, n);                                                 \
            cr_assert(call);                                                   \
        }                                                                      \
    } while (0)

static bool all_there(ints *m, uint64_t n) {
    for (uint64_t k = 0; k < n; k++)
        if (!ints_has(m, k) || *ints_get(m, k) != k * 3)
            return false;
    return !ints_has(m, n);
}

static void grow(void) {
    made(ints, m, 0);
    for (uint64_t k = 0; k < 500; k++) {
        errno = 0;
        if (!ints_set(m, k, k * 3)) {
            refused("set");
            sound(ints, m, k);
            cr_assert(all_there(m, k));
            cr_assert(ints_set(m, k, k * 3));
        }
    }
    sound(ints, m, 500);
    cr_assert(all_there(m, 500));
    ints_free(m);
}

Test(faults, a_put_that_cannot_grow_the_map_changes_nothing) {
    everywhere(grow);
}

static void hinted(void) {
    made(ints, m, 1000);
    ints_set(m, 1, 1);
    sound(ints, m, 1);
    ints_free(m);
}

Test(faults, make_with_a_hint_gives_back_the_header) {
    everywhere(hinted);
}

static struct plain plain_state;

static void overflow(void) {
    struct mound_map_type t = plain_type(&plain_state);
    struct mound_map *m = mound_map_make(&t, 104);
    if (m == NULL) {
        refused("make");
        m = mound_map_make(&t, 104);
    }
    // Chains of 5 buckets, more than there are spare ones, and a growth.
    for (uint64_t n = 0; n < 160; n++) {
        uint64_t k = key_in(4, n % 4, n / 4);
        errno = 0;
        if (!plain_put(&t, m, k, n)) {
            refused("put");
            plain_sound(&t, m, n);
            cr_assert(plain_get(&t, m, k) == NULL);
            cr_assert(plain_put(&t, m, k, n));
        }
    }
    plain_sound(&t, m, 160);
    for (uint64_t n = 0; n < 160; n++)
        expect_eq(*plain_get(&t, m, key_in(4, n % 4, n / 4)), n);
    mound_map_free(&t, m);
}

Test(faults, a_put_without_an_overflow_bucket_changes_nothing) {
    everywhere(overflow);
}

static void own(void) {
    made(names, m, 0);
    made(views, v, 0);
    made(words, w, 0);
    char key[24];
    for (uint64_t k = 0; k < 60; k++) {
        int size = snprintf(key, sizeof key, "key %lu", k);
        done(names, m, k, names_set(m, key, k));
        done(views, v, k,
             views_set(v, (struct mound_view){key, (size_t)size}, k));
        done(words, w, k, words_add(w, key, NULL));
    }
    sound(names, m, 60);
    sound(views, v, 60);
    sound(words, w, 60);
    for (uint64_t k = 0; k < 60; k++) {
        snprintf(key, sizeof key, "key %lu", k);
        expect_eq(*names_get(m, key), k);
    }
    names_free(m);
    views_free(v);
    words_free(w);
}

Test(faults, a_string_that_cannot_be_copied_is_not_put) {
    everywhere(own);
}

static void apart(void) {
    made(larges, m, 0);
    struct large e = {{0}};
    for (uint64_t k = 0; k < 40; k++) {
        e.w[0] = k;
        done(larges, m, k, larges_set(m, e, e));
    }
    for (uint64_t k = 0; k < 40; k += 2) {
        e.w[0] = k;
        cr_assert(larges_delete(m, e));
    }
    sound(larges, m, 20);
    larges_free(m);
}

Test(faults, an_entry_stored_apart_is_put_whole_or_not) {
    everywhere(apart);
}

static void reserve_shrink(void) {
    made(ints, m, 0);
    for (uint64_t k = 0; k < 60; k++)
        done(ints, m, k, ints_set(m, k, k * 3));
    done(ints, m, 60, ints_reserve(m, 1000));
    cr_assert(all_there(m, 60));
    done(ints, m, 60, ints_shrink(m));
    cr_assert(all_there(m, 60));
    // With an iterator, the old array and a record of it are kept.
    ints_iter it = ints_begin(m);
    cr_assert(ints_next(&it));
    done(ints, m, 60, ints_reserve(m, 1000));
    done(ints, m, 60, ints_shrink(m));
    size_t n = 1;
    while (ints_next(&it))
        n++;
    expect_eq(n, 60);
    ints_clear(m);
    done(ints, m, 0, ints_shrink(m));
    ints_free(m);
}

Test(faults, reserve_and_shrink_that_fail_leave_the_entries) {
    everywhere(reserve_shrink);
}

static void chains_rebuilt(void) {
    struct mound_map_type t = plain_type(&plain_state);
    struct mound_map *m = mound_map_make(&t, 0);
    if (m == NULL) {
        refused("make");
        m = mound_map_make(&t, 0);
    }
    for (uint64_t n = 0; n < 100; n++)
        if (!plain_put(&t, m, key_in(12, 1, n), n)) {
            refused("put");
            cr_assert(plain_put(&t, m, key_in(12, 1, n), n));
        }
    // One chain of 13 buckets in the new array, too.
    if (!mound_map_reserve(&t, m, 500)) {
        refused("reserve");
        plain_sound(&t, m, 100);
        cr_assert(mound_map_reserve(&t, m, 500));
    }
    plain_sound(&t, m, 100);
    if (!mound_map_shrink(&t, m)) {
        refused("shrink");
        plain_sound(&t, m, 100);
        cr_assert(mound_map_shrink(&t, m));
    }
    plain_sound(&t, m, 100);
    mound_map_free(&t, m);
}

Test(faults, an_array_half_rebuilt_is_given_back) {
    everywhere(chains_rebuilt);
}

static void clone(void) {
    made(names, m, 0);
    char key[24];
    uint64_t n = 0;
    for (; n < 60; n++) {
        snprintf(key, sizeof key, "key %lu", n);
        done(names, m, n, names_set(m, key, n));
    }
    size_t blocks = watched().blocks;
    errno = 0;
    names *copy = names_clone(m);
    if (copy == NULL) {
        refused("clone");
        expect_eq(watched().blocks, blocks);
        sound(names, m, n);
        copy = names_clone(m);
    }
    sound(names, copy, n);
    names_free(m);
    names_free(copy);
}

Test(faults, a_clone_is_whole_or_not_made) {
    everywhere(clone);
}

// Boxes whose copies may fail.

static bool box_copy(uint64_t **dst, uint64_t *const *src) {
    uint64_t *p = (uint64_t *)malloc(sizeof *p);
    if (p == NULL)
        return false;
    *p = **src;
    *dst = p;
    return true;
}

// In this test each element has a box; one without was never copied.
static void box_drop(uint64_t **elem) {
    cr_assert(*elem != NULL);
    free(*elem);
}

MOUND_MAP_DECLARE_OWNING(boxes, uint64_t, uint64_t *, mound_hash_u64,
                         mound_eq_u64, MOUND_MAP_COPY_BITS,
                         MOUND_MAP_DROP_NOTHING, box_copy, box_drop)

static void clone_boxes(void) {
    made(boxes, m, 0);
    for (uint64_t k = 0; k < 30; k++) {
        uint64_t **e;
        errno = 0;
        while ((e = boxes_put(m, k, NULL)) == NULL)
            refused("put");
        while ((*e = (uint64_t *)malloc(8)) == NULL)
            refused("box");
        **e = k;
    }
    size_t blocks = watched().blocks;
    errno = 0;
    boxes *copy = boxes_clone(m);
    if (copy == NULL) {
        refused("clone");
        expect_eq(watched().blocks, blocks);
        sound(boxes, m, 30);
        copy = boxes_clone(m);
    }
    boxes_free(m);
    for (uint64_t k = 0; k < 30; k++)
        expect_eq(**boxes_get(copy, k), k);
    boxes_free(copy);
}

Test(faults, a_clone_whose_elements_cannot_be_copied_drops_those_that_were) {
    everywhere(clone_boxes);
}

// The same with keys that no lookup finds.

static uint64_t nan_hash(const void *key, uint64_t seed, void *user) {
    (void)user;
    return mound_hash_f64(*(const double *)key, seed);
}

static bool nan_equal(const void *a, const void *b, void *user) {
    (void)user;
    return *(const double *)a == *(const double *)b;
}

static bool nan_elem_copy(void *dst, const void *src, void *user) {
    (void)user;
    return box_copy((uint64_t **)dst, (uint64_t *const *)src);
}

static void nan_elem_drop(void *elem, void *user) {
    (void)user;
    box_drop((uint64_t **)elem);
}

static const struct mound_map_type nan_boxes = {
    .key_size = sizeof(double),
    .key_align = _Alignof(double),
    .elem_size = sizeof(uint64_t *),
    .elem_align = _Alignof(uint64_t *),
    .hash = nan_hash,
    .equal = nan_equal,
    .elem_copy = nan_elem_copy,
    .elem_drop = nan_elem_drop,
    .flags = MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE,
};

static void clone_nans(void) {
    struct mound_map *m = mound_map_make(&nan_boxes, 0);
    if (m == NULL) {
        refused("make");
        m = mound_map_make(&nan_boxes, 0);
    }
    for (uint64_t k = 0; k < 12; k++) {
        uint64_t **e;
        double key = NAN;
        errno = 0;
        while ((e = (uint64_t **)mound_map_put(&nan_boxes, m, &key, NULL)) ==
               NULL)
            refused("put");
        while ((*e = (uint64_t *)malloc(8)) == NULL)
            refused("box");
        **e = k;
    }
    size_t blocks = watched().blocks;
    errno = 0;
    struct mound_map *copy = mound_map_clone(&nan_boxes, m);
    if (copy == NULL) {
        refused("clone");
        expect_eq(watched().blocks, blocks);
        plain_sound(&nan_boxes, m, 12);
        copy = mound_map_clone(&nan_boxes, m);
    }
    mound_map_free(&nan_boxes, m);
    plain_sound(&nan_boxes, copy, 12);
    mound_map_free(&nan_boxes, copy);
}

Test(faults,
     a_clone_of_nans_whose_elements_cannot_be_copied_drops_those_that_were) {
    everywhere(clone_nans);
}

// Keys that are copied, and replaced.

struct text {
    char *s;
};

static uint64_t text_hash(const void *key, uint64_t seed, void *user) {
    (void)user;
    return mound_hash_str(((const struct text *)key)->s, seed);
}

static bool text_equal(const void *a, const void *b, void *user) {
    (void)user;
    return strcmp(((const struct text *)a)->s, ((const struct text *)b)->s) ==
           0;
}

static bool text_copy(void *dst, const void *src, void *user) {
    (void)user;
    return (((struct text *)dst)->s = strdup(((const struct text *)src)->s)) !=
           NULL;
}

static void text_drop(void *key, void *user) {
    (void)user;
    free(((struct text *)key)->s);
}

static const struct mound_map_type texts = {
    .key_size = sizeof(struct text),
    .key_align = _Alignof(struct text),
    .elem_size = sizeof(uint64_t),
    .elem_align = _Alignof(uint64_t),
    .hash = text_hash,
    .equal = text_equal,
    .key_copy = text_copy,
    .key_drop = text_drop,
    .flags = MOUND_MAP_KEY_UPDATE,
};

static void replace(void) {
    struct mound_map *m = mound_map_make(&texts, 0);
    if (m == NULL) {
        refused("make");
        m = mound_map_make(&texts, 0);
    }
    for (uint64_t k = 0; k < 40; k++) {
        char s[8];
        struct text key = {s};
        uint64_t *e;
        snprintf(s, sizeof s, "%lu", k % 20);
        errno = 0;
        while ((e = (uint64_t *)mound_map_put(&texts, m, &key, NULL)) == NULL) {
            refused("put");
            plain_sound(&texts, m, k < 20 ? k : 20);
        }
        *e = k;
    }
    plain_sound(&texts, m, 20);
    mound_map_free(&texts, m);
}

Test(faults, a_key_whose_replacement_cannot_be_copied_stays) {
    everywhere(replace);
}

static void iterate(void) {
    made(ints, m, 0);
    for (uint64_t k = 0; k < 20; k++)
        done(ints, m, k, ints_set(m, k, k * 3));
    uint32_t seen = 0;
    uint64_t n = 20;
    mound_map_foreach(ints, it, m) {
        if (*it.key < 20) {
            cr_assert(!(seen >> *it.key & 1));
            seen |= 1u << *it.key;
        }
        for (int i = 0; i < 20 && n < 300; i++, n++)
            done(ints, m, n, ints_set(m, n, n * 3));
    }
    expect_eq(seen, 0xfffff);
    cr_assert(all_there(m, n));
    while (ints_evacuate(m, 100) > 0)
        ;
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(faults, a_loop_under_which_growth_fails_delivers_everything_once) {
    everywhere(iterate);
}

static void clear_iterated(void) {
    made(ints, m, 0);
    for (uint64_t k = 0; k < 6; k++)
        done(ints, m, k, ints_set(m, k, k * 3));
    ints_iter it = ints_begin(m);
    cr_assert(ints_next(&it));
    // May want memory to note that the iterator has ended.
    ints_clear(m);
    sound(ints, m, 0);
    cr_assert(!ints_next(&it));
    ints_end(&it);
    for (uint64_t k = 0; k < 100; k++)
        done(ints, m, k, ints_set(m, k, k * 3));
    cr_assert(all_there(m, 100));
    while (ints_evacuate(m, 100) > 0)
        ;
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(faults, clear_cannot_fail) {
    everywhere(clear_iterated);
}

Test(faults, delete_and_get_work_when_there_is_no_memory_at_all) {
    // From every point of several growths on, with chains whose evacuation would
    // need overflow buckets.
    struct mound_map_type t = plain_type(&plain_state);
    for (uint64_t n = 1; n < 120; n++) {
        watch_begin();
        struct mound_map *m = mound_map_make(&t, 0);
        for (uint64_t i = 0; i < n; i++)
            plain_put(&t, m, key_in(7, i % 2, i), i);
        watch_fail(1, true);
        for (uint64_t i = 0; i < n; i++) {
            expect_eq(*plain_get(&t, m, key_in(7, i % 2, i)), i);
            cr_assert(plain_delete(&t, m, key_in(7, i % 2, i)));
            cr_assert(plain_get(&t, m, key_in(7, i % 2, i)) == NULL);
            plain_sound(&t, m, n - i - 1);
        }
        watch_fail(0, false);
        // And later everything works again.
        for (uint64_t i = 0; i < n; i++)
            cr_assert(plain_put(&t, m, key_in(7, i % 2, i), i));
        plain_sound(&t, m, n);
        mound_map_free(&t, m);
        watch_end();
        expect_eq(watched().blocks, 0);
    }
}

#ifndef MAP_SWISS
Test(faults, evacuation_that_finds_no_memory_stands_still_and_goes_on_later) {
    struct mound_map_type t = plain_type(&plain_state);
    struct mound_map *m = mound_map_make(&t, 0);
    // One chain in bucket 3 of 4, nothing in the others, which move at once.
    uint64_t n = 0;
    while (info_from(&t, m).oldbuckets != 4)
        plain_put(&t, m, key_in(2, n < 20 ? 3 : 0, n), n), n++;
    watch_begin();
    watch_fail(1, true);
    size_t left = mound_map_evacuate(&t, m, 100);
    cr_assert(left > 0);
    expect_eq(mound_map_evacuate(&t, m, 100), left);
    plain_sound(&t, m, n);
    watch_fail(0, false);
    expect_eq(mound_map_evacuate(&t, m, 100), 0);
    watch_end();
    plain_sound(&t, m, n);
    mound_map_free(&t, m);
}
#endif

Test(faults, errno_is_left_alone_by_what_succeeds) {
    ints *m = ints_make(0);
    errno = 4242;
    for (uint64_t k = 0; k < 100000; k++)
        ints_set(m, k, k);
    for (uint64_t k = 0; k < 100000; k += 2)
        ints_delete(m, k);
    mound_map_foreach(ints, it, m) cr_assert(*it.key % 2 == 1);
    ints_reserve(m, 300000);
    ints_shrink(m);
    ints_free(ints_clone(m));
    ints_clear(m);
    ints_free(m);
    expect_eq(errno, 4242);
}
