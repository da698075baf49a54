// iterate.c: what iteration promises, while nothing happens and while everything
// does. model.c looks for what nobody thought of; this has Go's own cases.
#include "maps.h"
#include "watched_malloc.h"

#include <math.h>

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_F64(floats, int)
MOUND_MAP_STR(names, int)
MOUND_MAP_STR_BORROWED(borrowed, int)
MOUND_SET_U64(numbers)

static ints *filled(uint64_t n) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < n; k++)
        ints_set(m, k, k);
    return m;
}

// settle finishes a growth.
static void settle(ints *m) {
    while (ints_evacuate(m, 1000) > 0)
        ;
}

Test(iterate, every_entry_comes_once_at_every_size) {
    ints *m = ints_make(0);
    for (uint64_t n = 0; n < 500; n++) {
        static uint8_t seen[500];
        memset(seen, 0, sizeof seen);
        mound_map_foreach(ints, it, m) {
            cr_assert(*it.key < n && *it.elem == *it.key);
            seen[*it.key]++;
        }
        for (uint64_t k = 0; k < n; k++)
            cr_assert(seen[k] == 1, "key %lu of %lu came %d times", k, n,
                      seen[k]);
        ints_set(m, n, n);
    }
    ints_free(m);
}

Test(iterate, an_empty_map_and_no_map_have_no_entries) {
    ints *m = ints_make(0);
    mound_map_foreach(ints, it, m) cr_assert(false, "an entry");
    ints_set(m, 1, 1);
    ints_delete(m, 1);
    mound_map_foreach(ints, it, m) cr_assert(false, "an entry");
    mound_map_foreach(ints, it, NULL) cr_assert(false, "an entry");
    ints_free(m);
}

Test(iterate, an_iterator_that_began_in_an_empty_map_stays_at_its_end) {
    ints *m = ints_make(0);
    ints_iter it = ints_begin(m);
    for (uint64_t k = 0; k < 100; k++)
        ints_set(m, k, k);
    cr_assert(!ints_next(&it));
    cr_assert(it.key == NULL && it.elem == NULL);
    ints_end(&it);
    ints_free(m);
}

static uint64_t first_key(ints *m) {
    mound_map_foreach(ints, it, m) return *it.key;
    return UINT64_MAX;
}

Test(iterate, the_order_is_not_always_the_same) {
    static const uint64_t sizes[] = {3, 7, 9, 15};
    for (int i = 0; i < 4; i++) {
        ints *m = filled(sizes[i]);
        uint64_t first = first_key(m);
        int tries = 0;
        while (first_key(m) == first && tries < 200)
            tries++;
        cr_assert(tries < 200, "%lu entries: %lu came first 200 times",
                  sizes[i], first);
        ints_free(m);
    }
}

Test(iterate, the_order_of_a_sparse_map_is_not_always_the_same) {
    ints *m = filled(1000);
    for (uint64_t k = 20; k < 1000; k++)
        ints_delete(m, k);
    uint64_t first = first_key(m);
    int tries = 0;
    while (first_key(m) == first && tries < 200)
        tries++;
    cr_assert(tries < 200);
    ints_free(m);
}

Test(iterate, an_element_may_be_written_through_the_iterator) {
    ints *m = filled(300);
    mound_map_foreach(ints, it, m) *it.elem += 1000;
    for (uint64_t k = 0; k < 300; k++)
        expect_eq(*ints_get(m, k), k + 1000);
    ints_free(m);
}

#ifndef MAP_SWISS
Test(iterate, an_element_may_be_written_in_the_middle_of_a_growth) {
    ints *m = ints_make(0);
    uint64_t n = 0;
    while (info_of(ints, m).oldbuckets != 64)
        ints_set(m, n++, 1);
    mound_map_foreach(ints, it, m) *it.elem = 2;
    settle(m);
    for (uint64_t k = 0; k < n; k++)
        expect_eq(*ints_get(m, k), 2);
    ints_free(m);
}
#endif

// Ways out of the loop.

static uint64_t found(ints *m, uint64_t elem) {
    mound_map_foreach(ints, it, m) {
        if (*it.elem == elem)
            return *it.key;
    }
    return UINT64_MAX;
}

