// large.c: objects of whole pages: growing, shrinking, moving.
#include "heap/hugepages.h"
#include "heap/large.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "heap/keptspans.h"
#include "heap/mcentral_grow.h"
#include "heap/scavenger.h"
#include "heap/scavenger_visit.h"
#include "heap/spansearch.h"
#include "mem_fake.h"

enum { MIB_PAGES = (1 << 20) / PAGE_SIZE };

static char *memory(const struct mspan *s) {
    return (char *)mspan_start(s);
}

static void write_pages(const struct mspan *s, size_t npages, char c) {
    memset(memory(s), c, npages << PAGE_SHIFT);
}

static bool all_are(const char *p, size_t nbytes, char c) {
    return nbytes == 0 || (p[0] == c && memcmp(p, p + 1, nbytes - 1) == 0);
}

static void release(struct fixture *f, struct mspan *s) {
    fixture_free_large(f, s);
}

Test(large, pages_for_a_size_are_rounded_up_and_never_wrap) {
    cr_assert(eq(sz, large_pages(1), 1));
    cr_assert(eq(sz, large_pages(PAGE_SIZE), 1));
    cr_assert(eq(sz, large_pages(PAGE_SIZE + 1), 2));
    cr_assert(eq(sz, large_pages(32769), 5));
    cr_assert(
        eq(sz, large_pages(SIZE_MAX - PAGE_SIZE), SIZE_MAX >> PAGE_SHIFT));
    cr_assert(zero(sz, large_pages(SIZE_MAX - PAGE_SIZE + 1)));
    cr_assert(zero(sz, large_pages(SIZE_MAX)));
}

Test(large, an_object_is_counted_when_it_comes_and_when_it_goes) {
    struct fixture f = fixture_start();
    const struct largestats *st = &f.stats->large;

    struct mspan *s = fixture_large(&f, 10, 1);
    cr_assert(eq(u64, st->nmallocs, 1));
    cr_assert(eq(u64, st->alloc_bytes, 10 * PAGE_SIZE));
    release(&f, s);

    cr_assert(eq(u64, st->nfrees, 1));
    cr_assert(zero(u64, st->alloc_bytes));
    cr_assert(eq(u64, st->total_alloc_bytes, 10 * PAGE_SIZE));
    cr_assert(zero(u64, f.stats->inuse_pages));
    fixture_verify(&f);
}

Test(large, a_second_free_changes_nothing) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);
    uintptr_t start = mspan_start(s);
    release(&f, s);

    cr_assert(not(mheap_free_large(f.heap, s, start, false, NULL)));
    struct mspan *other = fixture_large(&f, 10, 1);
    cr_assert(
        not(mheap_free_large(f.heap, other, start + PAGE_SIZE, false, NULL)));

    cr_assert(eq(u64, f.stats->large.nfrees, 1));
    fixture_verify(&f);
}

Test(large, freed_pages_are_used_again_for_objects_of_any_other_size) {
    struct fixture f = fixture_start();
    struct mspan *a = fixture_large(&f, 60, 1);
    fixture_large(&f, 1, 1); // keeps what follows from merging
    uintptr_t start = mspan_start(a);
    release(&f, a);

    struct mspan *b = fixture_large(&f, 20, 1);
    struct mspan *c = fixture_large(&f, 40, 1);

    cr_assert(eq(uptr, mspan_start(b), start));
    cr_assert(eq(uptr, mspan_start(c), start + 20 * PAGE_SIZE));
    fixture_verify(&f);
}

Test(large, every_alignment_up_to_a_gibibyte_is_kept) {
    struct fixture f = fixture_start();
    for (size_t align = 1; align <= ((size_t)1 << 30) / PAGE_SIZE; align *= 2) {
        struct mspan *s = fixture_large(&f, 3, align);
        cr_assert(ne(ptr, s, NULL));
        cr_assert(zero(uptr, mspan_start(s) % (align << PAGE_SHIFT)));
        release(&f, s);
        fixture_verify(&f);
    }
}

