// grow.c: how many buckets there are and when, what growth costs each write, and
// what becomes of memory.
#include "maps.h"
#include "watched_malloc.h"

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(names, int)

struct fat {
    uint64_t w[16];
};
MOUND_MAP_U64(fats, struct fat)

static ints *filled(uint64_t n) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < n; k++)
        ints_set(m, k, k);
    return m;
}

// growing returns a map whose array of 2^oldB buckets is being left.
static ints *growing(unsigned oldB, uint64_t *ret_n) {
    ints *m = ints_make(0);
    uint64_t n = 0;
    while (info_of(ints, m).oldbuckets != (size_t)1 << oldB)
        ints_set(m, n++, 1);
    *ret_n = n;
    return m;
}

// Sizes.

Test(grow, a_hint_gives_the_smallest_array_whose_load_is_not_exceeded) {
    static const struct {
        size_t hint;
        unsigned B;
    } want[] = {{0, 0},      {1, 0},       {8, 0},    {9, 1},     {13, 1},
                {14, 2},     {26, 2},      {27, 3},   {52, 3},    {53, 4},
                {100, 4},    {104, 4},     {105, 5},  {208, 5},   {209, 6},
                {416, 6},    {417, 7},     {832, 7},  {833, 8},   {1000, 8},
                {1664, 8},   {1665, 9},    {3328, 9}, {3329, 10}, {53248, 13},
                {53249, 14}, {1000000, 18}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        ints *m = ints_make(want[i].hint);
        cr_assert(info_of(ints, m).B == want[i].B, "hint %zu: B is %u",
                  want[i].hint, info_of(ints, m).B);
        ints_free(m);
    }
}

Test(grow, a_map_has_as_many_buckets_as_its_entries_need) {
    static const struct {
        uint64_t n;
        unsigned B;
    } want[] = {{1, 0},   {8, 0},   {9, 1},    {13, 1},  {14, 2},
                {26, 2},  {27, 3},  {52, 3},   {53, 4},  {104, 4},
                {105, 5}, {208, 5}, {209, 6},  {416, 6}, {417, 7},
                {832, 7}, {833, 8}, {1664, 8}, {1665, 9}};
    ints *m = ints_make(0);
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        while (n < want[i].n)
            ints_set(m, n++, 1);
        // Overflow may have made it grow at its size, not beyond.
        cr_assert(info_of(ints, m).B == want[i].B, "%lu entries: B is %u", n,
                  info_of(ints, m).B);
    }
    sound(ints, m, n);
    ints_free(m);
}

Test(grow, a_map_without_entries_has_no_bucket_until_the_first_put) {
    for (size_t hint = 0; hint <= 8; hint++) {
        size_t calls = watched().calls;
        watch_begin();
        ints *m = ints_make(hint);
        watch_end();
        expect_eq(watched().calls - calls, 1);
        expect_eq(watched().bytes, sizeof(struct mound_map));
        expect_eq(info_of(ints, m).bytes, sizeof(struct mound_map));
        ints_set(m, 1, 1);
        size_t bytes = info_of(ints, m).bytes;
        cr_assert(bytes >= 48 + 8 + 8 * 16 && bytes < 48 + 8 + 8 * 16 + 64,
                  "%zu bytes with one bucket", bytes);
        ints_free(m);
    }
}

Test(grow, from_a_hint_of_9_the_array_is_there_from_the_start) {
    for (size_t hint = 9; hint < 2000; hint += hint / 3) {
        watch_begin();
        ints *m = ints_make(hint);
        size_t calls = watched().calls;
        unsigned B = info_of(ints, m).B;
        for (uint64_t k = 0; k < hint; k++)
            ints_set(m, k, k);
        watch_end();
        struct mound_map_info info = info_of(ints, m);
        expect_eq(info.B, B);
        // Nothing but overflow buckets may have been needed.
        if (info.noverflow == 0)
            expect_eq(watched().calls, calls);
        sound(ints, m, hint);
        ints_free(m);
    }
}