Test(iterate, break_return_and_goto_end_the_iterator) {
    ints *m = filled(1000);
    settle(m);
    int n = 0;
    mound_map_foreach(ints, it, m) {
        if (++n == 5)
            break;
    }
    expect_eq(n, 5);
    expect_eq(found(m, 77), 77);
    mound_map_foreach(ints, it, m) goto out;
out:
    // Were one of them still there, the array would wait for it.
    for (uint64_t k = 1000; k < 3000; k++)
        ints_set(m, k, k);
    settle(m);
    expect_eq(info_of(ints, m).arrays, 0);
    ints_free(m);
}

Test(iterate, break_leaves_the_loop_wherever_it_comes) {
    ints *m = filled(200);
    for (int stop = 1; stop <= 200; stop++) {
        int n = 0;
        mound_map_foreach(ints, it, m) {
            n++;
            if (n == stop)
                break;
        }
        expect_eq(n, stop);
    }
    ints_free(m);
}

Test(iterate, continue_goes_on_with_the_next_entry) {
    ints *m = filled(200);
    uint64_t sum = 0;
    mound_map_foreach(ints, it, m) {
        if (*it.key % 2)
            continue;
        sum += *it.key;
    }
    expect_eq(sum, 9900);
    ints_free(m);
}

Test(iterate, loops_over_one_map_may_be_nested) {
    ints *m = filled(30);
    size_t pairs = 0;
    mound_map_foreach(ints, a, m) {
        mound_map_foreach(ints, b, m) {
            pairs += *a.key != *b.key;
            if (pairs % 7 == 0)
                continue;
        }
    }
    expect_eq(pairs, 30 * 29);
    // The inner one may end early, and the outer goes on.
    size_t outer = 0, inner = 0;
    mound_map_foreach(ints, a, m) {
        outer++;
        mound_map_foreach(ints, b, m) {
            if (++inner % 3 == 0)
                break;
        }
    }
    expect_eq(outer, 30);
    expect_eq(inner, 90);
    ints_free(m);
}

Test(iterate, end_is_allowed_early_and_after_the_last_entry) {
    ints *m = filled(10);
    ints_iter it = ints_begin(m);
    ints_end(&it);
    it = ints_begin(m);
    ints_next(&it);
    ints_end(&it);
    it = ints_begin(m);
    while (ints_next(&it))
        ;
    cr_assert(it.key == NULL && it.elem == NULL);
    cr_assert(!ints_next(&it));
    ints_end(&it);
    ints_free(m);
}

Test(iterate, after_end_there_is_no_next) {
    ints *m = filled(10);
    ints_iter it = ints_begin(m);
    ints_next(&it);
    ints_end(&it);
    cr_assert(!ints_next(&it));
    ints_free(m);
}

Test(iterate, an_iterator_may_be_moved) {
    ints *m = filled(100);
    ints_iter it = ints_begin(m);
    size_t n = 0;
    for (;;) {
        ints_iter moved = it;
        memset(&it, 0x77, sizeof it);
        if (!ints_next(&moved))
            break;
        it = moved;
        n++;
    }
    expect_eq(n, 100);
    ints_free(m);
}

// Deleting.

Test(iterate, every_entry_may_be_deleted_as_it_comes) {
    for (uint64_t n = 1; n < 400; n += 7) {
        ints *m = filled(n);
        uint64_t seen = 0;
        mound_map_foreach(ints, it, m) {
            cr_assert(ints_delete(m, *it.key));
            seen++;
        }
        expect_eq(seen, n);
        sound(ints, m, 0);
        ints_free(m);
    }
}

Test(iterate, an_owned_key_may_be_deleted_by_the_key_delivered) {
    names *m = names_make(0);
    char key[16];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%d", i);
        names_set(m, key, i);
    }
    int seen = 0;
    mound_map_foreach(names, it, m) {
        if (seen++ % 2)
            cr_assert(names_delete(m, *it.key));
    }
    expect_eq(seen, 200);
    sound(names, m, 100);
    names_free(m);
}

Test(iterate, an_entry_that_was_deleted_before_its_turn_does_not_come) {
    for (int round = 0; round < 20; round++) {
        ints *m = filled(200);
        uint8_t gone[200] = {0};
        mound_map_foreach(ints, it, m) {
            uint64_t key = *it.key;
            cr_assert(!gone[key]);
            for (uint64_t i = 1; i < 4; i++) {
                uint64_t k = (key * 7 + i) % 200;
                gone[k] |= k != key && ints_delete(m, k);
            }
        }
        ints_free(m);
    }
}