Test(large, memory_said_to_be_zero_is_zero_and_used_memory_is_not_said_so) {
    struct random r = random_from(9);
    struct fixture f = fixture_start();
    static struct mspan *live[40];
    int nzero = 0, ndirty = 0;
    for (int step = 0; step < 3000; step++) {
        unsigned i = (unsigned)random_below(&r, 40);
        if (live[i] != NULL) {
            release(&f, live[i]);
            live[i] = NULL;
            if (random_below(&r, 8) == 0)
                mem_fake_fail_at(MEM_RELEASE, 1, random_below(&r, 2) == 0);
            if (random_below(&r, 8) == 0) {
                atomic_store(&f.heap->release_refused, false);
                // what is released reads as zero afterwards
                mutex_lock(&f.heap->lock);
                uint64_t nbacked = f.heap->pages.nbacked;
                mutex_unlock(&f.heap->lock);
                scavenger_release(f.heap, nbacked / 2);
            }
            continue;
        }
        live[i] = fixture_large(&f, 5 + random_below(&r, 60), 1);
        size_t nbytes = live[i]->npages << PAGE_SHIFT;
        nzero += !live[i]->needzero;
        ndirty += live[i]->needzero;
        if (!live[i]->needzero && !all_are(memory(live[i]), nbytes, 0))
            cr_fatal("step %d: said to be zero, but is not", step);
        write_pages(live[i], live[i]->npages, 'x');
    }
    cr_assert(gt(int, nzero, 100));
    cr_assert(gt(int, ndirty, 100));
    fixture_verify(&f);
}

Test(large, an_object_grows_where_it_is_while_the_pages_behind_are_free) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);
    uintptr_t start = mspan_start(s);
    write_pages(s, 10, 'a');

    for (size_t npages = 11; npages <= 7 * MIB_PAGES; npages += npages / 2)
        cr_assert(mheap_resize_large(f.heap, s, npages));

    cr_assert(eq(uptr, mspan_start(s), start));
    cr_assert(all_are(memory(s), 10 * PAGE_SIZE, 'a'));
    memory(s)[(s->npages << PAGE_SHIFT) - 1] = 'z'; // it may be touched
    cr_assert(eq(u64, f.stats->large.alloc_bytes, s->npages << PAGE_SHIFT));
    cr_assert(eq(u64, f.stats->inuse_pages, s->npages));
    cr_assert(eq(u64, f.stats->large.nmallocs, 1));
    fixture_verify(&f);
}

Test(large, an_object_does_not_grow_over_its_neighbour) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);
    struct mspan *next = fixture_large(&f, 10, 1);
    cr_assert(eq(uptr, mspan_start(next), mspan_start(s) + 10 * PAGE_SIZE));

    cr_assert(not(mheap_resize_large(f.heap, s, 11)));

    cr_assert(eq(sz, s->npages, 10));
    cr_assert(eq(u64, f.stats->inuse_pages, 20));
    fixture_verify(&f);
    release(&f, next);
    cr_assert(mheap_resize_large(f.heap, s, 20));
    fixture_verify(&f);
}

Test(large, an_object_does_not_grow_beyond_the_address_space) {
    static const size_t npages[] = {(size_t)1 << 35, (size_t)1 << 49,
                                    PTRDIFF_MAX >> PAGE_SHIFT};
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);

    for (unsigned i = 0; i < 3; i++)
        cr_assert(not(mheap_resize_large(f.heap, s, npages[i])));

    cr_assert(eq(sz, s->npages, 10));
    fixture_verify(&f);
}

Test(large, a_refused_commit_keeps_an_object_from_growing_and_nothing_else) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);
    write_pages(s, 10, 'a');
    mem_fake_fail_at(MEM_COMMIT, 1, MEM_FOR_EVER);

    cr_assert(not(mheap_resize_large(f.heap, s, 4 * MIB_PAGES)));

    cr_assert(eq(sz, s->npages, 10));
    cr_assert(all_are(memory(s), 10 * PAGE_SIZE, 'a'));
    fixture_verify(&f);
    mem_fake_fail_at(MEM_COMMIT, 0, 0);
    cr_assert(mheap_resize_large(f.heap, s, 4 * MIB_PAGES));
    fixture_verify(&f);
}

