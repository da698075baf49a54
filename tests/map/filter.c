// filter.c: the filters of base buckets: which keys a chain is walked for, and that a
// filter is always that of the entries in its overflow buckets.
#include "maps.h"

enum {
    B = 4,
    BUCKET = 3,
    NO_BUCKET = 0x7fffffff, // a link that no reader survives following
};

// A key of the bucket whose bit in the filter is bit.
static uint64_t key_of_bit(unsigned bit, uint64_t n) {
    return BUCKET | n << B | (uint64_t)(bit << 5 | (n & 0x1f)) << 56;
}

// filled returns a map in whose bucket are 8 keys of bit 0 and, in an overflow bucket,
// nover of bits 1, 2, ...
static struct mound_map *filled(const struct mound_map_type *t,
                                unsigned nover) {
    struct mound_map *m = mound_map_make(t, 100);
    expect_eq(info_from(t, m).B, B);
    for (uint64_t n = 0; n < MOUND_MAP_SLOTS; n++)
        plain_put(t, m, key_of_bit(0, n), n);
    for (unsigned bit = 1; bit <= nover; bit++)
        plain_put(t, m, key_of_bit(bit, 0), bit);
    plain_sound(t, m, MOUND_MAP_SLOTS + nover);
    return m;
}

static uint8_t *filter_of(struct mound_map *m) {
    return mound_map_filter_(m->buckets_, B, BUCKET);
}

static uint32_t *link_of(struct mound_map *m) {
    return mound_map_link_(m->buckets_, BUCKET, B, true);
}

Test(filter, has_a_bit_for_each_entry_in_an_overflow_bucket) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);

    struct mound_map *m = filled(&t, 3);

    expect_eq(*filter_of(m), 1 << 1 | 1 << 2 | 1 << 3);
    mound_map_free(&t, m);
}

Test(filter, spares_a_miss_and_a_deletion_in_a_full_bucket_the_chain) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = filled(&t, 2);
    uint32_t link = *link_of(m);

    *link_of(m) = NO_BUCKET;

    for (unsigned bit = 3; bit < 8; bit++) {
        cr_assert(plain_get(&t, m, key_of_bit(bit, 1)) == NULL);
        cr_assert(!plain_delete(&t, m, key_of_bit(bit, 1)));
    }
    for (uint64_t n = 0; n < MOUND_MAP_SLOTS; n++)
        expect_eq(*plain_get(&t, m, key_of_bit(0, n)), n);
    *link_of(m) = link;
    expect_eq(*plain_get(&t, m, key_of_bit(2, 0)), 2);
    mound_map_free(&t, m);
}

Test(filter, spares_a_put_the_chain_when_the_base_bucket_has_a_free_slot) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = filled(&t, 1);
    uint32_t link = *link_of(m);
    plain_delete(&t, m, key_of_bit(0, 4));

    *link_of(m) = NO_BUCKET;
    plain_put(&t, m, key_of_bit(5, 1), 77);

    *link_of(m) = link;
    expect_eq(*plain_get(&t, m, key_of_bit(5, 1)), 77);
    expect_eq(*filter_of(m), 1 << 1);
    plain_sound(&t, m, MOUND_MAP_SLOTS + 1);
    mound_map_free(&t, m);
}

Test(filter, loses_the_bits_of_entries_that_were_deleted) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = filled(&t, 3);
    plain_put(&t, m, key_of_bit(1, 1), 11);

    plain_delete(&t, m, key_of_bit(2, 0));
    expect_eq(*filter_of(m), 1 << 1 | 1 << 3);
    plain_delete(&t, m, key_of_bit(1, 0)); // another has this bit
    expect_eq(*filter_of(m), 1 << 1 | 1 << 3);
    plain_delete(&t, m, key_of_bit(1, 1));
    plain_delete(&t, m, key_of_bit(3, 0));

    expect_eq(*filter_of(m), 0);
    plain_sound(&t, m, MOUND_MAP_SLOTS);
    mound_map_free(&t, m);
}

Test(filter, of_zero_spares_iteration_the_chain) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = filled(&t, 1);
    plain_delete(&t, m, key_of_bit(1, 0));

    *link_of(m) = NO_BUCKET;
    size_t n = 0;
    struct mound_map_iter it;
    mound_map_begin(&t, m, &it);
    // The first bucket of an iterator is taken alone, with its links.
    while (it.start_ == BUCKET) {
        mound_map_end(&it);
        mound_map_begin(&t, m, &it);
    }
    while (mound_map_next(&it))
        n++;

    expect_eq(n, MOUND_MAP_SLOTS);
    *link_of(m) = 0;
    mound_map_free(&t, m);
}

Test(filter, is_empty_after_clear) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = filled(&t, 3);

    mound_map_clear(&t, m);

    expect_eq(*filter_of(m), 0);
    plain_sound(&t, m, 0);
    mound_map_free(&t, m);
}

Test(filter, that_is_wrong_is_found_by_verify) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = filled(&t, 2);

    for (unsigned bit = 0; bit < 8; bit++) {
        *filter_of(m) ^= (uint8_t)(1u << bit);
        const char *wrong = mound_map_verify(&t, m);
        cr_assert(wrong != NULL, "bit %u", bit);
        cr_assert_str_eq(wrong, "a filter is not that of its overflow buckets");
        *filter_of(m) ^= (uint8_t)(1u << bit);
    }

    plain_sound(&t, m, MOUND_MAP_SLOTS + 2);
    mound_map_free(&t, m);
}

Test(filter, is_right_in_every_bucket_through_growth_to_any_size) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 0);
    uint64_t seed = 1;

    size_t n = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        // Few buckets, so that many chains have overflow buckets.
        n += mound_map_put(&t, m, &(uint64_t){seed & ~(uint64_t)0x38}, NULL) !=
             NULL;
        if (i % 3 == 0)
            n -= plain_delete(&t, m, seed & ~(uint64_t)0x38);
        if (i % 16 == 0)
            plain_sound(&t, m, n);
    }

    cr_assert(mound_map_shrink(&t, m));
    plain_sound(&t, m, n);
    mound_map_free(&t, m);
}
