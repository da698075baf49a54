// hugepages.c: which regions are filled by huge pages, and what the kernel is
// told of them.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"
#include "heap/hugepages.h"
#include "heap/keptspans.h"
#include "heap/large.h"
#include "heap/scavenger.h"
#include "heap/scavenger_goal.h"
#include "heap/scavenger_visit.h"
#include "heap/smallspans.h"
#include "heap/spanfree.h"
#include "mem_fake.h"

enum { MIB = 1 << 20 };

static struct fixture start(enum thp_mode mode) {
    struct fixture f = fixture_start();
    hugepages_init(f.heap, mode);
    return f;
}

// grow_to allocates spans of small objects until so many pages are in use, and
// returns the last span.
static struct mspan *grow_to(struct fixture *f, size_t npages) {
    struct mspan *s = NULL;
    while (f->stats->inuse_pages < npages)
        cr_assert(
            eq(sz, mheap_alloc_spans(f->heap, sizeclass_for(64), 1, 1, &s), 1));
    return s;
}

Test(hugepages, a_heap_of_less_than_a_region_fills_none) {
    struct fixture f = start(THP_AUTO);

    grow_to(&f, REGION_PAGES);

    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
    cr_assert(lt(u64, f.stats->free_pages, REGION_PAGES / 8));
}

Test(hugepages, a_growing_heap_fills_each_region_at_once_and_uses_it_up) {
    struct fixture f = start(THP_AUTO);
    uintptr_t first = mspan_start(grow_to(&f, REGION_PAGES));
    uint64_t ncalls = mem_fake_calls(MEM_POPULATE);

    uintptr_t next = mspan_start(grow_to(&f, REGION_PAGES + 1));
    cr_assert(eq(uptr, next, first + PAGE_SIZE));
    cr_assert(eq(uptr, next % HUGE_BYTES, 0));
    cr_assert(
        eq(sz, mem_fake_bytes(next, HUGE_BYTES, MEM_POPULATED), HUGE_BYTES));
    cr_assert(eq(u64, f.stats->free_pages, REGION_PAGES - 1));
    grow_to(&f, 2 * REGION_PAGES);

    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
    cr_assert(eq(u64, mem_fake_calls(MEM_POPULATE), ncalls + 1));
    cr_assert(zero(u64, f.stats->free_pages));
    fixture_verify(&f);
}

Test(hugepages, what_a_region_has_left_is_not_given_back_at_once) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES + 1);

    uint64_t goal = scavenger_goal_locked(f.heap, 1);

    cr_assert(ge(u64, goal, f.stats->free_pages));
}

Test(hugepages, large_objects_of_a_small_heap_fill_nothing) {
    struct fixture f = start(THP_AUTO);

    for (int i = 0; i < 16; i++)
        fixture_large(&f, REGION_PAGES / 16, 1);

    cr_assert(zero(u64, mem_fake_calls(MEM_POPULATE)));
    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
}

Test(hugepages, of_large_objects_a_quarter_is_guessed_and_no_more_than_16_mib) {
    struct fixture f = start(THP_AUTO);

    struct mspan *s = fixture_large(&f, 8 * REGION_PAGES, REGION_PAGES);
    cr_assert(eq(sz, mem_fake_advised(), 2 * HUGE_BYTES));
    fixture_large(&f, 32 * REGION_PAGES, REGION_PAGES);
    cr_assert(eq(sz, mem_fake_advised(), 8 * HUGE_BYTES));
    fixture_large(&f, 32 * REGION_PAGES, REGION_PAGES);
    cr_assert(eq(sz, f.heap->nguessed, 8));

    // Guessed it is as long as the memory is there.
    f.heap->half_life_ns = SCAVENGE_NEVER;
    fixture_free_large(&f, s);
    cr_assert(eq(sz, f.heap->nguessed, 8));
    scavenger_release(f.heap, SIZE_MAX);
    cr_assert(eq(sz, f.heap->nguessed, 6));
    fixture_verify(&f);
}

Test(hugepages, of_large_objects_that_are_touched_three_quarters_are_guessed) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = start(THP_AUTO);
    sys_stop_ticks(true); // what was seen stays of this moment
    f.heap->residency = (struct residency){
        UINT16_MAX, .there_pages = 64 * REGION_PAGES, .ticks = sys_ticks()};

    fixture_large(&f, 64 * REGION_PAGES, REGION_PAGES);

    cr_assert(eq(sz, mem_fake_advised(), 48 * HUGE_BYTES));
    fixture_verify(&f);
}