Test(grow, info_counts_what_was_asked_of_malloc) {
    watch_begin();
    ints *m = ints_make(0);
    for (uint64_t n = 0; n < 3000; n++) {
        ints_set(m, n, n);
        if (n % 3 == 0)
            ints_delete(m, n / 2);
        expect_eq(info_of(ints, m).bytes, watched().bytes);
    }
    ints_clear(m);
    expect_eq(info_of(ints, m).bytes, watched().bytes);
    ints_free(m);
    watch_end();
    expect_eq(watched().blocks, 0);
}

Test(grow, get_and_iteration_and_delete_in_a_settled_map_allocate_nothing) {
    names *m = names_make(0);
    char key[16];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        names_set(m, key, i);
    }
    while (names_evacuate(m, 100) > 0)
        ;
    watch_begin();
    size_t sum = 0;
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        sum += (size_t)*names_get(m, key);
    }
    mound_map_foreach(names, it, m) sum -= (size_t)*it.elem;
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        names_delete(m, key);
    }
    watch_end();
    expect_eq(sum, 0);
    expect_eq(watched().calls, 0);
    names_free(m);
}

// The cost of a write.

static size_t evacuated(const struct mound_map *m, size_t nold) {
    size_t n = 0;
    for (size_t i = 0; i < nold; i++)
        n += mound_map_is_evacuated_(m->oldbuckets_, i);
    return n;
}

Test(grow, a_write_moves_at_most_two_old_buckets_and_at_least_one) {
    ints *m = ints_make(0);
    const struct mound_map *u = ints_untyped(m);
    for (uint64_t k = 0; k < 20000; k++) {
        struct mound_map_info before = info_of(ints, m);
        size_t moved = before.oldbuckets ? evacuated(u, before.oldbuckets) : 0;
        if (k % 3 == 2)
            ints_delete(m, k - 2);
        else
            ints_set(m, k, k);
        struct mound_map_info after = info_of(ints, m);
        if (before.oldbuckets == 0) {
            if (after.oldbuckets != 0)
                cr_assert(evacuated(u, after.oldbuckets) <= 2);
            continue;
        }
        size_t now = after.oldbuckets == before.oldbuckets
                         ? evacuated(u, after.oldbuckets)
                         : before.oldbuckets;
        cr_assert(now > moved && now <= moved + 2,
                  "write %lu moved %zu buckets of %zu", k, now - moved,
                  before.oldbuckets);
    }
    ints_free(m);
}

Test(grow, one_growth_has_ended_long_before_the_next_begins) {
    ints *m = ints_make(0);
    size_t nold = 0, since = 0;
    for (uint64_t k = 0; k < 100000; k++) {
        ints_set(m, k, k);
        struct mound_map_info info = info_of(ints, m);
        if (info.oldbuckets == nold) {
            since++;
            continue;
        }
        // It began, or it ended: after as many writes as there were buckets.
        cr_assert(info.oldbuckets == 0 || nold == 0,
                  "a growth began in another one");
        cr_assert(nold == 0 || since <= nold, "%zu writes for %zu buckets",
                  since, nold);
        nold = info.oldbuckets;
        since = 0;
    }
    ints_free(m);
}

Test(grow, reading_moves_nothing) {
    uint64_t n;
    ints *m = growing(6, &n);
    struct mound_map_info before = info_of(ints, m);
    for (uint64_t k = 0; k < 2 * n; k++)
        cr_assert(ints_has(m, k) == (k < n));
    size_t seen = 0;
    mound_map_foreach(ints, it, m) seen++;
    struct mound_map_info after = info_of(ints, m);
    expect_eq(seen, n);
    expect_eq(after.oldbuckets, before.oldbuckets);
    expect_eq(after.nevacuate, before.nevacuate);
    ints_free(m);
}

Test(grow, evacuate_moves_as_many_old_buckets_as_told) {
    uint64_t n;
    ints *m = growing(8, &n);
    size_t left = 256 - info_of(ints, m).nevacuate;
    expect_eq(ints_evacuate(m, 0), left);
    while (left > 0) {
        size_t now = ints_evacuate(m, 3);
        // One that a write has moved already costs nothing more.
        cr_assert(now < left && (now + 4 >= left), "%zu, then %zu", left, now);
        sound(ints, m, n);
        left = now;
    }
    expect_eq(info_of(ints, m).oldbuckets, 0);
    expect_eq(ints_evacuate(m, 10), 0);
    ints_free(m);
}

