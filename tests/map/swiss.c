// swiss.c: what is the Swiss map's own: tables, their load and their splitting, and what
// becomes of it with hashes that are not even.
#ifndef MAP_SWISS
#define MAP_SWISS
#endif
#include "maps.h"
#include "watched_malloc.h"

MOUND_MAP_U64(ints, uint64_t)

static uint64_t scrambled(uint64_t x) {
    return mound_hash_u64(x, 42);
}

// expect_room fails if a table of more than one group is filled beyond seven eighths.
static void expect_room(const struct mound_map_type *t,
                        const struct mound_swiss *m,
                        struct mound_swiss_ref_ ref, uint64_t seed) {
    size_t n = 0, free = 0;
    for (uint64_t offset = 0; offset <= ref.mask; offset += MOUND_SWISS_GROUP) {
        mound_swiss_tags_ tags =
            mound_swiss_tags_at_(mound_swiss_group_(t, ref.base, offset));
        n += (size_t)__builtin_popcount(mound_swiss_full_(tags));
        free += (size_t)__builtin_popcount(mound_swiss_empty_(tags));
    }
    cr_assert(ref.mask == 0 || n <= n + free - (n + free) / 8,
              "seed %lu: %zu of %zu slots, of %zu entries", seed, n, n + free,
              mound_swiss_len(m));
}

static void expect_room_everywhere(const struct mound_map_type *t,
                                   const struct mound_swiss *m, uint64_t seed) {
    struct mound_swiss_info info = info_from(t, m);
    for (size_t i = 0; i < (size_t)1 << info.depth; i++)
        expect_room(t, m, m->dir_[i], seed);
}

Test(swiss, no_table_fills_beyond_seven_eighths) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < 400000; k++) {
        ints_set(m, k, k);
        if (k % 5000 == 0)
            expect_room_everywhere(ints_type(), ints_untyped(m), k);
    }
    sound(ints, m, 400000);
    ints_free(m);
}

// The n-th key of a pattern: in a row, far apart, scattered, pointers.
static uint64_t nth_key(uint64_t pattern, uint64_t n) {
    switch (pattern % 4) {
    case 0:
        return n;
    case 1:
        return n << 32;
    case 2:
        return scrambled(n);
    default:
        return 0x7f0000000000u + 48 * n;
    }
}

// After every put, at all sizes of tables, whatever the keys and what was deleted before.
Test(swiss, no_table_fills_beyond_seven_eighths_with_any_seed_and_keys) {
    const struct mound_map_type *t = ints_type();
    for (uint64_t seed = 1; seed <= 240; seed++) {
        ints *m = ints_make(seed % 3 == 0 ? seed * 7 : 0);
        struct mound_swiss *u = ints_untyped(m);
        uint64_t first = 0, last = 0, most = 40 + seed * 97 % 2200;
        while (last - first < most) {
            // Two come, one goes: in half of the maps.
            if (seed % 2 == 0 && last % 2 == 0 && first < last)
                ints_delete(m, nth_key(seed / 4, first++));
            uint64_t key = nth_key(seed / 4, last++);
            ints_set(m, key, last);
            expect_room(t, u,
                        *mound_swiss_ref_of_(u, mound_swiss_hash_(t, u, &key)),
                        seed);
        }
        // One goes, one comes: at the load that it has now.
        for (uint64_t n = 0; n < most; n++) {
            ints_delete(m, nth_key(seed / 4, first++));
            ints_set(m, nth_key(seed / 4, last++), n);
        }
        expect_room_everywhere(t, u, seed);
        sound(ints, m, last - first);
        ints_free(m);
    }
}

// A map of one table: with how many entries it has how many slots, 16 bytes of key and
// element each. Of 4 groups and more the last two slots are the header's.
static const struct {
    size_t entries, capacity;
} growth[] = {{1, 8},     {9, 15},    {16, 30},   {28, 58},   {52, 118},
              {105, 238}, {210, 478}, {420, 958}, {840, 1918}};

