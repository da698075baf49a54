// map.c: the operations on one map: what they return, who owns keys and elements,
// and the keys that are special.
#include "maps.h"

#include <math.h>

MOUND_MAP_U64(ints, int64_t)
MOUND_MAP_U32(u32s, int)
MOUND_MAP_PTR(pointers, int)
MOUND_MAP_STR(names, int)
MOUND_MAP_STR_BORROWED(borrowed, int)
MOUND_MAP_VIEW(views, int)
MOUND_MAP_VIEW_BORROWED(borrowed_views, int)
MOUND_MAP_F64(floats, int)
MOUND_SET_U64(numbers)
MOUND_SET_STR(words)

Test(map, a_map_variable_is_one_pointer_and_the_header_is_small) {
    ints *m = ints_make(0);
    expect_eq(sizeof m, sizeof(void *));
#ifndef MAP_SWISS // Go's hmap
    enum { HEADER = 48 };
#else
    enum { HEADER = 72 };
#endif
    expect_eq(sizeof *m, HEADER);
    expect_eq(sizeof(struct mound_map), HEADER);
    ints_free(m);
}

Test(map, an_element_that_was_set_is_got) {
    ints *m = ints_make(0);
    cr_assert(ints_set(m, 7, 70));
    cr_assert(ints_get(m, 7) != NULL);
    expect_eq(*ints_get(m, 7), 70);
    cr_assert(ints_has(m, 7));
    sound(ints, m, 1);
    ints_free(m);
}

Test(map, a_key_that_was_never_put_is_not_there) {
    ints *m = ints_make(0);
    cr_assert(ints_get(m, 7) == NULL);
    ints_set(m, 7, 70);
    cr_assert(ints_get(m, 8) == NULL);
    cr_assert(!ints_has(m, 8));
    ints_free(m);
}

Test(map, put_says_whether_the_key_is_new_and_zeroes_a_new_element) {
    ints *m = ints_make(0);
    bool is_new = false;
    for (uint64_t k = 0; k < 1000; k++) {
        int64_t *e = ints_put(m, k, &is_new);
        cr_assert(is_new && *e == 0, "key %lu: %ld", k, *e);
        *e = -1;
    }
    for (uint64_t k = 0; k < 1000; k++) {
        int64_t *e = ints_put(m, k, &is_new);
        cr_assert(!is_new && *e == -1, "key %lu: %ld", k, *e);
    }
    sound(ints, m, 1000);
    ints_free(m);
}

Test(map, set_replaces_an_element) {
    ints *m = ints_make(0);
    ints_set(m, 1, 10);
    ints_set(m, 1, 11);
    expect_eq(*ints_get(m, 1), 11);
    sound(ints, m, 1);
    ints_free(m);
}

Test(map, an_element_may_be_computed_from_itself_in_its_slot) {
    ints *m = ints_make(0);
    ints_set(m, 0, 12345);
    *ints_put(m, 0, NULL) += 67890;
    *ints_put(m, 0, NULL) /= 123;
    *ints_put(m, 0, NULL) %= 456;
    expect_eq(*ints_get(m, 0), (12345 + 67890) / 123 % 456);
    ints_free(m);
}

Test(map, two_variables_may_name_one_map) {
    ints *m = ints_make(0);
    ints_set(m, 0, 5);
    ints *n = m;
    ints_set(n, 0, 6);
    expect_eq(*ints_get(m, 0), 6);
    ints_free(m);
}

Test(map, delete_says_whether_the_key_was_there) {
    ints *m = ints_make(0);
    ints_set(m, 3, 1);
    cr_assert(ints_delete(m, 3));
    cr_assert(!ints_delete(m, 3));
    cr_assert(ints_get(m, 3) == NULL);
    sound(ints, m, 0);
    ints_free(m);
}

Test(map, half_of_the_entries_can_go_and_come_again_at_every_size) {
    ints *m = ints_make(0);
    for (uint64_t n = 1; n < 600; n += 1 + n / 5) {
        for (uint64_t k = 0; k < n; k++)
            ints_set(m, k, (int64_t)(k * n));
        for (uint64_t k = 0; k < n; k += 2)
            cr_assert(ints_delete(m, k));
        sound(ints, m, n / 2);
        for (uint64_t k = 0; k < n; k++)
            cr_assert(ints_has(m, k) == (k % 2 == 1), "%lu of %lu", k, n);
        for (uint64_t k = 0; k < n; k++)
            ints_set(m, k, (int64_t)(k + n));
        sound(ints, m, n);
        for (uint64_t k = 0; k < n; k++)
            expect_eq(*ints_get(m, k), (int64_t)(k + n));
    }
    ints_free(m);
}

