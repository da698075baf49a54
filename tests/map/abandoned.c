// abandoned.c: iterators that are left before their end and never ended: what writes
// cost then, and what becomes of the map.
#include "maps.h"
#include "watched_malloc.h"

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(names, uint64_t)

// outgrow has the map replace its array.
static void outgrow(ints *m, uint64_t n) {
    cr_assert(ints_reserve(m, 8 * n));
    cr_assert(ints_shrink(m));
}

// What n deletions and puts hash and compare.
struct counts {
    size_t hashes, equals;
};

static struct counts writes_of(const struct mound_map_type *t,
                               struct mound_map *m, struct plain *p,
                               uint64_t n) {
    p->nhashes = p->nequals = 0;
    for (uint64_t k = 0; k < n; k++) {
        cr_assert(plain_delete(t, m, k));
        cr_assert(plain_put(t, m, k, k + 1));
    }
    return (struct counts){p->nhashes, p->nequals};
}

enum { KEYS = 100 };

static struct counts with_arrays(unsigned flags, int narrays,
                                 size_t *ret_waiting) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    t.flags = flags;
    struct mound_map *m = mound_map_make(&t, 0);
    for (uint64_t k = 0; k < KEYS; k++)
        plain_put(&t, m, k, k);
    for (int i = 0; i < narrays; i++) {
        struct mound_map_iter abandoned;
        mound_map_begin(&t, m, &abandoned);
        cr_assert(mound_map_next(&abandoned));
        cr_assert(mound_map_reserve(&t, m, 8 * KEYS));
        cr_assert(mound_map_shrink(&t, m));
    }
    *ret_waiting = info_from(&t, m).arrays;
    struct counts c = writes_of(&t, m, &p, KEYS);
    plain_sound(&t, m, KEYS);
    mound_map_free(&t, m);
    return c;
}

Test(abandoned, writes_cost_no_more_with_500_or_2000_arrays_than_with_100) {
    for (unsigned flags = 0; flags <= MOUND_MAP_KEY_PLAIN;
         flags += MOUND_MAP_KEY_PLAIN) {
        size_t waiting;
        struct counts some = with_arrays(flags, 100, &waiting);
        struct counts more = with_arrays(flags, 500, &waiting);
        cr_assert(waiting >= 500);
        struct counts most = with_arrays(flags, 2000, &waiting);
        cr_assert(waiting >= 2000);
        cr_assert(more.hashes <= some.hashes && most.hashes <= some.hashes);
        cr_assert(more.equals <= some.equals + KEYS &&
                      most.equals <= some.equals + KEYS,
                  "flags %u: %zu, %zu, %zu comparisons", flags, some.equals,
                  more.equals, most.equals);
    }
}

Test(abandoned, keys_without_memory_of_their_own_are_not_looked_for_at_all) {
    size_t waiting;
    struct counts none = with_arrays(MOUND_MAP_KEY_PLAIN, 0, &waiting);
    expect_eq(waiting, 0);
    struct counts most = with_arrays(MOUND_MAP_KEY_PLAIN, 2000, &waiting);
    cr_assert(most.equals <= none.equals + KEYS);
}

// Three hundred loops over the same map, each begun in another array: all of them go
// on to their end.
Test(abandoned, iterators_over_integers_survive_any_number_of_arrays) {
    enum { ITERS = 300, N = 50 };
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < N; k++)
        ints_set(m, k, k);
    static ints_iter its[ITERS];
    static unsigned seen[ITERS];
    for (int i = 0; i < ITERS; i++) {
        its[i] = ints_begin(m);
        seen[i] += ints_next(&its[i]);
        outgrow(m, N);
    }
    ints_delete(m, 7);
    ints_set(m, 1000, 1);
    for (int i = 0; i < ITERS; i++) {
        while (ints_next(&its[i])) {
            cr_assert(*its[i].key < N && *its[i].key != 7);
            seen[i]++;
        }
        cr_assert(seen[i] == N - 1 || seen[i] == N, "%d: %u", i, seen[i]);
    }
    ints_evacuate(m, 0); // a Swiss map frees them by a write only
    expect_eq(info_of(ints, m).arrays, 0);
    sound(ints, m, N);
    ints_free(m);
}

