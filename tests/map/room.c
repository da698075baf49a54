// room.c: what memory a map holds and when: of the caller, for entries to come, for
// iterators; and what gives it back.
#include "maps.h"
#include "watched_malloc.h"

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(names, int)

static ints *filled(uint64_t n) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < n; k++)
        cr_assert(ints_set(m, k, k));
    return m;
}

// Memory of the caller.

Test(room, eight_entries_in_a_lent_memory_take_no_malloc) {
    ints m;
    struct ints_first first;
    watch_begin();
    cr_assert(ints_init(&m, &first));
    for (uint64_t k = 0; k < 8; k++)
        cr_assert(ints_set(&m, k, k + 1));
    for (uint64_t k = 0; k < 8; k++)
        expect_eq(*ints_get(&m, k), k + 1);
    uint64_t sum = 0;
    mound_map_foreach(ints, it, &m) sum += *it.elem;
    expect_eq(sum, 36);
    for (uint64_t k = 0; k < 8; k += 2)
        ints_delete(&m, k);
    ints_clear(&m);
    ints_set(&m, 9, 9);
    sound(ints, &m, 1);
    ints_deinit(&m);
    watch_end();
    expect_eq(watched().calls, 0);
}

Test(room, a_map_outgrows_its_lent_memory) {
    ints m;
    struct ints_first first;
    memset(&first, 0x77, sizeof first);
    cr_assert(ints_init(&m, &first));
    for (uint64_t k = 0; k < 200; k++)
        ints_set(&m, k, k);
    sound(ints, &m, 200);
    memset(&first, 0x77, sizeof first); // no longer looked at
    while (ints_evacuate(&m, 1) > 0)
        ;
    for (uint64_t k = 0; k < 200; k++)
        expect_eq(*ints_get(&m, k), k);
    ints_deinit(&m);
}

Test(room, an_iterator_walks_the_lent_memory_that_was_outgrown) {
    ints m;
    struct ints_first first;
    ints_init(&m, &first);
    for (uint64_t k = 0; k < 8; k++)
        ints_set(&m, k, k);
    uint64_t sum = 0, n = 0;
    mound_map_foreach(ints, it, &m) {
        if (n++ == 0)
            for (uint64_t k = 8; k < 300; k++)
                ints_set(&m, k, k);
        sum += *it.key < 8 ? 1u << *it.key : 0;
    }
    expect_eq(sum, 255);
    ints_deinit(&m);
}

Test(room, a_map_on_the_stack_may_do_without_a_lent_memory) {
    ints m;
    watch_begin();
    cr_assert(ints_init(&m, NULL));
    expect_eq(watched().calls, 0);
    for (uint64_t k = 0; k < 100; k++)
        ints_set(&m, k, k);
    sound(ints, &m, 100);
    ints_deinit(&m);
    watch_end();
    expect_eq(watched().blocks, 0);
}

Test(room, the_memory_for_a_first_entries_need_not_be_larger_than_told) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    size_t size = mound_map_first_size(&t);
    cr_assert(size >= 8 + 8 * 16 && size <= sizeof(struct ints_first),
              "%zu bytes", size);
    char *first = (char *)aligned_alloc(64, size + 64 - size % 64);
    memset(first, 0x11, size + 64 - size % 64);
    struct mound_map m;
    cr_assert(mound_map_init(&t, &m, first));
    for (uint64_t k = 0; k < 8; k++)
        cr_assert(plain_put(&t, &m, k << 40, k));
    for (size_t i = size; i < size + 64 - size % 64; i++)
        expect_eq(first[i], 0x11);
    plain_sound(&t, &m, 8);
    mound_map_deinit(&t, &m);
    free(first);
}

// Room for entries to come.

Test(room, of_a_map_without_entries_is_its_header) {
    for (size_t hint = 0; hint <= 8; hint++) {
        watch_begin();
        ints *m = ints_make(hint);
        expect_eq(watched().blocks, 1);
        expect_eq(info_of(ints, m).bytes, sizeof(struct mound_map));
        ints_free(m);
        watch_end();
    }
}

// Up to what one table of a Swiss map takes. Beyond, a hint is about right.
Test(room, that_was_reserved_is_enough) {
    for (size_t n = 1; n < 1600; n += 1 + n / 2)
        for (int how = 0; how < 3; how++) {
            ints variable, *m = &variable;
            if (how == 0)
                m = ints_make(n > 8 ? n : 9);
            else if (how == 1)
                cr_assert(ints_init_hint(m, n > 8 ? n : 9));
            else
                cr_assert(ints_init(m, NULL) && ints_set(m, 0, 0) &&
                          ints_reserve(m, n));
            size_t slots = slots_of(ints, m);
            watch_begin();
            for (uint64_t k = 0; k < n; k++)
                cr_assert(ints_set(m, k, k));
            for (uint64_t k = 0; k < n; k++)
                expect_eq(*ints_get(m, k), k);
            uint64_t sum = 0;
            mound_map_foreach(ints, it, m) sum += *it.elem;
            expect_eq(sum, n * (n - 1) / 2);
            expect_eq(slots_of(ints, m), slots);
#ifdef MAP_SWISS // a classic map's chains may need overflow buckets
            expect_eq(watched().calls, 0);
#endif
            watch_end();
            sound(ints, m, n);
            if (how == 0)
                ints_free(m);
            else
                ints_deinit(m);
        }
}