Test(grow, reserve_makes_room_at_once_and_then_nothing_grows) {
    for (size_t n = 0; n < 5000; n += 1 + n / 2) {
        ints *m = filled(20);
        cr_assert(ints_reserve(m, n));
        struct mound_map_info before = info_of(ints, m);
        cr_assert(before.oldbuckets == 0 || n <= 26);
        sound(ints, m, 20);
        for (uint64_t k = 0; k < n; k++)
            ints_set(m, k, k);
        expect_eq(info_of(ints, m).B, before.B);
        ints_free(m);
    }
}

Test(grow, reserve_in_the_middle_of_a_growth_finishes_it) {
    uint64_t n;
    ints *m = growing(6, &n);
    cr_assert(ints_reserve(m, 10 * n));
    expect_eq(info_of(ints, m).oldbuckets, 0);
    sound(ints, m, n);
    for (uint64_t k = 0; k < n; k++)
        cr_assert(ints_has(m, k));
    ints_free(m);
}

Test(grow, reserve_never_makes_a_map_smaller) {
    ints *m = filled(1000);
    cr_assert(ints_reserve(m, 0));
    cr_assert(ints_reserve(m, 5));
    expect_eq(info_of(ints, m).B, 8);
    sound(ints, m, 1000);
    ints_free(m);
}

// Deletion.

Test(grow, deletion_neither_grows_nor_shrinks_and_memory_is_kept) {
    ints *m = filled(1000);
    while (ints_evacuate(m, 1000) > 0)
        ;
    struct mound_map_info before = info_of(ints, m);
    for (uint64_t k = 0; k < 1000; k++)
        ints_delete(m, k);
    struct mound_map_info after = info_of(ints, m);
    expect_eq(after.count, 0);
    expect_eq(after.B, before.B);
    expect_eq(after.bytes, before.bytes);
    expect_eq(after.noverflow, before.noverflow);
    ints_free(m);
}

Test(grow, delete_goes_on_with_a_growth) {
    uint64_t n;
    ints *m = growing(7, &n);
    for (uint64_t k = 0; k < 128 && info_of(ints, m).oldbuckets != 0; k++)
        ints_delete(m, n + k); // not there
    expect_eq(info_of(ints, m).oldbuckets, 0);
    sound(ints, m, n);
    ints_free(m);
}

Test(grow, shrink_gives_back_what_the_entries_do_not_need) {
    ints *m = filled(5000);
    for (uint64_t k = 20; k < 5000; k++)
        ints_delete(m, k);
    cr_assert(ints_shrink(m));
    struct mound_map_info info = info_of(ints, m);
    expect_eq(info.B, 2);
    expect_eq(info.arrays, 0);
    cr_assert(info.bytes < 1000, "%zu bytes", info.bytes);
    sound(ints, m, 20);
    for (uint64_t k = 0; k < 20; k++)
        expect_eq(*ints_get(m, k), k);
    ints_free(m);
}

Test(grow, shrink_of_an_empty_map_leaves_the_header_alone) {
    watch_begin();
    ints *m = filled(5000);
    for (uint64_t k = 0; k < 5000; k++)
        ints_delete(m, k);
    cr_assert(ints_shrink(m));
    watch_end();
    expect_eq(info_of(ints, m).bytes, sizeof(struct mound_map));
    expect_eq(watched().bytes, sizeof(struct mound_map));
    expect_eq(watched().blocks, 1);
    ints_set(m, 1, 1);
    sound(ints, m, 1);
    ints_free(m);
}

Test(grow, shrink_after_clear_leaves_the_header_alone_too) {
    ints *m = filled(5000);
    ints_clear(m);
    cr_assert(ints_shrink(m));
    expect_eq(info_of(ints, m).bytes, sizeof(struct mound_map));
    ints_free(m);
}