Test(large, what_an_object_gives_up_serves_others) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 100, 1);
    fixture_large(&f, 1, 1);

    cr_assert(mheap_resize_large(f.heap, s, 30));
    struct mspan *other = fixture_large(&f, 70, 1);

    cr_assert(eq(uptr, mspan_start(other), mspan_start(s) + 30 * PAGE_SIZE));
    cr_assert(eq(u64, f.stats->inuse_pages, 101));
    fixture_verify(&f);
}

Test(large, a_moved_object_keeps_its_contents_and_frees_its_old_place) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, MIB_PAGES, 1);
    uintptr_t old = mspan_start(s);
    write_pages(s, s->npages, 'm');
    fixture_large(&f, 1, 1);

    struct mspan *new = large_move(f.heap, s, 3 * MIB_PAGES / 2);

    cr_assert(ne(ptr, new, NULL));
    cr_assert(ne(uptr, mspan_start(new), old));
    cr_assert(all_are(memory(new), MIB_PAGES << PAGE_SHIFT, 'm'));
    memset(memory(new) + (MIB_PAGES << PAGE_SHIFT), 'n',
           MIB_PAGES / 2 << PAGE_SHIFT);
    cr_assert(eq(u64, f.stats->inuse_pages, 3 * MIB_PAGES / 2 + 1));
    fixture_verify(&f);
    // The old place is free, and known to be zero.
    struct mspan *again = fixture_large(&f, MIB_PAGES, 1);
    cr_assert(eq(uptr, mspan_start(again), old));
    cr_assert(not(again->needzero));
    cr_assert(all_are(memory(again), MIB_PAGES << PAGE_SHIFT, 0));
    fixture_verify(&f);
}

Test(large, an_object_of_regions_is_moved_to_the_start_of_one) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, MIB_PAGES, 1);
    fixture_large(&f, 1, 1);

    struct mspan *new = large_move(f.heap, s, 2 * MIB_PAGES);

    cr_assert(ne(ptr, new, NULL));
    cr_assert(zero(uptr, mspan_start(new) % HUGE_BYTES));
    fixture_verify(&f);
}

Test(large, a_move_that_the_system_refuses_changes_nothing) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 3 * MIB_PAGES, 1);
    write_pages(s, s->npages, 'm');
    fixture_large(&f, 1, 1);
    struct largestats before = f.stats->large;
    uint64_t inuse = f.stats->inuse_pages;
    mem_fake_fail_at(MEM_MOVE, 1, 1);

    cr_assert(eq(ptr, large_move(f.heap, s, 8 * MIB_PAGES), NULL));

    cr_assert(all_are(memory(s), s->npages << PAGE_SHIFT, 'm'));
    cr_assert(eq(u64, f.stats->large.nmallocs, before.nmallocs));
    cr_assert(eq(u64, f.stats->large.nfrees, before.nfrees));
    cr_assert(eq(u64, f.stats->large.alloc_bytes, before.alloc_bytes));
    cr_assert(
        eq(u64, f.stats->large.total_alloc_bytes, before.total_alloc_bytes));
    cr_assert(eq(u64, f.stats->inuse_pages, inuse));
    fixture_verify(&f);
}