Test(iterate, odd_keys_deleted_after_growth_do_not_come) {
    for (int round = 0; round < 20; round++) {
        ints *m = ints_make(4);
        for (uint64_t k = 0; k < 100; k++)
            ints_set(m, k, k);
        bool first = true;
        uint64_t even = 0;
        mound_map_foreach(ints, it, m) {
            if (first) {
                even += *it.key % 2 == 0 && *it.key < 100;
                for (uint64_t k = 100; k < 1000; k++)
                    ints_set(m, k, k);
                for (uint64_t k = 1; k < 1000; k += 2)
                    ints_delete(m, k);
                first = false;
                continue;
            }
            cr_assert(*it.key % 2 == 0, "%lu came", *it.key);
            even += *it.key < 100;
        }
        // The even ones were there all the time.
        expect_eq(even, 50);
        ints_free(m);
    }
}

Test(iterate, a_map_emptied_in_the_loop_has_no_more_entries) {
    ints *m = filled(100);
    int n = 0;
    mound_map_foreach(ints, it, m) {
        cr_assert(++n == 1);
        for (uint64_t k = 0; k < 100; k++)
            ints_delete(m, k);
    }
    ints_free(m);
}

Test(iterate, after_clear_in_the_loop_no_old_entry_comes) {
    for (int grows = 0; grows < 2; grows++) {
        ints *m = filled(100);
        int n = 0;
        mound_map_foreach(ints, it, m) {
            if (n++ > 0) {
                cr_assert(*it.key >= 1000, "%lu came", *it.key);
                continue;
            }
            for (uint64_t k = 100; grows && k < 150; k++)
                ints_set(m, k, k);
            ints_clear(m);
            for (uint64_t k = 1000; k < 1050; k++)
                ints_set(m, k, k);
        }
        sound(ints, m, 50);
        ints_free(m);
    }
}

// The iterator stands in a bucket that the cleared array no longer has.
Test(iterate, after_clear_an_iterator_in_an_overflow_bucket_is_at_its_end) {
    // An overflow bucket of a block of its own, and one of the array's spare ones.
    static const struct {
        unsigned B;
        size_t hint;
    } kinds[] = {{1, 13}, {4, 104}};
    for (int i = 0; i < 2; i++) {
        struct plain p = {0};
        struct mound_map_type t = plain_type(&p);
        struct mound_map *m = mound_map_make(&t, kinds[i].hint);
        for (uint64_t n = 0; n < 12; n++)
            plain_put(&t, m, key_in(kinds[i].B, 0, n), n);
        struct mound_map_iter it;
        mound_map_begin(&t, m, &it);
        for (int n = 0; n < 9; n++)
            cr_assert(mound_map_next(&it));
        mound_map_clear(&t, m);
        cr_assert(!mound_map_next(&it), "entry %lu came after clear",
                  *(const uint64_t *)it.key);
        mound_map_free(&t, m);
    }
}

Test(iterate,
     after_clear_and_shrink_an_iterator_over_an_old_array_is_at_its_end) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *m = mound_map_make(&t, 0);
    for (uint64_t n = 0; n < 6; n++)
        plain_put(&t, m, n, n);
    struct mound_map_iter it;
    mound_map_begin(&t, m, &it);
    for (uint64_t n = 6; n < 12; n++)
        plain_put(&t, m, n, n);
    cr_assert(mound_map_next(&it));
    mound_map_clear(&t, m);
    cr_assert(mound_map_shrink(&t, m));
    // No array any more: not to be taken for the iterator's.
    cr_assert(!mound_map_next(&it), "entry %lu came after clear",
              *(const uint64_t *)it.key);
    mound_map_free(&t, m);
}

Test(iterate, a_map_shrunk_in_the_loop_delivers_the_rest) {
    ints *m = filled(1000);
    uint8_t seen[1000] = {0};
    int n = 0;
    mound_map_foreach(ints, it, m) {
        cr_assert(++seen[*it.key] == 1);
        if (n++ == 10) {
            for (uint64_t k = 50; k < 1000; k++)
                ints_delete(m, k);
            cr_assert(ints_shrink(m));
            *ints_get(m, 3) = 33;
        } else if (n > 11) {
            cr_assert(*it.key < 50);
            cr_assert(*it.elem == (*it.key == 3 ? 33 : *it.key));
        }
    }
    for (int k = 0; k < 50; k++)
        expect_eq(seen[k], 1);
    sound(ints, m, 50);
    ints_free(m);
}