Test(room, is_never_less_after_reserve) {
    ints *m = filled(5000);
    while (ints_evacuate(m, 1000) > 0)
        ;
    size_t bytes = info_of(ints, m).bytes;
    for (size_t n = 0; n <= 5000; n += 500) {
        cr_assert(ints_reserve(m, n));
        cr_assert(info_of(ints, m).bytes >= bytes);
        sound(ints, m, 5000);
    }
    ints_free(m);
}

Test(room, for_many_more_is_there_after_reserve) {
    ints *m = filled(100);
    cr_assert(ints_reserve(m, 100000));
    cr_assert(slots_of(ints, m) >= 100000);
    sound(ints, m, 100);
    ints_free(m);
}

Test(room, stays_when_entries_are_deleted_or_cleared) {
    for (uint64_t n = 1; n < 9000; n = 3 * n + 1) {
        ints *m = filled(n);
        while (ints_evacuate(m, 1000) > 0)
            ;
        size_t bytes = info_of(ints, m).bytes;
        watch_begin();
        for (uint64_t k = 0; k < n; k++)
            cr_assert(ints_delete(m, k));
        expect_eq(watched().calls, 0);
        expect_eq(info_of(ints, m).bytes, bytes);
        watch_end();
        ints_free(m);
        m = filled(n);
        while (ints_evacuate(m, 1000) > 0)
            ;
        bytes = info_of(ints, m).bytes;
        ints_clear(m);
        cr_assert(info_of(ints, m).bytes <= bytes &&
                  slots_of(ints, m) >= n / 2);
        sound(ints, m, 0);
        ints_free(m);
    }
}

Test(room, that_entries_do_not_need_is_given_back_by_shrink) {
    for (uint64_t n = 8; n < 40000; n = 5 * n) {
        ints *m = filled(n), *small;
        for (uint64_t k = n / 10; k < n; k++)
            ints_delete(m, k);
        cr_assert(ints_shrink(m));
        sound(ints, m, n / 10);
        small = filled(n / 10);
        cr_assert(ints_shrink(small));
        // Tables have seven eighths of their slots to fill, buckets 6.5 of 8.
        cr_assert(info_of(ints, m).bytes <= 2 * info_of(ints, small).bytes + 64,
                  "%zu entries: %zu bytes, made anew %zu", (size_t)n / 10,
                  info_of(ints, m).bytes, info_of(ints, small).bytes);
        for (uint64_t k = 0; k < n / 10; k++)
            ints_delete(m, k);
        cr_assert(ints_shrink(m));
        expect_eq(info_of(ints, m).bytes, sizeof(struct mound_map));
        ints_free(small);
        ints_free(m);
    }
}

Test(room, is_told_by_info_as_it_was_taken_from_malloc) {
    watch_begin();
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < 20000; k++) {
        ints_set(m, k, k);
        if (k % 64 == 0)
            expect_eq(info_of(ints, m).bytes, watched().bytes);
    }
    ints_iter it = ints_begin(m);
    ints_next(&it);
    ints_reserve(m, 100000);
    expect_eq(info_of(ints, m).bytes, watched().bytes);
    ints_end(&it);
    ints_clear(m);
    expect_eq(info_of(ints, m).bytes, watched().bytes);
    ints_free(m);
    expect_eq(watched().blocks, 0);
    watch_end();
}

// Room that iterators hold.

Test(room, of_an_iterator_goes_with_its_end_and_evacuate) {
    ints *m = filled(50);
    ints_iter its[3];
    for (int i = 0; i < 3; i++) {
        its[i] = ints_begin(m);
        cr_assert(ints_next(&its[i]));
        for (uint64_t k = 0; k < 60u << i; k++)
            ints_set(m, k, k);
    }
    cr_assert(info_of(ints, m).arrays > 0);
    for (int i = 0; i < 3; i++)
        ints_end(&its[i]);
    while (ints_evacuate(m, 1000) > 0)
        ;
    expect_eq(info_of(ints, m).arrays, 0);
    sound(ints, m, 240);
    ints_free(m);
}

Test(room, of_an_abandoned_iterator_goes_with_clear_or_free) {
    for (int clears = 0; clears < 2; clears++) {
        watch_begin();
        ints *m = filled(50);
        ints_iter it = ints_begin(m);
        ints_next(&it);
        for (uint64_t k = 0; k < 5000; k++)
            ints_set(m, k, k);
        cr_assert(info_of(ints, m).arrays > 0);
        if (clears) {
            ints_clear(m);
            expect_eq(info_of(ints, m).arrays, 0);
            cr_assert(!ints_next(&it));
        }
        ints_free(m);
        expect_eq(watched().blocks, 0);
        watch_end();
    }
}

// Keys that were chosen for a map's seed are of no use once it was empty.
Test(room, that_was_emptied_has_another_seed) {
    for (int how = 0; how < 2; how++) {
        ints *m = filled(100);
        uint32_t seed = ints_untyped(m)->hash0_;
        for (uint64_t k = 0; how == 0 && k < 100; k++)
            ints_delete(m, k);
        if (how == 1)
            ints_clear(m);
        cr_assert(ints_untyped(m)->hash0_ != seed);
        ints_free(m);
    }
}