// Keys with memory of their own: the newest go on, the oldest end early and quietly.
Test(abandoned, iterators_over_strings_go_on_or_end_and_touch_no_freed_key) {
    enum { ITERS = 300, N = 50 };
    size_t blocks = watched().blocks;
    watch_begin();
    names *m = names_make(0);
    char name[64];
    for (int k = 0; k < N; k++) {
        snprintf(name, sizeof name, "a name of more than a few letters %d", k);
        names_set(m, name, 1);
    }
    static names_iter its[ITERS];
    for (int i = 0; i < ITERS; i++) {
        its[i] = names_begin(m);
        cr_assert(names_next(&its[i]));
        names_reserve(m, 8 * N);
        names_shrink(m);
    }
    for (int k = 0; k < N; k++) {
        snprintf(name, sizeof name, "a name of more than a few letters %d", k);
        cr_assert(names_delete(m, name));
        names_set(m, name, 2);
    }
    for (int i = 0; i < ITERS; i++) {
        int n = 0;
        while (names_next(&its[i])) {
            cr_assert(strncmp(*its[i].key, "a name", 6) == 0);
            n++;
        }
        cr_assert(n <= N);
        names_end(&its[i]);
    }
    names_evacuate(m, 0); // a Swiss map frees them by a write only
    expect_eq(info_of(names, m).arrays, 0);
    sound(names, m, N);
    names_free(m);
    watch_end();
    expect_eq(watched().blocks, blocks);
}

Test(abandoned, the_last_fifty_loops_over_strings_all_reach_their_end) {
    enum { ITERS = 50, N = 50 };
    names *m = names_make(0);
    char name[64];
    for (int k = 0; k < N; k++) {
        snprintf(name, sizeof name, "%d", k);
        names_set(m, name, 1);
    }
    for (int i = 0; i < 200; i++) {
        names_iter abandoned = names_begin(m);
        cr_assert(names_next(&abandoned));
        names_reserve(m, 8 * N);
        names_shrink(m);
    }
    static names_iter its[ITERS];
    for (int i = 0; i < ITERS; i++) {
        its[i] = names_begin(m);
        names_reserve(m, 8 * N);
        names_shrink(m);
    }
    for (int i = 0; i < ITERS; i++) {
        int n = 0;
        while (names_next(&its[i]))
            n++;
        expect_eq(n, N);
    }
    names_free(m);
}

Test(abandoned, a_map_freed_with_them_leaves_nothing) {
    size_t blocks = watched().blocks;
    watch_begin();
    names *m = names_make(0);
    char name[32];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "%d", i);
        names_set(m, name, 1);
        names_iter it = names_begin(m);
        cr_assert(names_next(&it));
        if (i % 5 == 0) {
            names_reserve(m, 10000);
            names_shrink(m);
        }
    }
    names_free(m);
    watch_end();
    expect_eq(watched().blocks, blocks);
}

// Ways out of a loop with the map gone.

static names *few(void) {
    names *m = names_make(0);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d", i);
        names_set(m, name, 1);
    }
    return m;
}

Test(abandoned, a_map_may_be_freed_inside_its_loop) {
    size_t blocks = watched().blocks;
    watch_begin();
    names *m = few();
    mound_map_foreach(names, it, m) {
        names_free(m);
        break;
    }
    expect_eq(watched().blocks, blocks);

    m = few();
    mound_map_foreach(names, outer, m) {
        mound_map_foreach(names, inner, m) {
            names_free(m);
            break;
        }
        break;
    }
    expect_eq(watched().blocks, blocks);

    // From a loop that the map has outgrown, with another that was abandoned.
    m = few();
    names_iter abandoned = names_begin(m);
    cr_assert(names_next(&abandoned));
    mound_map_foreach(names, it, m) {
        names_reserve(m, 1000);
        mound_map_foreach(names, it2, m) {
            names_set(m, "more", 1);
            names_clear(m);
            names_set(m, "again", 1);
            mound_map_foreach(names, it3, m) {
                names_free(m);
                break;
            }
            break;
        }
        break;
    }
    watch_end();
    expect_eq(watched().blocks, blocks);
}

Test(abandoned, a_loop_whose_map_was_freed_ends) {
    size_t blocks = watched().blocks;
    watch_begin();
    names *m = few();
    int n = 0;
    mound_map_foreach(names, it, m) {
        if (n++ == 3)
            names_free(m);
    }
    expect_eq(n, 4);
    watch_end();
    expect_eq(watched().blocks, blocks);
}

Test(abandoned, a_map_in_a_variable_may_be_given_up_inside_its_loop) {
    size_t blocks = watched().blocks;
    watch_begin();
    names m;
    struct names_first first;
    names_init(&m, &first);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d", i);
        names_set(&m, name, 1);
    }
    mound_map_foreach(names, it, &m) {
        names_deinit(&m);
        break;
    }
    watch_end();
    expect_eq(watched().blocks, blocks);
}