// Growing.

Test(iterate, all_16_keys_come_once_when_900_others_are_put_meanwhile) {
    for (int round = 0; round < 50; round++) {
        ints *m = ints_make(4);
        for (uint64_t k = 0; k < 16; k++)
            ints_set(m, k, k);
        uint32_t seen = 0;
        bool first = true;
        mound_map_foreach(ints, it, m) {
            if (*it.key < 16) {
                cr_assert(!(seen >> *it.key & 1));
                seen |= 1u << *it.key;
            }
            for (uint64_t k = 100; first && k < 1000; k++)
                ints_set(m, k, k);
            first = false;
        }
        expect_eq(seen, 0xffff);
        ints_free(m);
    }
}

Test(iterate, entries_come_once_while_each_step_grows_the_map_a_little) {
    for (uint64_t from = 10; from < 500; from += 23) {
        ints *m = filled(from);
        static uint8_t seen[20000];
        memset(seen, 0, sizeof seen);
        uint64_t next = from;
        mound_map_foreach(ints, it, m) {
            cr_assert(++seen[*it.key] == 1, "%lu came again", *it.key);
            expect_eq(*it.elem, *it.key);
            for (int i = 0; i < 3 && next < sizeof seen; i++, next++)
                ints_set(m, next, next);
        }
        for (uint64_t k = 0; k < from; k++)
            cr_assert(seen[k] == 1, "%lu of %lu did not come", k, from);
        ints_free(m);
    }
}

Test(iterate, an_iterator_begun_at_any_point_of_a_growth_delivers_everything) {
    ints *m = ints_make(0);
    uint64_t n = 0;
    while (n < 1000) {
        ints_set(m, n++, 0);
        static uint8_t seen[1100];
        memset(seen, 0, sizeof seen);
        // The growth goes on under it.
        uint64_t put = 0;
        mound_map_foreach(ints, it, m) {
            cr_assert(++seen[*it.key] == 1, "%lu of %lu came again", *it.key,
                      n);
            if (put < 3)
                ints_set(m, *it.key, ++put);
        }
        for (uint64_t k = 0; k < n; k++)
            cr_assert(seen[k] == 1, "%lu of %lu did not come", k, n);
    }
    ints_free(m);
}

Test(iterate, an_entry_changed_after_growth_comes_with_its_new_element) {
    ints *m = filled(50);
    bool first = true;
    uint64_t n = 0;
    mound_map_foreach(ints, it, m) {
        if (!first && *it.key < 50)
            expect_eq(*it.elem, *it.key + 7000);
        n += *it.key < 50;
        if (first) {
            for (uint64_t k = 50; k < 500; k++)
                ints_set(m, k, k);
            for (uint64_t k = 0; k < 50; k++)
                ints_set(m, k, k + 7000);
            first = false;
        }
    }
    expect_eq(n, 50);
    ints_free(m);
}

Test(iterate, a_key_deleted_and_put_again_after_growth_comes_as_it_is_now) {
    ints *m = filled(50);
    bool first = true;
    mound_map_foreach(ints, it, m) {
        if (!first && *it.key < 50)
            expect_eq(*it.elem, *it.key + 9);
        if (first) {
            for (uint64_t k = 50; k < 500; k++)
                ints_set(m, k, k);
            for (uint64_t k = 0; k < 50; k++) {
                ints_delete(m, k);
                ints_set(m, k, k + 9);
            }
            first = false;
        }
    }
    ints_free(m);
}

Test(iterate, iterators_of_several_generations_each_deliver_their_entries) {
    enum { NITERS = 12 };
    ints *m = ints_make(0);
    ints_iter its[NITERS];
    uint64_t had[NITERS], seen[NITERS];
    uint64_t n = 0;
    for (int i = 0; i < NITERS; i++) {
        for (uint64_t k = 0; k < (uint64_t)5 << i / 2; k++)
            ints_set(m, n++, 1);
        its[i] = ints_begin(m);
        had[i] = n;
        seen[i] = 0;
        for (int j = 0; j <= i; j++)
            seen[j] += ints_next(&its[j]) && *its[j].key < had[j];
    }
    for (int i = 0; i < NITERS; i++) {
        size_t arrays = info_of(ints, m).arrays;
        while (ints_next(&its[i]))
            seen[i] += *its[i].key < had[i];
        expect_eq(seen[i], had[i]);
        cr_assert(info_of(ints, m).arrays <= arrays);
    }
    settle(m);
    expect_eq(info_of(ints, m).arrays, 0);
    sound(ints, m, n);
    ints_free(m);
}