Test(grow, shrink_is_right_at_every_size) {
    for (uint64_t n = 0; n < 300; n++) {
        ints *m = filled(300);
        for (uint64_t k = n; k < 300; k++)
            ints_delete(m, k);
        cr_assert(ints_shrink(m));
        ints *made = ints_make(n);
        expect_eq(info_of(ints, m).B, info_of(ints, made).B);
        sound(ints, m, n);
        ints_free(made);
        ints_free(m);
    }
}

Test(grow, clear_keeps_the_array) {
    ints *m = filled(1000);
    while (ints_evacuate(m, 1000) > 0)
        ;
    size_t bytes = info_of(ints, m).bytes;
    ints_clear(m);
    expect_eq(info_of(ints, m).bytes, bytes);
    expect_eq(info_of(ints, m).noverflow, 0);
    watch_begin();
    for (uint64_t k = 0; k < 500; k++)
        ints_set(m, k, k);
    watch_end();
    expect_eq(watched().calls, 0);
    sound(ints, m, 500);
    ints_free(m);
}

Test(grow, the_seed_is_drawn_again_when_the_map_was_emptied) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 0);
    uint64_t seeds[40];
    for (int i = 0; i < 40; i++) {
        plain_put(&t, m, 1, 1);
        seeds[i] = p.seed;
        plain_put(&t, m, 2, 2);
        plain_delete(&t, m, 1);
        plain_get(&t, m, 2);
        expect_eq(p.seed, seeds[i]); // not empty yet
        if (i % 2)
            plain_delete(&t, m, 2);
        else
            mound_map_clear(&t, m);
    }
    int same = 0;
    for (int i = 1; i < 40; i++)
        same += seeds[i] == seeds[i - 1];
    cr_assert(same <= 1, "%d of 39 seeds are like the one before", same);
    mound_map_free(&t, m);
}

Test(grow, each_map_has_a_seed_of_its_own) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *maps[40];
    uint64_t last = 0;
    int same = 0;
    for (int i = 0; i < 40; i++) {
        maps[i] = mound_map_make(&t, 0);
        plain_put(&t, maps[i], 1, 1);
        same += p.seed == last;
        last = p.seed;
    }
    cr_assert(same <= 1, "%d of 40 seeds are like the one before", same);
    for (int i = 0; i < 40; i++)
        mound_map_free(&t, maps[i]);
    // Nor does one that takes a freed map's place get its seed.
    for (int i = 0; i < 40; i++) {
        struct mound_map *m = mound_map_make(&t, 0);
        plain_put(&t, m, 1, 1);
        same += p.seed == last;
        last = p.seed;
        mound_map_free(&t, m);
    }
    cr_assert(same <= 2, "%d of 80 seeds are like the one before", same);
}

// Large arrays.

enum { ORDER_B = 16, ORDER_FULL = 13 << (ORDER_B - 1) }; // 13 to two buckets

// growing_in_order returns a map that has just begun to leave 2^ORDER_B buckets, with keys
// n << 56 ^ n from 1 on.
static uint64_t order_key(uint64_t n) {
    return n ^ n << 56;
}

static struct mound_map *growing_in_order(const struct mound_map_type *t) {
    struct mound_map *m = mound_map_make(t, ORDER_FULL);
    expect_eq(info_from(t, m).B, ORDER_B);
    for (uint64_t n = 1; n <= ORDER_FULL + 1; n++)
        cr_assert(plain_put(t, m, order_key(n), n));
    expect_eq(info_from(t, m).oldbuckets, 1 << ORDER_B);
    return m;
}

Test(grow, a_large_array_is_evacuated_in_order) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = growing_in_order(&t);
    size_t moved = info_from(&t, m).nevacuate;
    char *old = m->oldbuckets_;

    for (uint64_t n = 2; n < 1000; n++) {
        // Wherever these are, the next two are moved, and no other.
        plain_put(&t, m, order_key(n * 31), n * 31);
        moved += 2;
        expect_eq(info_from(&t, m).nevacuate, moved);
        cr_assert(!mound_map_is_evacuated_(old, moved));
        cr_assert(!mound_map_is_evacuated_(old, (1 << ORDER_B) - 1));
    }

    plain_sound(&t, m, ORDER_FULL + 1);
    mound_map_free(&t, m);
}