Test(large, a_move_that_loses_the_new_place_loses_nothing_else) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 3 * MIB_PAGES, 1);
    write_pages(s, s->npages, 'm');
    fixture_large(&f, 1, 1);
    fixture_free_large(&f,
                       fixture_large(&f, 20 * MIB_PAGES, 1)); // there is room
    struct largestats before = f.stats->large;
    uint64_t inuse = f.stats->inuse_pages;
    uint64_t sys = f.stats->sys_pages;
    mem_fake_fail_at(MEM_MOVE, 1, 1);
    mem_fake_fail_at(MEM_COMMIT, 1, MEM_FOR_EVER);

    cr_assert(eq(ptr, large_move(f.heap, s, 8 * MIB_PAGES), NULL));

    cr_assert(all_are(memory(s), s->npages << PAGE_SHIFT, 'm'));
    cr_assert(eq(u64, f.stats->large.nmallocs, before.nmallocs));
    cr_assert(eq(u64, f.stats->large.alloc_bytes, before.alloc_bytes));
    cr_assert(eq(u64, f.stats->inuse_pages, inuse));
    cr_assert(eq(u64, f.stats->sys_pages, sys - 8 * MIB_PAGES));
    fixture_verify(&f);
    // What is left is of use, and the lost place is not handed out.
    mem_fake_fail_at(MEM_COMMIT, 0, 0);
    write_pages(fixture_large(&f, 12 * MIB_PAGES, 1), 12 * MIB_PAGES, 'n');
    write_pages(fixture_large(&f, 30 * MIB_PAGES, 1), 30 * MIB_PAGES, 'n');
    cr_assert(all_are(memory(s), s->npages << PAGE_SHIFT, 'm'));
}

Test(large, so_many_are_moved_and_no_more) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    uint32_t most = large_moves_max(MIB_PAGES);
    struct mspan *s = fixture_large(&f, MIB_PAGES, 1);
    f.heap->nmoved = most;

    cr_assert(eq(ptr, large_move(f.heap, s, 2 * MIB_PAGES - 1), NULL));
    cr_assert(zero(u64, mem_fake_calls(MEM_MOVE)));

    f.heap->nmoved = most - 1;
    f.heap->crowded = true;
    struct mspan *moved = large_move(f.heap, s, 2 * MIB_PAGES - 1);
    cr_assert(ne(ptr, moved, NULL));
    // Its old place is one with its neighbours again, and so is this one's.
    cr_assert(eq(u32, f.heap->nmoved, most));
    moved = large_move(f.heap, moved, 2 * MIB_PAGES);
    cr_assert(ne(ptr, moved, NULL));
    cr_assert(eq(u32, f.heap->nmoved, most));
    void *sample;
    cr_assert(large_is_crowding(f.heap, moved));
    cr_assert(large_renew(f.heap, moved, mspan_start(moved), &sample));
    cr_assert(eq(u32, f.heap->nmoved, most - 1));
    cr_assert(not(large_renew(f.heap, moved, mspan_start(moved), &sample)));
    fixture_verify(&f);
}

Test(large, the_larger_an_object_the_more_may_have_been_moved) {
    FIXTURE_NEEDS_SMALL_PAGES();
    uint32_t last = 0;
    for (size_t npages = MIB_PAGES; npages < (size_t)MIB_PAGES << 16;
         npages *= 2) {
        uint32_t most = large_moves_max(npages);
        cr_assert(ge(u32, most, MHEAP_MOVED_MAX / 2));
        cr_assert(ge(u32, most, large_moves_max(MIB_PAGES / 2)));
        cr_assert(le(u32, most, MHEAP_MOVED_MAX));
        cr_assert(gt(u32, most, npages < (size_t)MIB_PAGES << 14 ? last : 0));
        cr_assert(eq(u32, large_moves_max(2 * npages - 1), most));
        last = most;
    }

    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, MIB_PAGES, 1);
    struct mspan *large = fixture_large(&f, 5 * MIB_PAGES, 1);
    fixture_large(&f, 1, 1);
    f.heap->nmoved = large_moves_max(MIB_PAGES);
    cr_assert(eq(ptr, large_move(f.heap, s, 2 * MIB_PAGES), NULL));
    cr_assert(ne(ptr, large_move(f.heap, large, 6 * MIB_PAGES), NULL));
    fixture_verify(&f);
}