Test(map, counting_starts_from_zero_in_the_slot_of_a_deleted_entry) {
    ints *m = ints_make(0);
    ints_set(m, 1, 100);
    ints_delete(m, 1);
    *ints_put(m, 2, NULL) += 1;
    expect_eq(*ints_get(m, 2), 1);
    ints_set(m, 1, 100);
    ints_clear(m);
    *ints_put(m, 3, NULL) += 1;
    expect_eq(*ints_get(m, 3), 1);
    ints_free(m);

    names *n = names_make(0);
    names_set(n, "a", 100);
    names_delete(n, "a");
    *names_put(n, "b", NULL) += 1;
    expect_eq(*names_get(n, "b"), 1);
    names_set(n, "a", 100);
    names_clear(n);
    *names_put(n, "c", NULL) += 1;
    expect_eq(*names_get(n, "c"), 1);
    names_free(n);
}

Test(map, clear_leaves_a_map_that_works) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < 300; k++)
        ints_set(m, k, 1);
    ints_clear(m);
    sound(ints, m, 0);
    for (uint64_t k = 0; k < 300; k++)
        cr_assert(!ints_has(m, k));
    mound_map_foreach(ints, it, m) cr_assert(false, "%lu is there", *it.key);
    for (uint64_t k = 0; k < 300; k++)
        ints_set(m, k, 2);
    sound(ints, m, 300);
    ints_free(m);
}

#ifndef MAP_SWISS
Test(map, clear_in_the_middle_of_a_growth_ends_it) {
    ints *m = ints_make(0);
    uint64_t k = 0;
    while (info_of(ints, m).oldbuckets < 64)
        ints_set(m, k++, 1);
    ints_clear(m);
    expect_eq(info_of(ints, m).oldbuckets, 0);
    sound(ints, m, 0);
    while (k-- > 0)
        ints_set(m, k, 1);
    sound(ints, m, info_of(ints, m).count);
    ints_free(m);
}
#endif

Test(map, keys_of_32_bits_and_addresses_are_told_apart) {
    u32s *m = u32s_make(0);
    pointers *p = pointers_make(0);
    static char place[1000];
    for (uint32_t k = 0; k < 1000; k++) {
        u32s_set(m, k << 22 | k, (int)k);
        pointers_set(p, place + k, (int)k);
    }
    for (uint32_t k = 0; k < 1000; k++) {
        expect_eq(*u32s_get(m, k << 22 | k), (int)k);
        expect_eq(*pointers_get(p, place + k), (int)k);
    }
    cr_assert(!pointers_has(p, NULL));
    pointers_set(p, NULL, 1);
    cr_assert(pointers_has(p, NULL));
    sound(u32s, m, 1000);
    sound(pointers, p, 1001);
    u32s_free(m);
    pointers_free(p);
}

// Strings.

