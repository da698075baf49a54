// memlimit.c: what counts for the limit, and what is left out near it or where it is
// small.
#include "heap/memlimit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"
#include "heap/hugepages.h"
#include "heap/large.h"
#include "heap/smallspans.h"
#include "mem_fake.h"

enum {
    MIB = 1 << 20,
    MIB_PAGES = MIB / PAGE_SIZE,
};

static struct fixture start(size_t limit) {
    struct fixture f = fixture_start();
    hugepages_init(f.heap, THP_AUTO);
    memlimit_set(f.heap, limit);
    return f;
}

static void grow_to(struct fixture *f, size_t npages) {
    struct mspan *s;
    while (f->stats->inuse_pages < npages)
        cr_assert(
            eq(sz, mheap_alloc_spans(f->heap, sizeclass_for(64), 1, 1, &s), 1));
}

static bool is_near(struct fixture *f) {
    mutex_lock(&f->heap->lock);
    bool near = memlimit_near_locked(f->heap);
    mutex_unlock(&f->heap->lock);
    return near;
}

Test(memlimit, records_count) {
    struct fixture f = start(10 * MIB);
    fixture_large(&f, 7 * MIB_PAGES, 1);
    cr_assert(not(is_near(&f)));

    atomic_fetch_add(&f.heap->other_sys, 3 * MIB);

    cr_assert(is_near(&f));
}

Test(memlimit, of_less_than_32_huge_pages_leaves_no_room_for_one) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = start((64 << 20) - PAGE_SIZE);

    grow_to(&f, 4 * REGION_PAGES);
    fixture_free_large(&f, large_move(f.heap, fixture_large(&f, MIB_PAGES, 1),
                                      12 * MIB_PAGES));

    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
}

Test(memlimit, has_room_for_huge_pages_until_it_is_near) {
    struct fixture f = start(64 << 20);
    grow_to(&f, 2 * REGION_PAGES);
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
    fixture_large(&f, 54 * MIB_PAGES, 1);
    cr_assert(is_near(&f));

    grow_to(&f, f.stats->inuse_pages + REGION_PAGES);

    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
}

Test(memlimit, keeps_no_more_than_the_half_life_does) {
    struct fixture f = start(100 * MIB);
    f.heap->half_life_ns = 0; // at once
    struct mspan *stays = fixture_large(&f, 50 * MIB_PAGES, 1);
    struct mspan *s = fixture_large(&f, 45 * MIB_PAGES, 1);
    cr_assert(is_near(&f));

    fixture_free_large(&f, s);

    // Near a limit there is room for them, and they are not to be kept.
    cr_assert(le(u64, f.heap->pages.nbacked, 4 * MIB_PAGES));
    fixture_free_large(&f, stays);
}
