// cachepolicy.c: what capacity sequences of mallocs and frees result in.
#include "heap/cachepolicy.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"
#include "heap/largecache.h"

enum { OBJECTS = 40000 };
static void *objects[OBJECTS];

// play lets a magazine of a class see slow paths, D for dry and F for full, and returns
// its capacity.
static size_t play(unsigned sizeclass, const char *slow_paths) {
    struct magazine_shape shape = {.cap = 0};
    for (const char *at = slow_paths; *at != '\0'; at++)
        shape.cap = (uint16_t)cachepolicy_next(&shape, sizeclass,
                                               *at == 'D' ? MAGAZINE_WAS_DRY
                                                          : MAGAZINE_WAS_FULL);
    return shape.cap;
}

static size_t cap_of(const struct mcache *c, size_t size) {
    return c->shapes[sizeclass_for(size)].cap;
}

// tides makes n objects and frees them, so many times, and returns the capacity.
static size_t tides(struct fixture *f, struct mcache *c, size_t size, int n,
                    int times) {
    for (int t = 0; t < times; t++) {
        for (int i = 0; i < n; i++)
            objects[i] = fixture_malloc(f, c, size);
        for (int i = 0; i < n; i++)
            fixture_free(f, c, objects[i]);
    }
    return cap_of(c, size);
}

Test(cachepolicy, pressure_is_spent_at_4_and_a_turn_is_4) {
    unsigned class = sizeclass_for(64);
    cr_assert(eq(sz, play(class, ""), 0));
    cr_assert(eq(sz, play(class, "D"), 7));
    cr_assert(eq(sz, play(class, "DDD"), 7));
    cr_assert(eq(sz, play(class, "DDDD"), 15));
    cr_assert(eq(sz, play(class, "DF"), 15));
    cr_assert(eq(sz, play(class, "DFD"), 31));
    cr_assert(eq(sz, play(class, "DFFF"), 15));
    cr_assert(eq(sz, play(class, "DFFFFF"), 31));
    cr_assert(eq(sz, play(class, "DDDFDFD"), 127));
}

Test(cachepolicy, without_a_turn_16_kib_are_enough) {
    const char *one_way =
        "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD";

    cr_assert(eq(sz, play(sizeclass_for(16), one_way), 1023));
    cr_assert(eq(sz, play(sizeclass_for(64), one_way), 255));
    cr_assert(eq(sz, play(sizeclass_for(1024), one_way), 15));
    cr_assert(eq(sz, play(sizeclass_for(32768), one_way), 1));
}

Test(cachepolicy, with_turns_512_kib_or_8191_slots_are_enough) {
    const char *turns = "DFDFDFDFDFDFDFDFDFDFDFDF";

    cr_assert(eq(sz, play(sizeclass_for(16), turns), 8191));
    cr_assert(eq(sz, play(sizeclass_for(64), turns), 8191));
    cr_assert(eq(sz, play(sizeclass_for(1024), turns), 512));
    cr_assert(eq(sz, play(sizeclass_for(8192), turns), 64));
    cr_assert(eq(sz, play(sizeclass_for(32768), turns), 8191));
}

Test(cachepolicy, one_class_gets_what_it_goes_up_and_down_by) {
    static const struct {
        int nobjects;
        size_t cap;
    } expected[] = {{1, 7},       {5, 15},      {10, 15},     {100, 127},
                    {1000, 2047}, {5000, 8191}, {30000, 8191}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct fixture f = fixture_start();
        struct mcache *c = fixture_cache(&f);

        cr_expect(eq(sz, tides(&f, c, 64, expected[i].nobjects, 50),
                     expected[i].cap));
        fixture_verify(&f);
    }
}

Test(cachepolicy, a_program_that_only_makes_stays_at_16_kib) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);

    for (int i = 0; i < OBJECTS; i++)
        objects[i] = fixture_malloc(&f, c, 64);
    cr_assert(eq(sz, cap_of(c, 64), 255));

    for (int i = 0; i < OBJECTS; i++) // one turn
        fixture_free(&f, c, objects[i]);
    cr_assert(eq(sz, cap_of(c, 64), 511));
    fixture_verify(&f);
}

enum { LEAST = 256, MOST = 2048, STEP = 256, EACH = 2000 };

// in_turn lets classes from LEAST to most bytes go up and down one after the other.
static void in_turn(struct fixture *f, struct mcache *c, size_t most,
                    int rounds) {
    for (int round = 0; round < rounds; round++)
        for (size_t size = LEAST; size <= most; size += STEP)
            tides(f, c, size, EACH, 1);
}

Test(cachepolicy, classes_that_cannot_all_have_it_share_2_mib) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);

    in_turn(&f, c, MOST, 30); // 8 of them, 512 KiB would be right for each

    cr_assert(ge(u64, c->cap_bytes, 3 << 19));
    cr_assert(le(u64, c->cap_bytes, 4 << 19));
    fixture_verify(&f);
}

Test(cachepolicy, classes_that_go_on_get_it_from_those_that_do_not) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    in_turn(&f, c, MOST, 30);

    in_turn(&f, c, LEAST + STEP, 200);

    for (size_t size = LEAST; size <= LEAST + STEP; size += STEP)
        cr_assert(eq(sz, cap_of(c, size), (512 << 10) / size));
    fixture_verify(&f);
}

Test(cachepolicy,
     what_is_left_is_taken_and_a_refusal_holds_for_256_slow_paths) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    // Others have all that is shared, but 64 KiB are this cache's own.
    atomic_store(&f.heap->shared_cache_bytes, 64 << 20);
    while (c->refused_until == 0)
        tides(&f, c, 96, EACH, 1);
    size_t cap = cap_of(c, 96);
    cr_assert(eq(sz, cap, 511 + 512 / 4)); // 60 KiB: not half of 511 more
    cr_assert(le(u64, c->cap_bytes, 64 << 10));
    uint32_t until = c->refused_until;
    cr_assert(gt(i32, (int32_t)(until - c->nslow), 192));

    atomic_store(&f.heap->shared_cache_bytes, 0);
    while ((int32_t)(until - c->nslow) > 64) {
        tides(&f, c, 96, EACH, 1);
        cr_assert(eq(sz, cap_of(c, 96), cap));
    }
    tides(&f, c, 96, EACH, 50);
    cr_assert(gt(sz, cap_of(c, 96), cap));
    fixture_verify(&f);
}