Test(grow, in_order_a_put_goes_to_the_old_bucket_until_it_has_moved) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = growing_in_order(&t);
    size_t n = ORDER_FULL + 1;
    uint64_t last = (1 << ORDER_B) - 1;

    // So many that the old bucket has overflow buckets, in blocks of their own too.
    for (uint64_t i = 1; i <= 100; i++, n++)
        cr_assert(plain_put(&t, m, last | i << 40, i));
    cr_assert(!mound_map_is_evacuated_(m->oldbuckets_, last));
    plain_sound(&t, m, n);
    for (uint64_t i = 1; i <= 50; i++, n--)
        cr_assert(plain_delete(&t, m, last | i << 40));
    plain_sound(&t, m, n);
    size_t seen = 0;
    struct mound_map_iter it;
    mound_map_begin(&t, m, &it);
    while (mound_map_next(&it))
        seen++;
    expect_eq(seen, n);
    while (mound_map_evacuate(&t, m, 1000) > 0)
        ;

    plain_sound(&t, m, n);
    for (uint64_t i = 1; i <= 100; i++) {
        const uint64_t *elem = plain_get(&t, m, last | i << 40);
        cr_assert(i <= 50 ? elem == NULL : elem != NULL && *elem == i);
    }
    mound_map_free(&t, m);
}

// Overflow.

// overflow fills and empties one bucket after the other, so that each chain has an
// overflow bucket; one entry of each stays.
static void overflow(const struct mound_map_type *t, struct mound_map *m,
                     unsigned B, uint64_t from, uint64_t to) {
    for (uint64_t bucket = from; bucket < to; bucket++) {
        for (uint64_t n = 0; n < 9; n++)
            plain_put(t, m, key_in(B, bucket, n), n);
        for (uint64_t n = 1; n < 9; n++)
            plain_delete(t, m, key_in(B, bucket, n));
    }
}

Test(grow,
     as_many_overflow_buckets_as_buckets_make_the_next_put_grow_in_place) {
    for (unsigned B = 1; B < 10; B++) {
        struct plain p = {0};
        struct mound_map_type t = plain_type(&p);
        uint64_t n = (uint64_t)1 << B;
        struct mound_map *m = mound_map_make(&t, 13 * n / 2);
        overflow(&t, m, B, 0, n - 1);
        overflow(&t, m, B, n - 1, n);
        struct mound_map_info info = info_from(&t, m);
        expect_eq(info.B, B);
        expect_eq(info.noverflow, (unsigned)n);
        expect_eq(info.oldbuckets, 0);
        plain_sound(&t, m, n);

        // Neither an update nor a deletion starts it.
        plain_put(&t, m, key_in(B, 0, 0), 7);
        plain_delete(&t, m, key_in(B, 1, 0));
        expect_eq(info_from(&t, m).oldbuckets, 0);

        plain_put(&t, m, key_in(B, 1, 9), 9);
        info = info_from(&t, m);
        expect_eq(info.B, B);
        cr_assert(info.oldbuckets == n ? info.flags & 8 : B == 1,
                  "B %u: %zu old buckets, flags %u", B, info.oldbuckets,
                  info.flags);
        plain_sound(&t, m, n);
        while (mound_map_evacuate(&t, m, 1) > 0)
            plain_sound(&t, m, n);
        info = info_from(&t, m);
        expect_eq(info.noverflow, 0);
        expect_eq(info.flags & 8, 0);
        expect_eq(info.B, B);
        for (uint64_t bucket = 0; bucket < n; bucket++)
            expect_eq(*plain_get(&t, m, key_in(B, bucket, bucket == 1 ? 9 : 0)),
                      bucket == 1   ? 9
                      : bucket == 0 ? 7
                                    : 0);
        mound_map_free(&t, m);
    }
}

Test(grow, with_one_overflow_bucket_less_a_map_does_not_grow) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 52);
    overflow(&t, m, 3, 0, 7);
    plain_put(&t, m, key_in(3, 7, 0), 1);
    expect_eq(info_from(&t, m).noverflow, 7);
    expect_eq(info_from(&t, m).oldbuckets, 0);
    mound_map_free(&t, m);
}