#ifndef MAP_SWISS
Test(iterate, a_growth_in_place_under_an_iterator_loses_nothing) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    for (int round = 0; round < 30; round++) {
        struct mound_map *m = mound_map_make(&t, 52);
        for (uint64_t b = 0; b < 8; b++)
            plain_put(&t, m, key_in(3, b, 0), b);
        struct mound_map_iter it;
        mound_map_begin(&t, m, &it);
        uint8_t seen[8] = {0};
        for (int i = 0; i < round % 8; i++) {
            cr_assert(mound_map_next(&it));
            seen[*(const uint64_t *)it.key & 7]++;
        }
        // An overflow bucket in each chain, and the growth that follows.
        for (uint64_t b = 0; b < 8; b++) {
            for (uint64_t n = 1; n < 9; n++)
                plain_put(&t, m, key_in(3, b, n), n);
            for (uint64_t n = 1; n < 9; n++)
                plain_delete(&t, m, key_in(3, b, n));
        }
        plain_put(&t, m, key_in(3, 5, 20), 20);
        cr_assert(info_from(&t, m).flags & 8);
        if (round % 2)
            mound_map_evacuate(&t, m, 8);
        while (mound_map_next(&it)) {
            uint64_t k = *(const uint64_t *)it.key;
            if (k != key_in(3, 5, 20))
                seen[k & 7]++;
        }
        for (int b = 0; b < 8; b++)
            expect_eq(seen[b], 1);
        mound_map_evacuate(&t, m, 8);
        expect_eq(info_from(&t, m).arrays, 0);
        mound_map_free(&t, m);
    }
}
#endif

// Stale copies: of entries that moved on, in an array that an iterator still walks.

#ifndef MAP_SWISS
// Of 27 keys that make the fourth growth, some of old bucket 0 and 1.
static struct mound_map *four_old_buckets(const struct mound_map_type *t) {
    struct mound_map *m = mound_map_make(t, 26);
    for (uint64_t n = 0; n < 6; n++)
        for (uint64_t b = 0; b < 4; b++)
            plain_put(t, m, key_in(3, b, n), n);
    plain_put(t, m, key_in(3, 0, 6), 6);
    plain_put(t, m, key_in(3, 0, 7), 7);
    expect_eq(info_from(t, m).oldbuckets, 0);
    // The growth begins, and old buckets 0 and 1 are moved.
    plain_put(t, m, key_in(3, 0, 8), 8);
    expect_eq(info_from(t, m).oldbuckets, 4);
    expect_eq(info_from(t, m).nevacuate, 2);
    return m;
}

static uint64_t dead; // a key that was deleted: to be seen by nobody
static bool dead_seen;

static bool no_dead_equal(const void *a, const void *b, void *user) {
    (void)user;
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    dead_seen |= dead != 0 && (x == dead || y == dead);
    return x == y;
}

static void no_dead_drop(void *key, void *user) {
    (void)user;
    dead = *(uint64_t *)key;
}

// If keys owned memory, it would be gone.
Test(iterate, a_deleted_keys_stale_copy_is_looked_at_by_nobody) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    t.equal = no_dead_equal;
    t.key_drop = no_dead_drop;
    for (int updates = 0; updates < 2; updates++) {
        struct mound_map *m = four_old_buckets(&t);
        // No iterator: nobody needs to mark the copy.
        dead = 0;
        cr_assert(plain_delete(&t, m, key_in(3, 0, 1)));
        // An iterator over what is still to move.
        struct mound_map_iter it;
        mound_map_begin(&t, m, &it);
        expect_eq(dead, key_in(3, 0, 1));
        dead_seen = false;
        t.flags = updates ? MOUND_MAP_KEY_UPDATE : 0;
        t.key_drop = NULL;
        for (uint64_t n = 2; n < 6; n++) {
            if (updates)
                plain_put(&t, m, key_in(3, 0, n), n);
            else
                plain_delete(&t, m, key_in(3, 0, n));
        }
        cr_assert(!dead_seen);
        dead = 0;
        mound_map_end(&it);
        t.flags = 0;
        t.key_drop = no_dead_drop;
        mound_map_free(&t, m);
    }
}
#endif