Test(large, what_goes_back_is_mapped_anew_once_many_were_moved) {
    struct fixture f = fixture_start();
    f.heap->crowded = true;
    struct mspan *s = fixture_large(&f, 40 * MIB_PAGES, 1);
    uintptr_t start = mspan_start(s);
    write_pages(s, s->npages, 'm');

    fixture_free_large(&f, s);
    scavenger_release(f.heap, SIZE_MAX);

    cr_assert(zero(u64, mem_fake_calls(MEM_RELEASE)));
    cr_assert(zero(sz, mem_fake_bytes(start + PAGE_SIZE,
                                      (size_t)39 * MIB_PAGES << PAGE_SHIFT,
                                      MEM_POPULATED)));
    fixture_verify(&f);
}

Test(large, a_move_without_room_changes_nothing) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 3 * MIB_PAGES, 1);
    write_pages(s, s->npages, 'm');
    mem_fake_fail_at(MEM_RESERVE, 1, MEM_FOR_EVER);
    mem_fake_fail_at(MEM_COMMIT, 1, MEM_FOR_EVER);

    cr_assert(eq(ptr, large_move(f.heap, s, 100 * MIB_PAGES), NULL));

    cr_assert(all_are(memory(s), s->npages << PAGE_SHIFT, 'm'));
    cr_assert(zero(u64, mem_fake_calls(MEM_MOVE)));
    fixture_verify(&f);
}

Test(large, an_object_that_was_abandoned_was_never_counted) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);

    mheap_abandon_large(f.heap, s);

    cr_assert(zero(u64, f.stats->large.nmallocs));
    cr_assert(zero(u64, f.stats->large.nfrees));
    cr_assert(zero(u64, f.stats->large.total_alloc_bytes));
    cr_assert(zero(u64, f.stats->inuse_pages));
    fixture_verify(&f);
}

// free_kept frees as free does: the span may be kept whole.
static void free_kept(struct fixture *f, struct mspan *s) {
    cr_assert(mheap_free_large(f->heap, s, mspan_start(s), false, NULL));
}

Test(large, a_freed_span_is_kept_whole_for_the_next_of_its_length) {
    struct fixture f = fixture_start();
    fixture_free_large(&f, fixture_large(&f, 200, 1)); // there is room
    struct mspan *s = fixture_large(&f, 10, 1);
    uintptr_t start = mspan_start(s);
    write_pages(s, 10, 'x');

    free_kept(&f, s);
    cr_assert(eq(int, mspan_state(s), MSPAN_DEAD));
    cr_assert(zero(u64, f.stats->inuse_pages));
    cr_assert(mheap_page_is_free(f.heap, start + 9 * PAGE_SIZE));
    fixture_verify(&f);
    struct mspan *other = fixture_large(&f, 26, 1); // 10 + 16: the same place
    struct mspan *again = fixture_large(&f, 10, 1);

    cr_assert(ne(uptr, mspan_start(other), start));
    cr_assert(eq(uptr, mspan_start(again), start));
    cr_assert(again->needzero);
    cr_assert(not(mheap_page_is_free(f.heap, start)));
    cr_assert(eq(u64, f.stats->large.nmallocs, 4));
    cr_assert(eq(u64, f.stats->large.alloc_bytes, 36 * PAGE_SIZE));
    fixture_verify(&f);
}

Test(large, many_are_kept_whole_only_where_memory_is_used_again) {
    struct fixture f = fixture_start(); // at rest
    enum { N = 12 };
    for (int reuses = 0; reuses < 2; reuses++) {
        struct mspan *s[N];
        mheap_drop_held(f.heap);
        for (int i = 0; i < N; i++)
            s[i] = fixture_large(&f, MIB_PAGES, 1);
        f.heap->reuse_seen = 0;
        if (reuses)
            fixture_reuses(&f);
        for (int i = 0; i < N; i++)
            free_kept(&f, s[i]);
        cr_assert(eq(sz, f.heap->kept_pages, (reuses ? N : 2) * MIB_PAGES));
    }
    fixture_verify(&f);
}