Test(grow, from_65536_buckets_on_overflow_buckets_are_counted_by_chance) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 400000);
    expect_eq(info_from(&t, m).B, 16);
    overflow(&t, m, 16, 0, 40000);
    // One of two: 20000, with a standard deviation of 100.
    unsigned noverflow = info_from(&t, m).noverflow;
    cr_assert(noverflow > 19000 && noverflow < 21000, "%u are counted",
              noverflow);
    plain_sound(&t, m, 40000);
    overflow(&t, m, 16, 40000, 65536);
    uint64_t n = 65536;
    while (info_from(&t, m).oldbuckets == 0 && n < 4 * 65536) {
        // Again, up to the limit of 2^15 for all sizes.
        for (uint64_t i = 1; i < 18; i++)
            plain_put(&t, m, key_in(16, n % 65536, i), 1);
        for (uint64_t i = 1; i < 18; i++)
            plain_delete(&t, m, key_in(16, n % 65536, i));
        n++;
    }
    cr_assert(info_from(&t, m).flags & 8, "no growth at the same size");
    mound_map_free(&t, m);
}

Test(grow, long_chains_stay_sound_while_entries_come_and_go) {
    // Few buckets are used: chains of dozens.
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 0);
    for (uint64_t round = 0; round < 6; round++) {
        for (uint64_t n = 0; n < 200; n++)
            plain_put(&t, m, key_in(10, n % 3, n), n);
        plain_sound(&t, m, 200);
        for (uint64_t n = round % 2; n < 200; n += 2)
            plain_delete(&t, m, key_in(10, n % 3, n));
        plain_sound(&t, m, 100);
        for (uint64_t n = 0; n < 200; n++)
            plain_put(&t, m, key_in(10, n % 3, n), n);
        plain_sound(&t, m, 200);
        // From the front, from the back, and from the middle.
        for (uint64_t n = 0; n < 200; n++) {
            uint64_t at = round % 3 == 0   ? n
                          : round % 3 == 1 ? 199 - n
                                           : (n * 77) % 200;
            cr_assert(plain_delete(&t, m, key_in(10, at % 3, at)));
            if (n % 10 == 0)
                plain_sound(&t, m, 199 - n);
        }
        plain_sound(&t, m, 0);
    }
    mound_map_free(&t, m);
}

Test(grow, a_lookup_in_an_emptied_chain_compares_nothing) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 13);
    for (uint64_t n = 0; n < 13; n++)
        plain_put(&t, m, n << 1 | (uint64_t)100 << 56, n);
    for (uint64_t n = 1; n < 13; n++)
        plain_delete(&t, m, n << 1 | (uint64_t)100 << 56);
    p.nequals = 0;
    plain_get(&t, m, (uint64_t)50 << 1 | (uint64_t)100 << 56);
    expect_eq(p.nequals, 1); // the first entry has this tophash
    mound_map_free(&t, m);
}

// Arrays that were outgrown.

Test(grow, the_old_array_is_freed_at_the_end_of_a_growth) {
    watch_begin();
    ints *m = ints_make(0);
    uint64_t n = 0;
    while (n < 2000) {
        ints_set(m, n++, 1);
        struct mound_map_info info = info_of(ints, m);
        expect_eq(info.arrays, 0);
        if (info.oldbuckets == 0 && info.B > 5 && info.noverflow == 0) {
            // The header, the array: 8 slots and as many tophash bytes, links,
            // spare buckets, and a bit for alignment.
            size_t array = ((size_t)1 << info.B) * 17 / 16 * (8 * 17 + 4);
            cr_assert(watched().bytes < 48 + array + 512, "%zu bytes at B %u",
                      watched().bytes, info.B);
        }
    }
    watch_end();
    ints_free(m);
}