Test(swiss, a_table_grows_with_the_entry_after_seven_eighths_and_no_other) {
    for (uint64_t seed = 0; seed < 40; seed++) {
        ints *m = ints_make(0);
        size_t capacity = 0;
        for (size_t n = 1, step = 0; n < 1680; n++) {
            ints_set(m, nth_key(seed, n), n);
            if (step < sizeof growth / sizeof *growth &&
                n == growth[step].entries)
                capacity = growth[step++].capacity;
            struct mound_swiss_info info = info_of(ints, m);
            cr_assert(info.capacity == capacity && info.tables == 1,
                      "seed %lu: %zu entries: %zu slots, %zu tables", seed, n,
                      info.capacity, info.tables);
        }
        ints_set(m, nth_key(seed, 1680), 0);
        expect_eq(info_of(ints, m).tables, 2);
        expect_eq(info_of(ints, m).capacity, 2 * capacity);
        ints_free(m);
    }
}

// Of many tables it is the key's that splits, once it has room for no entry more.
Test(swiss, a_table_splits_with_the_entry_after_seven_eighths_and_no_other) {
    const struct mound_map_type *t = ints_type();
    const size_t slots = 1918, limit = slots - slots / 8;
    for (uint64_t seed = 0; seed < 4; seed++) {
        ints *m = ints_make(limit);
        struct mound_swiss *u = ints_untyped(m);
        for (uint64_t n = 0; n < 60000; n++) {
            uint64_t key = nth_key(seed, n);
            struct mound_swiss_ref_ ref =
                *mound_swiss_ref_of_(u, mound_swiss_hash_(t, u, &key));
            expect_eq(ref.mask / MOUND_SWISS_GROUP + 1, MOUND_SWISS_GROUPS_MAX);
            size_t tables = info_of(ints, m).tables, entries = 0;
            for (uint64_t at = 0; at <= ref.mask; at += MOUND_SWISS_GROUP)
                entries += (size_t)__builtin_popcount(mound_swiss_full_(
                    mound_swiss_tags_at_(mound_swiss_group_(t, ref.base, at))));
            ints_set(m, key, n);
            size_t more = info_of(ints, m).tables - tables;
            cr_assert((entries == limit) == (more > 0),
                      "seed %lu: %zu tables more, for a table of %zu", seed,
                      more, entries);
        }
        ints_free(m);
    }
}

Test(swiss, a_put_allocates_for_one_table_more_at_most) {
    ints *m = ints_make(0);
    watch_begin();
    size_t most = 0;
    for (uint64_t k = 0; k < 200000; k++) {
        size_t before = watched().calls;
        ints_set(m, k, k);
        if (watched().calls - before > most)
            most = watched().calls - before;
    }
    watch_end();
    // A table, and the directory.
    cr_assert(most <= 2, "%zu", most);
    // What is held beside 17 bytes a slot is next to nothing.
    struct mound_swiss_info info = info_of(ints, m);
    cr_assert(info.bytes * 100 <= info.capacity * 17 * 101);
    ints_free(m);
}

// Deleting and putting at one size, at a load that is high: nothing is left behind that
// makes the map grow, or searches long.
Test(swiss, coming_and_going_at_one_size_takes_no_memory) {
    ints *m = ints_make(0);
    uint64_t n = 200000, last = n;
    for (uint64_t k = 0; k < n; k++)
        ints_set(m, scrambled(k), k);
    size_t before = info_of(ints, m).bytes;
    for (uint64_t k = 0; k < 5 * n; k++) {
        cr_assert(ints_delete(m, scrambled(k)));
        ints_set(m, scrambled(last++), k);
    }
    sound(ints, m, n);
    size_t after = info_of(ints, m).bytes;
    cr_assert(after <= before * 5 / 4, "%zu bytes, %zu before", after, before);
    ints_free(m);
}