Test(hugepages, no_more_is_guessed_than_was_seen_to_be_touched_lately) {
    struct fixture f = start(THP_AUTO);
    sys_stop_ticks(true); // what was seen stays of this moment
    f.heap->residency = (struct residency){
        UINT16_MAX, .there_pages = 20 * REGION_PAGES, .ticks = sys_ticks()};

    for (int i = 0; i < 10; i++)
        fixture_large(&f, 8 * REGION_PAGES, REGION_PAGES);

    cr_assert(le(sz, f.heap->nguessed, 20));
    cr_assert(ge(sz, f.heap->nguessed, 8));
    fixture_verify(&f);
}

Test(hugepages, only_what_large_objects_had_without_advice_tells_of_them) {
    struct fixture f = start(THP_AUTO);
    uintptr_t small = mspan_start(grow_to(&f, REGION_PAGES / 2));
    struct mspan *s = fixture_large(&f, 8 * REGION_PAGES, REGION_PAGES);
    uintptr_t addr = mspan_start(s);

    cr_assert(not(hugepages_tells_locked(f.heap, small, 1)));
    // A quarter of it is guessed.
    cr_assert(not(hugepages_tells_locked(f.heap, addr, 8 * REGION_PAGES)));
    cr_assert(hugepages_tells_locked(f.heap, addr + 2 * HUGE_BYTES,
                                     6 * REGION_PAGES));
}

Test(hugepages, a_region_that_small_objects_get_is_guessed_no_more) {
    struct fixture f = start(THP_AUTO);
    struct mspan *s = fixture_large(&f, 4 * REGION_PAGES, REGION_PAGES);
    cr_assert(eq(sz, f.heap->nguessed, 1));
    f.heap->half_life_ns = SCAVENGE_NEVER;
    fixture_free_large(&f, s);

    grow_to(&f, 4 * REGION_PAGES);

    cr_assert(zero(sz, f.heap->nguessed));
}

Test(hugepages, memory_that_moves_takes_its_guesses_along) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = start(THP_AUTO);
    f.heap->half_life_ns = SCAVENGE_NEVER;
    struct mspan *s = fixture_large(&f, 8 * REGION_PAGES, REGION_PAGES);
    uintptr_t old = mspan_start(s);
    fixture_large(&f, 1, 1);
    cr_assert(eq(sz, f.heap->nguessed, 2));

    struct mspan *new = large_move(f.heap, s, 9 * REGION_PAGES);

    cr_assert(ne(ptr, new, NULL));
    cr_assert(eq(sz, f.heap->nguessed, 2));
    // Where it was there is no advice, and small objects change nothing.
    cr_assert(not(hugepages_are(f.heap, old, 8 * REGION_PAGES)));
    cr_assert(hugepages_are(f.heap, mspan_start(new), REGION_PAGES));
    hugepages_small_locked(f.heap, old, 8 * REGION_PAGES);
    cr_assert(eq(sz, f.heap->nguessed, 2));
    fixture_free_large(&f, new);
    scavenger_release(f.heap, SIZE_MAX);
    cr_assert(zero(sz, f.heap->nguessed));
    fixture_verify(&f);
}

Test(hugepages,
     a_large_object_beside_many_small_ones_fills_the_region_it_ends_in) {
    struct fixture f = start(THP_AUTO);
    uintptr_t end = mspan_start(grow_to(&f, 16 * REGION_PAGES)) + PAGE_SIZE;
    cr_assert(zero(uptr, end % HUGE_BYTES));

    struct mspan *s = fixture_large(&f, REGION_PAGES / 2, 1);

    cr_assert(zero(uptr, mspan_start(s) % HUGE_BYTES));
    cr_assert(eq(sz, mem_fake_bytes(mspan_start(s), HUGE_BYTES, MEM_POPULATED),
                 HUGE_BYTES));
    cr_assert(eq(u64, f.stats->free_pages, REGION_PAGES / 2));
    fixture_verify(&f);
}

Test(hugepages, a_region_of_which_others_have_a_part_is_not_filled) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES);
    // A large object in the middle of the next region.
    struct mspan *before = fixture_large(&f, REGION_PAGES / 2, 1);
    fixture_large(&f, 1, 1);
    fixture_free_large(&f, before);
    scavenger_release(f.heap, SIZE_MAX);

    struct mspan *s = grow_to(&f, f.stats->inuse_pages + 1);

    cr_assert(eq(uptr, mspan_start(s) % HUGE_BYTES, 0));
    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
}