Test(map, strings_of_a_single_bucket_are_found_by_content) {
    // Equal and different lengths, short, and long with one byte that differs.
    static const char *const lists[][8] = {
        {"a", "b", "c", "d"},
        {"", "a", "bb", "ccc", "dddd", "eeeee"},
        {"foo", "bar", "baz", "fog"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        borrowed *m = borrowed_make(0);
        for (int j = 0; j < 8 && lists[i][j] != NULL; j++)
            borrowed_set(m, lists[i][j], j + 1);
        for (int j = 0; j < 8 && lists[i][j] != NULL; j++) {
            char copy[16];
            strcpy(copy, lists[i][j]);
            expect_eq(*borrowed_get(m, copy), j + 1);
        }
        cr_assert(!borrowed_has(m, "zz"));
        borrowed_free(m);
    }
    for (size_t differs = 0; differs < 128; differs += 9) {
        char s[8][129];
        names *m = names_make(0);
        for (int j = 0; j < 8; j++) {
            memset(s[j], 'x', 128);
            s[j][128] = 0;
            s[j][differs] = (char)('a' + j);
            names_set(m, s[j], j);
        }
        for (int j = 0; j < 8; j++)
            expect_eq(*names_get(m, s[j]), j);
        sound(names, m, 8);
        names_free(m);
    }
}

Test(map, an_owned_string_is_a_copy) {
    names *m = names_make(0);
    char key[] = "rob";
    names_set(m, key, 66);
    memset(key, 'x', 3);
    expect_eq(*names_get(m, "rob"), 66);
    cr_assert(!names_has(m, key));
    sound(names, m, 1);
    names_free(m);
}

Test(map, an_owned_string_stays_when_an_equal_one_is_put) {
    names *m = names_make(0);
    names_set(m, "ken", 1);
    const char *kept = NULL;
    mound_map_foreach(names, it, m) kept = *it.key;
    names_set(m, "ken", 2);
    mound_map_foreach(names, it, m) {
        cr_assert(*it.key == kept);
        expect_eq(*it.elem, 2);
    }
    names_free(m);
}

Test(map, a_borrowed_string_is_replaced_by_an_equal_one_that_is_put) {
    borrowed *m = borrowed_make(0);
    char *first = strdup("ken"), *second = strdup("ken");
    borrowed_set(m, first, 1);
    borrowed_set(m, second, 2);
    memset(first, 'x', 3);
    free(first);
    mound_map_foreach(borrowed, it, m) cr_assert(*it.key == second);
    expect_eq(*borrowed_get(m, "ken"), 2);
    sound(borrowed, m, 1);
    borrowed_free(m);
    free(second);
}

Test(map, a_view_may_hold_zeros_and_be_empty_without_an_address) {
    views *m = views_make(0);
    views_set(m, (struct mound_view){"a\0b", 3}, 1);
    views_set(m, (struct mound_view){"a\0c", 3}, 2);
    views_set(m, (struct mound_view){"a", 1}, 3);
    views_set(m, (struct mound_view){NULL, 0}, 4);
    expect_eq(*views_get(m, (struct mound_view){"a\0b", 3}), 1);
    expect_eq(*views_get(m, (struct mound_view){"a\0c", 3}), 2);
    expect_eq(*views_get(m, (struct mound_view){"a", 1}), 3);
    expect_eq(*views_get(m, (struct mound_view){"", 0}), 4);
    cr_assert(!views_has(m, (struct mound_view){"a\0d", 3}));
    cr_assert(views_delete(m, (struct mound_view){"anything", 0}));
    sound(views, m, 3);
    views_free(m);
}

Test(map, a_borrowed_view_keeps_the_address_that_came_last) {
    borrowed_views *m = borrowed_views_make(0);
    char a[] = "abc", b[] = "abc";
    borrowed_views_set(m, (struct mound_view){a, 3}, 1);
    borrowed_views_set(m, (struct mound_view){b, 3}, 2);
    mound_map_foreach(borrowed_views, it, m) cr_assert(it.key->data == b);
    sound(borrowed_views, m, 1);
    borrowed_views_free(m);
}

// Floats.

Test(map, both_zeros_are_one_key_which_shows_the_last_sign) {
    floats *m = floats_make(0);
    floats_set(m, 0.0, 1);
    floats_set(m, -0.0, 2);
    mound_map_foreach(floats, it, m) cr_assert(signbit(*it.key));
    expect_eq(*floats_get(m, 0.0), 2);
    floats_set(m, 0.0, 3);
    mound_map_foreach(floats, it, m) cr_assert(!signbit(*it.key));
    expect_eq(*floats_get(m, -0.0), 3);
    sound(floats, m, 1);
    floats_free(m);
}

Test(map, every_nan_is_a_new_key_that_only_iteration_finds) {
    floats *m = floats_make(0);
    floats_set(m, NAN, 1);
    *floats_put(m, NAN, NULL) += 2;
    *floats_put(m, NAN, NULL) = 4;
    sound(floats, m, 3);
    cr_assert(floats_get(m, NAN) == NULL);
    cr_assert(!floats_delete(m, NAN));
    int sum = 0;
    mound_map_foreach(floats, it, m) {
        cr_assert(isnan(*it.key));
        sum += *it.elem;
    }
    expect_eq(sum, 7);
    floats_clear(m);
    sound(floats, m, 0);
    floats_free(m);
}

Test(map, infinities_and_the_smallest_numbers_are_keys_like_others) {
    static const double keys[] = {
        INFINITY, -INFINITY,   5e-324, -5e-324, 1.7976931348623157e308,
        0.1,      0.1 + 1e-18, -0.1,   1,       -1};
    floats *m = floats_make(0);
    for (int i = 0; i < 10; i++)
        floats_set(m, keys[i], i);
    // 0.1 and 0.1 + 1e-18 are one number.
    sound(floats, m, 9);
    expect_eq(*floats_get(m, 0.1), 6);
    expect_eq(*floats_get(m, -INFINITY), 1);
    expect_eq(*floats_get(m, -5e-324), 3);
    floats_free(m);
}

// Keys of one's own.

struct point {
    int8_t layer; // and 7 bytes of padding
    int64_t x;
};

static uint64_t point_hash(struct point p, uint64_t seed) {
    return mound_hash_u64((uint64_t)p.x,
                          mound_hash_u64((uint64_t)p.layer, seed));
}

static bool point_eq(struct point a, struct point b) {
    return a.layer == b.layer && a.x == b.x;
}

MOUND_MAP_DECLARE(board, struct point, double, point_hash, point_eq)

static struct point point_make(int padding, int layer, int64_t x) {
    struct point p;
    memset(&p, padding, sizeof p);
    // Field by field, so that the padding stays.
    memcpy(&p.layer, &(int8_t){(int8_t)layer}, 1);
    memcpy(&p.x, &x, sizeof x);
    return p;
}

Test(map, padding_does_not_tell_struct_keys_apart) {
    board *m = board_make(0);
    for (int i = 0; i < 300; i++)
        board_set(m, point_make(i, i % 3, i), i);
    for (int i = 0; i < 300; i++) {
        double *e = board_get(m, point_make(~i, i % 3, i));
        cr_assert(e != NULL && *e == i);
        cr_assert(!board_has(m, point_make(0, (i + 1) % 3, i)));
    }
    sound(board, m, 300);
    board_free(m);
}

// A key of several kinds: its parts' hashes chain.
struct mixed {
    double x;
    const char *s;
    uint16_t pair[2];
};

static uint64_t mixed_hash(struct mixed k, uint64_t seed) {
    uint64_t h = mound_hash_f64(k.x, seed);
    h = mound_hash_str(k.s, h);
    return mound_hash_u64(k.pair[1], mound_hash_u64(k.pair[0], h));
}

static bool mixed_eq(struct mixed a, struct mixed b) {
    return a.x == b.x && strcmp(a.s, b.s) == 0 && a.pair[0] == b.pair[0] &&
           a.pair[1] == b.pair[1];
}

MOUND_MAP_DECLARE(mixture, struct mixed, int, mixed_hash, mixed_eq)

Test(map, keys_of_mixed_parts_are_equal_when_all_parts_are) {
    mixture *m = mixture_make(0);
    char foo[] = "foo";
    mixture_set(m, (struct mixed){0.0, "foo", {1, 2}}, 1);
    mixture_set(m, (struct mixed){0.0, "", {1, 2}}, 2);
    mixture_set(m, (struct mixed){1.5, "foo", {1, 2}}, 3);
    mixture_set(m, (struct mixed){0.0, "foo", {2, 1}}, 4);
    sound(mixture, m, 4);
    struct mixed equal = {-0.0, foo, {1, 2}};
    expect_eq(*mixture_get(m, equal), 1);
    expect_eq(mixed_hash(equal, 9),
              mixed_hash((struct mixed){0.0, "foo", {1, 2}}, 9));
    mixture_free(m);
}

struct nothing {};

static uint64_t nothing_hash(struct nothing k, uint64_t seed) {
    (void)k;
    return mound_hash_u64(0, seed);
}

static bool nothing_eq(struct nothing a, struct nothing b) {
    (void)a;
    (void)b;
    return true;
}

MOUND_MAP_DECLARE(single, struct nothing, int, nothing_hash, nothing_eq)
MOUND_MAP_U64(to_nothing, struct nothing)

Test(map, a_key_without_bytes_makes_a_map_of_one_entry) {
    single *m = single_make(0);
    struct nothing k;
    cr_assert(single_get(m, k) == NULL);
    single_set(m, k, 1);
    single_set(m, k, 2);
    sound(single, m, 1);
    expect_eq(*single_get(m, k), 2);
    int n = 0;
    mound_map_foreach(single, it, m) n += *it.elem;
    expect_eq(n, 2);
    cr_assert(single_delete(m, k));
    sound(single, m, 0);
    single_free(m);
}

Test(map, elements_may_have_no_bytes) {
    to_nothing *m = to_nothing_make(0);
    struct nothing none;
    for (uint64_t k = 0; k < 100; k++)
        to_nothing_set(m, k, none);
    sound(to_nothing, m, 100);
    cr_assert(to_nothing_get(m, 5) != NULL);
    cr_assert(to_nothing_get(m, 100) == NULL);
    to_nothing_free(m);
}

Test(map, a_set_has_members) {
    numbers *s = numbers_make(0);
    bool is_new = false;
    for (uint64_t k = 0; k < 500; k++) {
        cr_assert(numbers_add(s, k, &is_new));
        cr_assert(is_new);
    }
    cr_assert(numbers_add(s, 3, &is_new));
    cr_assert(!is_new);
    cr_assert(numbers_add(s, 3, NULL));
    cr_assert(numbers_delete(s, 3));
    cr_assert(!numbers_has(s, 3));
    uint64_t sum = 0;
    mound_map_foreach(numbers, it, s) sum += *it.key;
    expect_eq(sum, 499 * 500 / 2 - 3);
    sound(numbers, s, 499);
    numbers *copy = numbers_clone(s);
    sound(numbers, copy, 499);
    numbers_free(copy);
    numbers_free(s);
}

Test(map, a_set_of_strings_owns_them) {
    words *s = words_make(0);
    char word[16];
    for (int i = 0; i < 100; i++) {
        sprintf(word, "w%d", i);
        words_add(s, word, NULL);
    }
    strcpy(word, "w42");
    cr_assert(words_has(s, word));
    cr_assert(words_delete(s, word));
    sound(words, s, 99);
    words_free(s);
}

// Entries stored apart.

struct key_4k {
    uint64_t w[512];
};

static uint64_t key_4k_hash(struct key_4k k, uint64_t seed) {
    return mound_hash_bytes(k.w, sizeof k.w, seed);
}

static bool key_4k_eq(struct key_4k a, struct key_4k b) {
    return memcmp(a.w, b.w, sizeof a.w) == 0;
}

struct elem_512 {
    uint64_t w[64];
};

MOUND_MAP_DECLARE(big, struct key_4k, struct key_4k, key_4k_hash, key_4k_eq)
MOUND_MAP_U64(big_elems, struct elem_512)

static struct key_4k key_4k_make(uint64_t i) {
    struct key_4k k;
    memset(&k, 0x3c, sizeof k);
    k.w[37] = i;
    return k;
}

Test(map, keys_and_elements_of_4_kib_survive_growth) {
    big *m = big_make(4);
    for (uint64_t i = 0; i < 100; i++)
        cr_assert(big_set(m, key_4k_make(i), key_4k_make(1000 + i)));
    sound(big, m, 100);
    size_t n = 0;
    mound_map_foreach(big, it, m) {
        struct key_4k want = key_4k_make(1000 + it.key->w[37]);
        cr_assert(key_4k_eq(*it.elem, want));
        n++;
    }
    expect_eq(n, 100);
    cr_assert(big_get(m, key_4k_make(100)) == NULL);
    for (uint64_t i = 0; i < 100; i += 2)
        cr_assert(big_delete(m, key_4k_make(i)));
    sound(big, m, 50);
    big_free(m);
}

Test(map, a_new_element_stored_apart_is_zero) {
    big_elems *m = big_elems_make(0);
    static const struct elem_512 zero;
    for (uint64_t k = 0; k < 200; k++) {
        struct elem_512 *e = big_elems_put(m, k, NULL);
        cr_assert(memcmp(e, &zero, sizeof zero) == 0);
        memset(e, 0xff, sizeof *e);
        if (k % 2)
            big_elems_delete(m, k);
    }
    sound(big_elems, m, 100);
    big_elems_free(m);
}

typedef struct {
    char c[128];
} inline_128;
typedef struct {
    char c[129];
} apart_129;
MOUND_MAP_U64(elems_128, inline_128)
MOUND_MAP_U64(elems_129, apart_129)

Test(map, above_128_bytes_an_element_never_moves) {
    elems_129 *m = elems_129_make(0);
    void *first = elems_129_put(m, 0, NULL);
    for (uint64_t k = 1; k < 500; k++)
        elems_129_put(m, k, NULL);
    elems_129_shrink(m);
    cr_assert(elems_129_get(m, 0) == first);
    elems_129_free(m);

    // One byte less, and it lies in the bucket.
    elems_128 *n = elems_128_make(0);
    void *before = elems_128_put(n, 0, NULL);
    elems_128_put(n, 1, NULL);
    size_t bytes = info_of(elems_128, n).bytes;
    cr_assert(bytes >= 8 * 128, "%zu bytes", bytes);
    for (uint64_t k = 2; k < 500; k++)
        elems_128_put(n, k, NULL);
    cr_assert(elems_128_get(n, 0) != before);
    elems_128_free(n);
}

// Alignment.

typedef struct {
    char c[16];
} __attribute__((aligned(16))) by_16;
typedef struct {
    char c[64];
} __attribute__((aligned(64))) by_64;
typedef struct {
    char c[192];
} __attribute__((aligned(64))) by_64_apart;
typedef struct {
    uint64_t k;
    uint64_t unused;
} __attribute__((aligned(16))) key_16;

static uint64_t key_16_hash(key_16 k, uint64_t seed) {
    return mound_hash_u64(k.k, seed);
}

static bool key_16_eq(key_16 a, key_16 b) {
    return a.k == b.k;
}

MOUND_MAP_U32(to_16, by_16)
MOUND_MAP_U32(to_64, by_64)
MOUND_MAP_U32(to_64_apart, by_64_apart)
MOUND_MAP_DECLARE(from_16, key_16, char, key_16_hash, key_16_eq)

#define is_aligned(p, n) ((uintptr_t)(p) % (n) == 0)

Test(map, elements_are_as_aligned_as_their_type) {
    to_16 *a = to_16_make(0);
    to_64 *b = to_64_make(0);
    to_64_apart *c = to_64_apart_make(0);
    for (uint32_t k = 0; k < 1000; k++) {
        cr_assert(is_aligned(to_16_put(a, k, NULL), 16));
        cr_assert(is_aligned(to_64_put(b, k, NULL), 64));
        cr_assert(is_aligned(to_64_apart_put(c, k, NULL), 64));
    }
    mound_map_foreach(to_16, it, a) cr_assert(is_aligned(it.elem, 16));
    mound_map_foreach(to_64, it, b) cr_assert(is_aligned(it.elem, 64));
    mound_map_foreach(to_64_apart, it, c) cr_assert(is_aligned(it.elem, 64));
    to_16_free(a);
    to_64_free(b);
    to_64_apart_free(c);
}

Test(map, keys_are_as_aligned_as_their_type) {
    from_16 *m = from_16_make(0);
    for (uint64_t k = 0; k < 1000; k++)
        from_16_set(m, (key_16){k, 0}, 'x');
    mound_map_foreach(from_16, it, m) cr_assert(is_aligned(it.key, 16));
    sound(from_16, m, 1000);
    from_16_free(m);
}

// Elements that own something.

static int live; // boxes

static int *box(int value) {
    int *p = (int *)malloc(sizeof *p);
    *p = value;
    live++;
    return p;
}

static bool box_copy(int **dst, int *const *src) {
    *dst = *src == NULL ? NULL : box(**src);
    return true;
}

static void box_drop(int **elem) {
    live -= *elem != NULL;
    free(*elem);
}

MOUND_MAP_DECLARE_OWNING(boxes, uint64_t, int *, mound_hash_u64, mound_eq_u64,
                         MOUND_MAP_COPY_BITS, MOUND_MAP_DROP_NOTHING, box_copy,
                         box_drop)

static boxes *some_boxes(uint64_t n) {
    boxes *m = boxes_make(0);
    for (uint64_t k = 0; k < n; k++)
        boxes_set(m, k, box((int)k));
    return m;
}

Test(map, set_drops_the_element_that_it_replaces) {
    boxes *m = some_boxes(50);
    expect_eq(live, 50);
    boxes_set(m, 7, box(70));
    expect_eq(live, 50);
    expect_eq(**boxes_get(m, 7), 70);
    boxes_free(m);
}

Test(map, delete_clear_and_free_drop_each_element_once) {
    boxes *m = some_boxes(100);
    for (uint64_t k = 0; k < 100; k += 4)
        boxes_delete(m, k);
    expect_eq(live, 75);
    boxes_clear(m);
    expect_eq(live, 0);
    for (uint64_t k = 0; k < 30; k++)
        boxes_set(m, k, box(1));
    boxes_free(m);
    expect_eq(live, 0);
}

Test(map, shrink_drops_nothing_that_is_in_the_map) {
    boxes *m = some_boxes(1000);
    for (uint64_t k = 20; k < 1000; k++)
        boxes_delete(m, k);
    cr_assert(boxes_shrink(m));
    expect_eq(live, 20);
    for (uint64_t k = 0; k < 20; k++)
        expect_eq(**boxes_get(m, k), (int)k);
    boxes_free(m);
    expect_eq(live, 0);
}

Test(map, a_clone_has_elements_of_its_own) {
    boxes *m = some_boxes(200);
    boxes *copy = boxes_clone(m);
    expect_eq(live, 400);
    **boxes_get(copy, 5) = -1;
    expect_eq(**boxes_get(m, 5), 5);
    boxes_free(m);
    expect_eq(live, 200);
    for (uint64_t k = 0; k < 200; k++)
        expect_eq(**boxes_get(copy, k), k == 5 ? -1 : (int)k);
    sound(boxes, copy, 200);
    boxes_free(copy);
}

Test(map, a_clone_has_keys_of_its_own) {
    names *m = names_make(0);
    char key[16];
    for (int i = 0; i < 300; i++) {
        sprintf(key, "%d", i);
        names_set(m, key, i);
    }
    names *copy = names_clone(m);
    names_free(m);
    for (int i = 0; i < 300; i++) {
        sprintf(key, "%d", i);
        expect_eq(*names_get(copy, key), i);
    }
    sound(names, copy, 300);
    names_free(copy);
}

#ifndef MAP_SWISS
Test(map, a_clone_made_in_the_middle_of_a_growth_is_whole) {
    ints *m = ints_make(0);
    uint64_t n = 0;
    while (info_of(ints, m).oldbuckets < 32)
        ints_set(m, n++, 1);
    ints *copy = ints_clone(m);
    sound(ints, copy, n);
    for (uint64_t k = 0; k < n; k++)
        cr_assert(ints_has(copy, k));
    expect_eq(info_of(ints, copy).oldbuckets, 0);
    ints_free(copy);
    ints_free(m);
}
#endif

// Untyped.

Test(map, get_key_shows_the_key_that_the_map_keeps) {
    const struct mound_map_type *t = names_type();
    names *m = names_make(0);
    char mine[] = "rob";
    const char *key = mine;
    const void *kept = NULL;
    names_set(m, mine, 66);
    int *e = (int *)mound_map_get_key(t, names_untyped(m), &key, &kept);
    cr_assert(e != NULL && *e == 66);
    cr_assert(*(const char *const *)kept != mine);
    cr_assert(strcmp(*(const char *const *)kept, "rob") == 0);
    names_free(m);
}

Test(map, the_untyped_functions_work_on_a_typed_map) {
    const struct mound_map_type *t = ints_type();
    ints *m = ints_make(0);
    bool is_new = false;
    for (uint64_t k = 0; k < 100; k++) {
        int64_t *e = (int64_t *)mound_map_put(t, ints_untyped(m), &k, &is_new);
        cr_assert(is_new && e != NULL);
        *e = (int64_t)k;
    }
    for (uint64_t k = 0; k < 100; k++)
        expect_eq(*ints_get(m, k), (int64_t)k);
    cr_assert(mound_map_delete(t, ints_untyped(m), &(uint64_t){5}));
    cr_assert(!ints_has(m, 5));
    mound_map_free(t, ints_untyped(m));
}