// Memory that is never used again, so that a look at it is found.
static char arena[1 << 22];
static size_t arena_used;
static bool gone_seen;

enum { GONE = 0xdd };

static void *arena_allocate(size_t size, size_t align, void *user) {
    (void)user;
    arena_used = (arena_used + align - 1) & -align;
    if (size > sizeof arena - arena_used)
        return NULL;
    char *p = arena + arena_used;
    arena_used += size;
    return p;
}

static void arena_release(void *p, size_t size, void *user) {
    (void)user;
    memset(p, GONE, size);
}

struct long_key {
    uint64_t word[20];
};

static uint64_t long_hash(const void *key, uint64_t seed, void *user) {
    const struct long_key *k = (const struct long_key *)key;
    (void)user;
    gone_seen |= (uint8_t)k->word[1] == GONE;
    return mound_hash_u64(k->word[0], seed);
}

static bool long_equal(const void *a, const void *b, void *user) {
    (void)user;
    return memcmp(a, b, sizeof(struct long_key)) == 0;
}

// Its bytes are all there is to it, but they have memory of their own.
Test(iterate,
     a_deleted_plain_key_that_was_stored_apart_is_looked_at_by_nobody) {
    static const struct mound_map_memory memory = {arena_allocate,
                                                   arena_release, NULL};
    struct mound_map_type t = {.key_size = sizeof(struct long_key),
                               .key_align = 8,
                               .elem_size = 8,
                               .elem_align = 8,
                               .hash = long_hash,
                               .equal = long_equal,
                               .memory = &memory};
    for (int round = 0; round < 20; round++) {
        t.flags = round % 2 == 0 ? MOUND_MAP_KEY_PLAIN : 0;
        arena_used = 0;
        gone_seen = false;
        struct mound_map *m = mound_map_make(&t, 0);
        struct mound_map_iter it;
        struct long_key k = {{0}};
        for (; k.word[0] < 50; k.word[0]++)
            cr_assert(mound_map_put(&t, m, &k, NULL));
        mound_map_begin(&t, m, &it);
        cr_assert(mound_map_next(&it));
        for (; k.word[0] < 400; k.word[0]++)
            cr_assert(mound_map_put(&t, m, &k, NULL));
        for (k.word[0] = 0; k.word[0] < 400; k.word[0] += 2)
            cr_assert(mound_map_delete(&t, m, &k));
        while (mound_map_next(&it))
            cr_assert(((const struct long_key *)it.key)->word[0] % 2 == 1);
        cr_assert(!gone_seen);
        mound_map_free(&t, m);
    }
}

Test(iterate,
     a_borrowed_string_that_was_replaced_after_growth_is_not_looked_at) {
    enum { N = 60 };
    borrowed *m = borrowed_make(0);
    char *old[N], *new[N];
    char key[16];
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%d", i);
        old[i] = strdup(key);
        new[i] = strdup(key);
        borrowed_set(m, old[i], i);
    }
    bool first = true;
    int seen = 0;
    mound_map_foreach(borrowed, it, m) {
        seen += *it.elem < N;
        if (!first && *it.elem < N)
            cr_assert(*it.key == new[*it.elem]);
        if (!first)
            continue;
        first = false;
        static char more[400][8];
        for (int i = 0; i < 400; i++) {
            snprintf(more[i], sizeof more[i], "m%d", i);
            borrowed_set(m, more[i], 1000);
        }
        for (int i = 0; i < N; i++) {
            borrowed_set(m, new[i], i);
            memset(old[i], 'x', strlen(old[i]));
            free(old[i]);
        }
    }
    expect_eq(seen, N);
    sound(borrowed, m, N + 400);
    borrowed_free(m);
    for (int i = 0; i < N; i++)
        free(new[i]);
}

// Floats.

Test(iterate, nans_survive_a_growth_during_the_loop) {
    for (int round = 0; round < 50; round++) {
        floats *m = floats_make(4);
        floats_set(m, NAN, 1);
        floats_set(m, NAN, 2);
        *floats_put(m, NAN, NULL) += 4;
        int n = 0, sum = 0;
        bool first = true;
        mound_map_foreach(floats, it, m) {
            for (int i = 0; first && i < 50; i++)
                floats_set(m, i, i);
            for (int i = 50; first && i < 100; i++)
                *floats_put(m, i, NULL) += i;
            first = false;
            if (isnan(*it.key)) {
                n++;
                sum += *it.elem;
            }
        }
        expect_eq(n, 3);
        expect_eq(sum, 7);
        floats_free(m);
    }
}