static uint64_t constant_hash(const void *key, uint64_t seed, void *user) {
    (void)key;
    (void)seed;
    (void)user;
    return 0x123456789abcdef0u;
}

static uint64_t low_hash(const void *key, uint64_t seed, void *user) {
    (void)seed;
    (void)user;
    return *(const uint64_t *)key;
}

static uint64_t high_hash(const void *key, uint64_t seed, void *user) {
    (void)seed;
    (void)user;
    return *(const uint64_t *)key << 44;
}

// The directory must not double for what no split can part.
static void expect_bounded(uint64_t (*hash)(const void *, uint64_t, void *),
                           uint64_t n) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    t.hash = hash;
    struct mound_map *m = mound_map_make(&t, 0);
    for (uint64_t k = 0; k < n; k++)
        cr_assert(plain_put(&t, m, k, k));
    plain_sound(&t, m, n);
    struct mound_swiss_info info = info_from(&t, m);
    cr_assert(info.depth <= 12, "depth %u", info.depth);
    cr_assert(info.bytes <= 300 * n + 500000, "%zu bytes", info.bytes);
    for (uint64_t k = 0; k < n; k++)
        expect_eq(*plain_get(&t, m, k), k);
    size_t seen = 0;
    struct mound_map_iter it;
    mound_map_begin(&t, m, &it);
    while (mound_map_next(&it))
        seen++;
    expect_eq(seen, n);
    for (uint64_t k = 0; k < n; k++)
        cr_assert(plain_delete(&t, m, k));
    plain_sound(&t, m, 0);
    mound_map_free(&t, m);
}

Test(swiss, one_hash_for_all_keys_is_slow_and_no_more) {
    expect_bounded(constant_hash, 3000);
}

Test(swiss, hashes_that_differ_in_their_low_bits_only_are_no_worse) {
    expect_bounded(low_hash, 30000);
}

Test(swiss, hashes_that_differ_in_their_high_bits_only_are_no_worse) {
    expect_bounded(high_hash, 30000);
}

// A full home group is no reason to fail while others have room.
Test(swiss, a_put_without_memory_takes_a_free_slot_elsewhere) {
    ints *m = ints_make(1000);
    watch_begin();
    watch_fail(1, true);
    uint64_t k = 0;
    errno = 0;
    while (ints_set(m, k, k))
        k++;
    expect_eq(errno, ENOMEM);
    watch_fail(0, false);
    watch_end();
    // To the last slot.
    expect_eq(k, info_of(ints, m).capacity);
    sound(ints, m, k);
    cr_assert(ints_set(m, k, k));
    sound(ints, m, k + 1);
    ints_free(m);
}

// The order of search visits every group, so a table of one group and of two work alike.
Test(swiss, tables_of_every_size_hold_what_they_have_slots_for) {
    for (size_t n = 1; n < 3000; n = n * 3 / 2 + 1) {
        ints *m = ints_make(n);
        for (uint64_t k = 0; k < n; k++)
            ints_set(m, k, k);
        sound(ints, m, n);
        cr_assert(info_of(ints, m).capacity >= n);
        ints_free(m);
    }
}

// Few tables have to split after all, which is no reason to take twice as many.
Test(swiss, a_hint_takes_no_more_memory_than_growing) {
    for (size_t n = 12500; n <= 200000; n *= 2) {
        ints *grown = ints_make(0), *hinted = ints_make(n);
        for (uint64_t k = 0; k < n; k++) {
            ints_set(grown, k, k);
            ints_set(hinted, k, k);
        }
        size_t bytes = info_of(ints, hinted).bytes;
        cr_assert(bytes <= info_of(ints, grown).bytes * 11 / 10 + 40000,
                  "%zu bytes for %zu, %zu grown", bytes, n,
                  info_of(ints, grown).bytes);
        ints_free(grown);
        ints_free(hinted);
    }
}