Test(grow, an_old_array_waits_for_the_last_iterator_over_it) {
    watch_begin();
    ints *m = filled(100);
    while (ints_evacuate(m, 100) > 0)
        ;
    ints_iter a = ints_begin(m), b = ints_begin(m);
    ints_next(&a);
    for (uint64_t k = 100; k < 150; k++)
        ints_set(m, k, 1);
    while (ints_evacuate(m, 100) > 0)
        ;
    expect_eq(info_of(ints, m).arrays, 1);
    size_t bytes = watched().bytes;
    ints_end(&a);
    expect_eq(info_of(ints, m).arrays, 1);
    expect_eq(watched().bytes, bytes);
    while (ints_next(&b))
        ;
    expect_eq(info_of(ints, m).arrays, 0);
    // That was half of the new one.
    cr_assert(watched().bytes < bytes * 3 / 4, "%zu bytes, then %zu", bytes,
              watched().bytes);
    sound(ints, m, 150);
    ints_free(m);
    watch_end();
    expect_eq(watched().blocks, 0);
}

Test(grow, an_iterator_that_began_in_a_growth_holds_the_old_array_too) {
    uint64_t n;
    ints *m = growing(5, &n);
    ints_iter it = ints_begin(m);
    while (ints_evacuate(m, 1) > 0)
        ;
    expect_eq(info_of(ints, m).arrays, 1);
    size_t seen = 0;
    while (ints_next(&it))
        seen++;
    expect_eq(seen, n);
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(grow, an_array_without_iterators_goes_though_others_wait) {
    ints *m = filled(50);
    while (ints_evacuate(m, 100) > 0)
        ;
    ints_iter it = ints_begin(m);
    for (uint64_t k = 50; k < 4000; k++)
        ints_set(m, k, 1);
    while (ints_evacuate(m, 1000) > 0)
        ;
    // Six generations on, the first is still there and no other.
    expect_eq(info_of(ints, m).arrays, 1);
    size_t seen = 0;
    while (ints_next(&it))
        seen += *it.key < 50;
    expect_eq(seen, 50);
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(grow, an_abandoned_iterator_costs_memory_until_clear) {
    ints *m = filled(50);
    ints_iter it = ints_begin(m);
    ints_next(&it);
    for (uint64_t k = 50; k < 1000; k++)
        ints_set(m, k, 1);
    while (ints_evacuate(m, 1000) > 0)
        ;
    cr_assert(info_of(ints, m).arrays >= 1);
    sound(ints, m, 1000);
    ints_clear(m);
    expect_eq(info_of(ints, m).arrays, 0);
    for (uint64_t k = 0; k < 3000; k++)
        ints_set(m, k, 1);
    while (ints_evacuate(m, 1000) > 0)
        ;
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(grow, free_takes_what_an_abandoned_iterator_held) {
    watch_begin();
    ints *m = filled(50);
    ints_iter it = ints_begin(m);
    ints_next(&it);
    for (uint64_t k = 50; k < 1000; k++)
        ints_set(m, k, 1);
    ints_free(m);
    watch_end();
    expect_eq(watched().blocks, 0);
}

Test(grow, clear_frees_what_an_abandoned_iterator_held_of_a_shrunk_map_too) {
    ints *m = filled(1);
    ints_iter it = ints_begin(m);
    ints_delete(m, 0);
    cr_assert(ints_shrink(m));
    (void)it; // is left
    ints_clear(m);
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(grow, a_large_old_array_goes_bit_by_bit_as_writes_go_on) {
    watch_begin();
    fats *m = fats_make(0);
    static const struct fat value;
    uint64_t n = 0;
    while (n < 60000)
        fats_set(m, n++, value);
    for (int i = 0; i < 20000; i++)
        fats_set(m, n - 1, value);
    struct mound_map_info info = info_of(fats, m);
    expect_eq(info.oldbuckets, 0);
    expect_eq(info.arrays, 0);
    expect_eq(info.bytes, watched().bytes);
    sound(fats, m, n);
    fats_free(m);
    watch_end();
    expect_eq(watched().blocks, 0);
}

Test(grow, evacuate_frees_a_large_old_array_at_once) {
    fats *m = fats_make(0);
    static const struct fat value;
    for (uint64_t n = 0; n < 60000; n++)
        fats_set(m, n, value);
    while (fats_evacuate(m, 1) > 0)
        ;
    fats_evacuate(m, 0);
    expect_eq(info_of(fats, m).arrays, 0);
    sound(fats, m, 60000);
    fats_free(m);
}