Test(hugepages, none_are_used_where_the_system_or_the_option_says_never) {
    mem_fake_setting(MEM_HUGEPAGES_NEVER);
    struct fixture by_system = start(THP_AUTO);
    grow_to(&by_system, 4 * REGION_PAGES);
    mem_fake_setting(MEM_HUGEPAGES_ALWAYS);
    struct fixture by_option = start(THP_NEVER);
    grow_to(&by_option, 4 * REGION_PAGES);

    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
}

Test(hugepages,
     none_are_used_where_those_of_the_kernel_are_larger_than_regions) {
    mem_fake_setting(MEM_HUGEPAGES_ALWAYS);
    mem_fake_hugepage_bytes(32 * MIB);
    struct fixture f = start(THP_AUTO);

    grow_to(&f, 3 * REGION_PAGES);

    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
    cr_assert(lt(u64, f.stats->free_pages, REGION_PAGES));
    cr_assert(f.heap->thp_unasked); // it makes them all the same
}

Test(hugepages, a_region_that_cannot_be_filled_is_without_memory) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES);
    mem_fake_fail_at(MEM_POPULATE, 1, MEM_FOR_EVER);

    grow_to(&f, REGION_PAGES + 1);

    cr_assert(gt(u64, mem_fake_failures(MEM_POPULATE), 0));
    cr_assert(zero(u64, f.stats->free_pages));
    fixture_verify(&f);
}

Test(hugepages, a_child_of_fork_fills_nothing_at_first) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES);
    atomic_store(&f.heap->quiet_pages, 2);

    grow_to(&f, REGION_PAGES + 1);

    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
}

Test(hugepages, a_region_that_gives_memory_back_loses_the_advice_once) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES + 1);

    cr_assert(eq(sz, scavenger_release(f.heap, 8), 8));
    cr_assert(eq(u64, mem_fake_calls(MEM_NO_HUGEPAGES), 1));
    cr_assert(eq(sz, scavenger_release(f.heap, 8), 8));
    cr_assert(eq(u64, mem_fake_calls(MEM_NO_HUGEPAGES), 1));
    cr_assert(eq(u32, f.heap->nforbidden, 1));
}

Test(hugepages, memory_that_was_never_advised_is_left_alone_unless_all_is) {
    struct fixture f = start(THP_AUTO);
    struct mspan *s = fixture_large(&f, REGION_PAGES - 1, 1);
    fixture_free_large(&f, s);
    scavenger_release(f.heap, SIZE_MAX);
    cr_assert(zero(u64, mem_fake_calls(MEM_NO_HUGEPAGES)));

    mem_fake_setting(MEM_HUGEPAGES_ALWAYS);
    struct fixture unasked = start(THP_AUTO);
    s = fixture_large(&unasked, 4 * REGION_PAGES, 1);
    fixture_free_large(&unasked, s);
    scavenger_release(unasked.heap, SIZE_MAX);
    cr_assert(gt(u64, mem_fake_calls(MEM_NO_HUGEPAGES), 0));
}

Test(hugepages, a_region_filled_again_is_advised_again) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES);
    struct mspan *spans[REGION_PAGES];
    for (size_t i = 0; i < REGION_PAGES; i++)
        spans[i] = grow_to(&f, REGION_PAGES + 1 + i);
    for (size_t i = 0; i < REGION_PAGES; i++)
        mheap_free_span(f.heap, spans[i]);
    mheap_drop_kept(f.heap);
    scavenger_release(f.heap, SIZE_MAX);
    cr_assert(eq(u32, f.heap->nforbidden, 1));

    grow_to(&f, REGION_PAGES + 1);

    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 2));
    cr_assert(zero(u32, f.heap->nforbidden));
}

Test(hugepages, a_stall_is_counted_and_the_next_region_left_out) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES);
    mem_fake_stall(100); // a stall is at most 40 ms

    grow_to(&f, REGION_PAGES + 1);
    cr_assert(eq(u64, f.heap->nstalls, 1));
    mem_fake_stall(0);
    grow_to(&f, 3 * REGION_PAGES);

    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
    cr_assert(eq(u64, f.heap->nstalls, 1));
}

Test(hugepages, after_a_stall_regions_are_skipped) {
    struct fixture f = start(THP_AUTO);
    grow_to(&f, REGION_PAGES);
    f.heap->nskip = 1;

    grow_to(&f, 2 * REGION_PAGES);
    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
    grow_to(&f, 3 * REGION_PAGES);
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
}