#ifndef MAP_SWISS
Test(iterate, nans_come_once_when_the_loop_begins_in_a_growth) {
    enum { N = 500 };
    for (int round = 0; round < 40; round++) {
        floats *m = floats_make(0);
        for (int i = 0; i < N; i++)
            floats_set(m, NAN, i);
        int next = N;
        while (info_of(floats, m).oldbuckets == 0)
            floats_set(m, NAN, next++);
        uint8_t seen[2 * N] = {0};
        int steps = 0, had = next;
        mound_map_foreach(floats, it, m) {
            if (*it.elem < had)
                cr_assert(++seen[*it.elem] == 1);
            if (++steps % 8 == round % 8)
                floats_evacuate(m, 1);
        }
        for (int i = 0; i < had; i++)
            cr_assert(seen[i] == 1, "NaN %d of %d did not come", i, had);
        floats_free(m);
    }
}
#endif

// Four keys whose double is +0 are replaced by ones with -0 during the loop.
struct zero_key {
    double x;
    int64_t y;
};

static uint64_t zero_hash(const void *key, uint64_t seed, void *user) {
    const struct zero_key *k = (const struct zero_key *)key;
    (void)user;
    return mound_hash_u64((uint64_t)k->y, mound_hash_f64(k->x, seed));
}

static bool zero_equal(const void *a, const void *b, void *user) {
    const struct zero_key *x = (const struct zero_key *)a;
    const struct zero_key *y = (const struct zero_key *)b;
    (void)user;
    return x->x == y->x && x->y == y->y;
}

Test(iterate,
     zeros_replaced_after_growth_come_with_their_new_sign_and_element) {
    static const struct mound_map_type t = {
        .key_size = sizeof(struct zero_key),
        .key_align = _Alignof(struct zero_key),
        .elem_size = sizeof(int64_t),
        .elem_align = _Alignof(int64_t),
        .hash = zero_hash,
        .equal = zero_equal,
        .flags = MOUND_MAP_KEY_UPDATE,
    };
    for (int round = 0; round < 50; round++) {
        struct mound_map *m = mound_map_make(&t, 4);
        for (int64_t i = 0; i < 4; i++) {
            struct zero_key k = {0.0, i};
            *(int64_t *)mound_map_put(&t, m, &k, NULL) = 1 << i;
        }
        int n = 0, negative = 0;
        int64_t sum = 0;
        struct mound_map_iter it;
        mound_map_begin(&t, m, &it);
        while (mound_map_next(&it)) {
            const struct zero_key *k = (const struct zero_key *)it.key;
            int64_t v = *(int64_t *)it.elem;
            if (k->x != 0)
                continue;
            cr_assert((v & 16) == (signbit(k->x) ? 16 : 0),
                      "key and element were not replaced together");
            sum += v & 15;
            negative += signbit(k->x) != 0;
            if (n++ > 0)
                continue;
            for (int64_t i = 0; i < 100; i++) {
                struct zero_key three = {3.0, i};
                *(int64_t *)mound_map_put(&t, m, &three, NULL) = 0;
            }
            for (int64_t i = 0; i < 4; i++) {
                struct zero_key minus = {-0.0, i};
                *(int64_t *)mound_map_put(&t, m, &minus, NULL) = 16 | 1 << i;
            }
        }
        expect_eq(n, 4);
        expect_eq(sum, 15);
        expect_eq(negative, 3);
        mound_map_free(&t, m);
    }
}

Test(iterate, a_set_can_be_walked_while_it_grows) {
    numbers *s = numbers_make(0);
    for (uint64_t k = 0; k < 40; k++)
        numbers_add(s, k, NULL);
    uint64_t seen = 0;
    mound_map_foreach(numbers, it, s) {
        uint64_t key = *it.key;
        if (key >= 40)
            continue;
        cr_assert(!(seen >> key & 1));
        seen |= (uint64_t)1 << key;
        for (uint64_t k = 0; k < 20; k++)
            numbers_add(s, 1000 * (key + 1) + k, NULL);
    }
    expect_eq(seen, ((uint64_t)1 << 40) - 1);
    numbers_free(s);
}