Test(large, a_second_free_of_a_kept_span_changes_nothing) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);
    uintptr_t start = mspan_start(s);
    free_kept(&f, s);

    cr_assert(not(mheap_free_large(f.heap, s, start, false, NULL)));

    cr_assert(eq(u64, f.stats->large.nfrees, 1));
    fixture_verify(&f);
}

Test(large, kept_spans_are_few_and_short) {
    enum { N = 400 };
    static struct mspan *s[N];
    struct fixture f = fixture_start();
    for (unsigned i = 0; i < N; i++)
        s[i] = fixture_large(&f, 5 + i, 1);

    uint64_t most = f.stats->inuse_pages / 16; // more than 2 MiB here

    for (unsigned i = 0; i < N; i++) {
        free_kept(&f, s[i]);
        cr_assert(le(u64, f.heap->kept_pages, most));
        fixture_verify(&f);
    }

    mheap_drop_held(f.heap);
    cr_assert(zero(sz, f.heap->kept_pages));
    cr_assert(eq(u64, f.heap->pages.nfree, f.stats->sys_pages));
    fixture_verify(&f);
}

Test(large, kept_pages_serve_other_lengths_before_the_heap_grows) {
    struct fixture f = fixture_start();
    struct mspan *a = fixture_large(&f, 20, 1);
    struct mspan *b = fixture_large(&f, 20 + 1, 1);
    uintptr_t start = mspan_start(a);
    while (f.heap->pages.nfree > 0) // nothing else is free
        fixture_large(&f, 1, 1);
    uint64_t sys_pages = f.stats->sys_pages;
    free_kept(&f, a);
    free_kept(&f, b);

    struct mspan *s = fixture_large(&f, 41, 1);

    cr_assert(eq(uptr, mspan_start(s), start));
    cr_assert(eq(u64, f.stats->sys_pages, sys_pages));
    fixture_verify(&f);
}

Test(large, huge_pages_are_asked_for_whole_ones_of_fresh_memory_only) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    fixture_reuses(&f); // a free leaves what it frees
    f.heap->thp = THP_ALWAYS;
    struct mspan *s = fixture_large(&f, MIB_PAGES, 1);
    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));

    s = fixture_large(&f, 10 * MIB_PAGES, 1);
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
    release(&f, s);
    fixture_large(&f, 10 * MIB_PAGES, 1); // backed now

    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
    f.heap->thp = THP_NEVER;
    fixture_large(&f, 20 * MIB_PAGES, 1);
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
}

Test(large, an_object_that_grows_gets_huge_pages_from_8_mib_on) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, MIB_PAGES, 1);

    s = large_move(f.heap, s, 7 * MIB_PAGES);
    cr_assert(zero(u64, mem_fake_calls(MEM_HUGEPAGES)));
    s = large_move(f.heap, s, 12 * MIB_PAGES);
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 1));
    release(&f, large_move(f.heap, s, 40 * MIB_PAGES));
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 2));

    s = fixture_large(&f, MIB_PAGES, 1);
    scavenger_release(f.heap, SIZE_MAX);
    cr_assert(mheap_resize_large(f.heap, s, 20 * MIB_PAGES));

    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 3));
    f.heap->nmoved_live = MHEAP_MOVED_MANY; // each would be a mapping more
    cr_assert(mheap_resize_large(f.heap, s, 40 * MIB_PAGES));
    cr_assert(eq(u64, mem_fake_calls(MEM_HUGEPAGES), 3));
    fixture_verify(&f);
}

// leave_idle leaves so much memory free that an object had.
static void leave_idle(struct fixture *f, size_t npages) {
    struct mspan *s = fixture_large(f, npages, 1);
    fixture_large(f, 1, 1);
    release(f, s);
}

Test(large, fresh_memory_is_paid_for_with_such_as_nobody_uses) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    fixture_reuses(&f); // a free leaves what it frees
    leave_idle(&f, 20 * MIB_PAGES);
    uint64_t idle = f.heap->pages.nbacked;

    fixture_large(&f, 24 * MIB_PAGES, 1);

    cr_assert(le(u64, f.heap->pages.nbacked, MIB_PAGES));
    cr_assert(ge(u64, mem_fake_total(MEM_RELEASED),
                 (idle - MIB_PAGES) << PAGE_SHIFT));
    fixture_verify(&f);
}

Test(large, memory_that_was_used_again_lately_is_not_traded) {
    struct fixture f = fixture_start();
    fixture_reuses(&f); // a free leaves what it frees
    leave_idle(&f, 20 * MIB_PAGES);
    struct mspan *s = fixture_large(&f, 20 * MIB_PAGES, 1);
    release(&f, s);
    uint64_t idle = f.heap->pages.nbacked;

    fixture_large(&f, 24 * MIB_PAGES, 1);

    cr_assert(eq(u64, f.heap->pages.nbacked, idle));
}

// small_span_at says whether a small span has the page at addr.
static bool small_span_at(struct fixture *f, uintptr_t addr) {
    return pagemap_class(&f->heap->pagemap, addr) != 0;
}

Test(large, the_first_page_of_a_freed_object_becomes_no_small_span) {
    enum { NPAGES = 200 };
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, NPAGES, 1);
    uintptr_t start = mspan_start(s);
    free_kept(&f, s);

    for (unsigned i = 0; i < NPAGES * PAGE_SIZE / 64; i++)
        mcentral_alloc_one(mheap_class(f.heap, sizeclass_for(64)));

    cr_assert(small_span_at(&f, start + PAGE_SIZE));
    cr_assert(not(small_span_at(&f, start)));
    cr_assert(mheap_page_is_free(f.heap, start));
    cr_assert(not(mheap_free_large(f.heap, s, start, false, NULL)));
    fixture_verify(&f);
}

Test(large, a_kept_large_object_becomes_no_small_span) {
    struct fixture f = fixture_start();
    unsigned sizeclass = 1;
    while (sizeclass_first_pages[sizeclass] < 5)
        sizeclass++;
    size_t npages = sizeclass_first_pages[sizeclass];
    struct mspan *s = fixture_large(&f, npages, 1);
    uintptr_t start = mspan_start(s);
    free_kept(&f, s);

    mcentral_alloc_one(mheap_class(f.heap, sizeclass));

    cr_assert(not(small_span_at(&f, start)));
    cr_assert(mheap_page_is_free(f.heap, start));
    fixture_verify(&f);
}

Test(large, a_large_object_takes_first_pages_before_the_heap_grows) {
    enum { NPAGES = 200 };
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, NPAGES, 1);
    uintptr_t start = mspan_start(s);
    while (f.heap->pages.nfree > 0)
        fixture_large(&f, 1, 1);
    uint64_t sys_pages = f.stats->sys_pages;
    free_kept(&f, s);

    s = fixture_large(&f, NPAGES, 1);

    cr_assert(eq(uptr, mspan_start(s), start));
    cr_assert(eq(u64, f.stats->sys_pages, sys_pages));
    fixture_verify(&f);
}

Test(large, first_pages_are_few) {
    enum { N = 600, NPAGES = 130 };
    static struct mspan *s[N];
    struct fixture f = fixture_start();
    for (unsigned i = 0; i < N; i++)
        s[i] = fixture_large(&f, NPAGES, 1);

    for (unsigned i = 0; i < N; i++) {
        uint64_t most = 8 + f.stats->inuse_pages / 64;
        free_kept(&f, s[i]);
        cr_assert(le(u64, f.heap->first_pages.n, most));
        cr_assert(firstpages_holds(&f.heap->first_pages,
                                   mspan_start(s[i]) + PAGE_SIZE - 1));
    }

    mheap_drop_held(f.heap);
    cr_assert(eq(u64, f.heap->pages.nfree, f.stats->sys_pages));
    fixture_verify(&f);
}
