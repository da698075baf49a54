// scavenger.c: what is kept, for how long, and how the rest goes back.
#include "heap/mcentral_store.h"
#include "heap/scavenger.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "heap/keptspans.h"
#include "heap/largespans.h"
#include "heap/memlimit.h"
#include "heap/scavenger_goal.h"
#include "heap/scavenger_visit.h"
#include "heap/smallspans.h"
#include "mem_fake.h"
#include "os/sys.h"

static const uint64_t SECOND = 1000 * 1000 * 1000;
enum {
    MIB_PAGES = (1 << 20) / PAGE_SIZE,
    KEEP_PAGES = 64 * MIB_PAGES,
    FLOOR_PAGES = MIB_PAGES / 2,
    HUGE_PAGES = 2 * MIB_PAGES,
    TICK_PAGES = 16 * MIB_PAGES,
    LONG_PAGES = 4, // a run that is not short
    SHORT_RANGES = 64,
};

static uint64_t goal_at(struct fixture *f, uint64_t now_ns) {
    mutex_lock(&f->heap->lock);
    uint64_t goal = scavenger_goal_locked(f->heap, now_ns);
    mutex_unlock(&f->heap->lock);
    return goal;
}

static struct mspan *alloc(struct fixture *f, size_t npages) {
    struct mspan *s = fixture_large(f, npages, 1);
    cr_assert(ne(ptr, s, NULL));
    return s;
}

static void release(struct fixture *f, struct mspan *s) {
    fixture_free_large(f, s);
}

// free_runs leaves runs of free backed pages, each behind a live object, and
// returns where they begin.
static void free_runs(struct fixture *f, unsigned n, const size_t *npages,
                      uintptr_t *ret) {
    struct mspan *runs[8];
    for (unsigned i = 0; i < n; i++) {
        runs[i] = alloc(f, npages[i]);
        alloc(f, 1);
        ret[i] = mspan_start(runs[i]);
    }
    for (unsigned i = 0; i < n; i++)
        release(f, runs[i]);
}

static uintptr_t free_run(struct fixture *f, size_t npages) {
    uintptr_t start;
    free_runs(f, 1, &npages, &start);
    return start;
}

// make_due lets the next tick look, however little time has passed.
static void make_due(struct fixture *f) {
    atomic_store(&f->heap->tick_ticks, 0);
    atomic_store(&f->heap->tick_ns, 0);
}

// busy_start is a heap that used freed pages again just now.
static struct fixture busy_start(void) {
    struct fixture f = fixture_start();
    fixture_reuses(&f);
    return f;
}

Test(scavenger, a_heap_that_uses_nothing_again_keeps_4_mib) {
    enum { N = 100 };
    struct fixture f = fixture_start();
    struct mspan *s[N];
    for (int i = 0; i < N; i++)
        s[i] = alloc(&f, 2 * MIB_PAGES);

    for (int i = 0; i < N; i++)
        release(&f, s[i]);

    cr_assert(le(u64, f.heap->pages.nbacked, 4 * MIB_PAGES));
    // What is left is used again: the next free keeps more.
    for (int i = 0; i < N; i++)
        s[i] = alloc(&f, 2 * MIB_PAGES);
    for (int i = 0; i < N; i++)
        release(&f, s[i]);
    cr_assert(gt(u64, f.heap->pages.nbacked, 32 * MIB_PAGES));
    fixture_verify(&f);
}

Test(scavenger, near_the_limit_as_much_is_kept_as_makes_it_95_pct) {
    struct fixture f = busy_start();
    memlimit_set(f.heap, (size_t)100 << 20);
    struct mspan *live = alloc(&f, 70 * MIB_PAGES);
    struct mspan *s = alloc(&f, 15 * MIB_PAGES);
    cr_assert(not(memlimit_near_locked(f.heap)));

    release(&f, s); // below 90 %
    cr_assert(eq(u64, f.heap->pages.nbacked, 15 * MIB_PAGES));
    s = alloc(&f, 29 * MIB_PAGES);
    cr_assert(memlimit_near_locked(f.heap));
    release(&f, s);

    cr_assert(le(u64, f.heap->pages.nbacked, 25 * MIB_PAGES));
    cr_assert(ge(u64, f.heap->pages.nbacked, 20 * MIB_PAGES));
    cr_assert(eq(u64, f.heap->memlimit.nexceeded, 0));
    for (int i = 0; i < 2; i++) { // it is soft
        f.heap->memlimit.spent_ticks = 0;
        s = alloc(&f, 40 * MIB_PAGES);
        release(&f, s);
    }
    // It stayed near, and so did not come there anew.
    cr_assert(eq(u64, f.heap->memlimit.nexceeded, 1));
    release(&f, live);
    fixture_verify(&f);
}

Test(scavenger, at_most_half_of_the_time_goes_into_a_limit) {
    struct fixture f = busy_start();
    memlimit_set(f.heap, (size_t)100 << 20);
    cr_assert(memlimit_may_spend(f.heap)); // a window begins

    memlimit_spent(f.heap, 4 * (uint64_t)SYS_TICKS_STEP, 0);

    cr_assert(not(memlimit_may_spend(f.heap)));
    alloc(&f, 70 * MIB_PAGES);
    release(&f, alloc(&f, 25 * MIB_PAGES));
    cr_assert(eq(u64, f.heap->pages.nbacked, 25 * MIB_PAGES));
}

Test(scavenger, the_half_life_says_how_much_is_kept) {
    struct fixture f = busy_start();
    f.heap->half_life_ns = 0;
    release(&f, alloc(&f, 32 * MIB_PAGES));
    cr_assert(le(u64, f.heap->pages.nbacked, FLOOR_PAGES));

    f.heap->half_life_ns = SCAVENGE_NEVER;
    release(&f, alloc(&f, 300 * MIB_PAGES));
    make_due(&f);
    scavenger_tick(f.heap);
    cr_assert(ge(u64, f.heap->pages.nbacked, 300 * MIB_PAGES));

    f.heap->half_life_ns = 2 * SECOND;
    f.heap->peak_pages = 320 * MIB_PAGES;
    f.heap->peak_ns = SECOND;
    uint64_t goal = goal_at(&f, 5 * SECOND);
    cr_assert(eq(u64, goal, 85 * MIB_PAGES)); // a quarter, and 1/16 of that
}

Test(scavenger, a_free_leaves_no_more_than_64_mib_unused) {
    struct fixture f = busy_start();
    static struct mspan *s[100];
    for (int i = 0; i < 100; i++)
        s[i] = alloc(&f, 4 * MIB_PAGES);

    for (int i = 0; i < 100; i++) {
        release(&f, s[i]);
        cr_assert(le(u64, f.heap->pages.nbacked, KEEP_PAGES));
    }

    uint64_t kept = KEEP_PAGES - f.heap->first_pages.n;
    cr_assert(eq(u64, f.heap->pages.nbacked, kept));
    cr_assert(eq(u64, f.stats->released_pages, f.heap->pages.nfree - kept));
    fixture_verify(&f);
}

Test(scavenger, after_a_peak_of_2_gib_a_twelfth_of_it_is_kept) {
    struct fixture f = busy_start();
    struct mspan *s = alloc(&f, 2048 * MIB_PAGES);

    release(&f, s);

    cr_assert(le(u64, f.heap->pages.nbacked, 2048 * MIB_PAGES / 12));
    cr_assert(ge(u64, f.heap->pages.nbacked,
                 2048 * MIB_PAGES / 12 / 16 * 15 - HUGE_PAGES));
    fixture_verify(&f);
}

Test(scavenger, a_fall_below_the_keep_releases_nothing) {
    struct fixture f = busy_start();

    for (int i = 0; i < 20; i++)
        release(&f, alloc(&f, 60 * MIB_PAGES));

    cr_assert(zero(u64, mem_fake_calls(MEM_RELEASE)));
    cr_assert(eq(u64, f.heap->pages.nbacked, 60 * MIB_PAGES));
}

Test(scavenger, what_a_program_frees_and_takes_in_turn_stays) {
    enum { N = 40, NPAGES = 10 * MIB_PAGES };
    struct fixture f = busy_start();
    struct mspan *s[N];
    for (int i = 0; i < N; i++)
        s[i] = alloc(&f, NPAGES);

    // The first rounds find out that what is freed is used again.
    uint64_t nreleases = 0;
    for (int round = 0; round < 8; round++) {
        nreleases = mem_fake_calls(MEM_RELEASE);
        for (int i = 0; i < N / 2; i++)
            release(&f, s[i]);
        for (int i = 0; i < N / 2; i++)
            s[i] = alloc(&f, NPAGES);
    }

    cr_assert(gt(u64, nreleases, 0));
    cr_assert(eq(u64, mem_fake_calls(MEM_RELEASE), nreleases));
    fixture_verify(&f);
}

Test(scavenger, memory_that_is_new_is_not_taken_for_used_again) {
    struct fixture f = fixture_start();
    struct mspan *span;
    while (f.stats->inuse_pages < 200 * MIB_PAGES)
        mheap_alloc_spans(f.heap, sizeclass_for(64), 1, 1, &span);

    cr_assert(lt(i64, f.heap->reused_pages, (int64_t)KEEP_PAGES / 4));
}

Test(scavenger,
     what_is_taken_right_after_it_was_given_back_is_kept_the_next_time) {
    struct fixture f = fixture_start(); // at rest: little is kept
    enum { NPAGES = 32 * MIB_PAGES };
    fixture_large(&f, 1, 1);
    struct mspan *s = fixture_large(&f, NPAGES, 1);
    fixture_free_large(&f, s);
    uint64_t nreleases = mem_fake_calls(MEM_RELEASE);
    cr_assert(gt(u64, nreleases, 0));

    s = fixture_large(&f, NPAGES, 1);
    fixture_free_large(&f, s);

    cr_assert(eq(u64, mem_fake_calls(MEM_RELEASE), nreleases));
    fixture_verify(&f);
}

Test(scavenger, a_chunk_that_is_taken_from_gives_nothing_back_at_a_tick) {
    struct fixture f = busy_start();
    uintptr_t start = free_run(&f, 60 * MIB_PAGES);
    uintptr_t at = align_up(start, CHUNK_PAGES * PAGE_SIZE);
    f.heap->peak_pages = 0;
    f.heap->peak_ns = sys_now_ns();
    f.heap->pages.now = pagecursor_age(sys_now_ns());
    size_t n;
    cr_assert(pagealloc_alloc_at(&f.heap->pages, at, 8, &n));

    for (int ticks = 0; ticks < 10; ticks++) {
        make_due(&f);
        scavenger_tick(f.heap);
    }

    cr_assert(pagealloc_alloc_at(&f.heap->pages, at + 8 * PAGE_SIZE, 64, &n));
    cr_assert(zero(sz, n), "it was released");
    cr_assert(lt(u64, f.heap->pages.nbacked, 8 * MIB_PAGES));
}

Test(scavenger, the_peak_halves_every_second) {
    struct fixture f = fixture_start();
    release(&f, alloc(&f, 32 * MIB_PAGES));
    cr_assert(eq(u64, f.heap->peak_pages, 32 * MIB_PAGES));
    f.heap->peak_ns = 100 * SECOND;

    for (unsigned s = 0; s <= 5; s++) {
        uint64_t peak = (32 * MIB_PAGES) >> s;
        uint64_t want = peak + peak / 16;
        cr_assert(eq(u64, goal_at(&f, (100 + s) * SECOND), want));
    }
}

Test(scavenger, the_goal_falls_steadily_down_to_the_floor_and_no_further) {
    struct fixture f = fixture_start();
    release(&f, alloc(&f, 60 * MIB_PAGES));
    f.heap->peak_ns = SECOND;
    uint64_t last = goal_at(&f, SECOND);

    for (uint64_t ns = SECOND; ns < 30 * SECOND; ns += SECOND / 20) {
        uint64_t goal = goal_at(&f, ns);
        cr_assert(le(u64, goal, last));
        cr_assert(ge(u64, goal, FLOOR_PAGES));
        last = goal;
    }

    cr_assert(eq(u64, last, FLOOR_PAGES));
}

Test(scavenger, one_long_wait_decays_as_many_short_ones_do) {
    struct fixture a = fixture_start();
    struct fixture b = fixture_start();
    release(&a, alloc(&a, 60 * MIB_PAGES));
    release(&b, alloc(&b, 60 * MIB_PAGES));
    a.heap->peak_ns = b.heap->peak_ns = SECOND;

    for (uint64_t ns = SECOND; ns <= 4 * SECOND; ns += SECOND / 20)
        goal_at(&a, ns);
    uint64_t often = goal_at(&a, 4 * SECOND);
    uint64_t once = goal_at(&b, 4 * SECOND);

    // The steps are of first order: e^(-3/2) against 2^-3, times slack.
    cr_assert(ge(u64, often, once));
    cr_assert(le(u64, often, 2 * once));
}

Test(scavenger, the_peak_never_falls_below_what_is_in_use) {
    struct fixture f = fixture_start();
    alloc(&f, 32 * MIB_PAGES);
    f.heap->peak_ns = SECOND;

    uint64_t goal = goal_at(&f, 1000000 * SECOND);

    cr_assert(eq(u64, f.heap->peak_pages, 32 * MIB_PAGES));
    cr_assert(eq(u64, goal, 2 * MIB_PAGES)); // a sixteenth
}

Test(scavenger, a_release_of_everything_gives_back_every_free_page_once) {
    struct fixture f = busy_start();
    uintptr_t starts[3];
    free_runs(&f, 3, (size_t[]){10, 700, 3 * CHUNK_PAGES + 1}, starts);
    uint64_t nbacked = f.heap->pages.nbacked;

    size_t released = scavenger_release(f.heap, SIZE_MAX >> PAGE_SHIFT);

    cr_assert(eq(sz, released, nbacked));
    cr_assert(eq(u64, nbacked, 10 + 700 + 3 * CHUNK_PAGES + 1));
    cr_assert(zero(u64, f.heap->pages.nbacked));
    cr_assert(eq(sz, mem_fake_total(MEM_RELEASED), nbacked << PAGE_SHIFT));
    cr_assert(zero(sz, scavenger_release(f.heap, SIZE_MAX >> PAGE_SHIFT)));
    fixture_verify(&f);
}

Test(scavenger, nothing_free_means_nothing_released) {
    struct fixture f = fixture_start();
    cr_assert(zero(sz, scavenger_release(f.heap, 1000)));
    alloc(&f, 100);

    cr_assert(zero(sz, scavenger_release(f.heap, 1000)));

    cr_assert(zero(u64, mem_fake_calls(MEM_RELEASE)));
}

Test(scavenger, released_pages_read_as_zero_and_others_keep_what_they_hold) {
    struct fixture f = fixture_start();
    struct mspan *kept = alloc(&f, 5);
    struct mspan *freed = alloc(&f, 5);
    alloc(&f, 1);
    char *p = (char *)mspan_start(kept);
    char *q = (char *)mspan_start(freed);
    memset(p, 'k', 5 * PAGE_SIZE);
    memset(q, 'f', 5 * PAGE_SIZE);
    release(&f, freed);

    scavenger_release(f.heap, 1000);

    cr_assert(eq(chr, p[5 * PAGE_SIZE - 1], 'k'));
    struct mspan *again = alloc(&f, 5);
    cr_assert(eq(ptr, (char *)mspan_start(again), q));
    cr_assert(not(again->needzero));
    for (int i = 0; i < 5 * PAGE_SIZE; i++)
        if (q[i] != 0)
            cr_fatal("byte %d is not zero", i);
}

Test(scavenger, small_requests_walk_down_from_the_top) {
    struct fixture f = fixture_start();
    uintptr_t start = free_run(&f, 20);
    for (unsigned i = 1; i <= 20; i++) {
        cr_assert(eq(sz, scavenger_release(f.heap, 1), 1));
        cr_assert(eq(sz, mem_fake_bytes(start, 20 * PAGE_SIZE, MEM_RELEASED),
                     i * (size_t)PAGE_SIZE));
        cr_assert(eq(int, mem_fake_state(start + (20 - i) * PAGE_SIZE),
                     MEM_RELEASED));
    }
    cr_assert(zero(sz, scavenger_release(f.heap, 1)));
}

Test(scavenger, every_arena_is_reached_the_highest_first) {
    struct fixture f = fixture_start();
    uintptr_t starts[4];
    struct mspan *runs[4];
    for (int i = 0; i < 4; i++) {
        runs[i] = alloc(&f, 16);
        starts[i] = mspan_start(runs[i]);
        alloc(&f, 300 * MIB_PAGES); // on to the next arena, downwards
    }
    for (int i = 0; i < 4; i++)
        release(&f, runs[i]);
    for (int i = 0; i < 4; i++) {
        uintptr_t highest = 0;
        for (int k = 0; k < 4; k++)
            if (starts[k] > highest)
                highest = starts[k];
        cr_assert(eq(sz, scavenger_release(f.heap, 16), 16));
        cr_assert(eq(sz, mem_fake_bytes(highest, 16 * PAGE_SIZE, MEM_RELEASED),
                     16 * (size_t)PAGE_SIZE));
        for (int k = 0; k < 4; k++)
            if (starts[k] == highest)
                starts[k] = 0;
    }
    fixture_verify(&f);
}

Test(scavenger, whole_huge_pages_go_before_parts_of_them) {
    struct fixture f = busy_start();
    uintptr_t starts[2];
    free_runs(&f, 2, (size_t[]){3 * HUGE_PAGES, 100}, starts);
    uintptr_t high = starts[1];
    cr_assert(lt(uptr, starts[0], high));

    cr_assert(
        eq(sz, scavenger_release(f.heap, 2 * HUGE_PAGES), 2 * HUGE_PAGES));

    cr_assert(zero(sz, mem_fake_bytes(high, 100 * PAGE_SIZE, MEM_RELEASED)));
}

Test(scavenger, no_more_pages_go_than_were_asked_for) {
    for (size_t npages = 1; npages <= 2000; npages = npages * 3 / 2 + 1) {
        struct fixture f = fixture_start();
        free_run(&f, 3 * CHUNK_PAGES);
        cr_assert(le(sz, scavenger_release(f.heap, npages), npages));
    }
}

Test(scavenger, a_refused_range_stays_and_the_others_go) {
    struct fixture f = busy_start();
    uintptr_t start = free_run(&f, 16 * CHUNK_PAGES);
    memset((void *)start, 'x', 16 * CHUNK_PAGES * PAGE_SIZE);
    uint64_t nbacked = f.heap->pages.nbacked;
    mem_fake_fail_at(MEM_RELEASE, 2, 1);

    size_t released = scavenger_release(f.heap, SIZE_MAX);

    uint64_t left = f.heap->pages.nbacked;
    cr_assert(eq(u64, nbacked, released + left));
    cr_assert(gt(u64, left, 0));
    cr_assert(le(u64, left, CHUNK_PAGES));
    cr_assert(eq(u64, f.stats->free_pages, left));
    cr_assert(eq(u64, mem_fake_failures(MEM_RELEASE), 1));
    cr_assert(not(f.heap->release_refused));
    fixture_verify(&f);
}

Test(scavenger,
     a_chunk_of_which_a_range_was_refused_is_left_alone_for_a_while) {
    struct fixture f = fixture_start();
    free_run(&f, 60 * MIB_PAGES);
    mem_fake_fail_at(MEM_RELEASE, 1, 1);
    scavenger_release(f.heap, SIZE_MAX);
    uint64_t left = f.heap->pages.nbacked;
    cr_assert(gt(u64, left, 0));

    scavenger_release_excess(f.heap, left, left);
    cr_assert(eq(u64, f.heap->pages.nbacked, left));
    f.heap->pages.now -= 10; // as if the refusal had been before
    struct pagecursor top;
    pagecursor_to_top(&top, &f.heap->pages);
    for (size_t i = 0; i < f.heap->pages.narenas; i++)
        for (int c = 0; c < ARENA_CHUNKS; c++)
            f.heap->pages.arenas[i]->taken[c] -= 10;
    cr_assert(eq(sz, scavenger_release(f.heap, SIZE_MAX), left));
}

Test(scavenger, where_every_release_is_refused_it_is_soon_not_tried_any_more) {
    struct fixture f = fixture_start();
    mem_fake_fail_at(MEM_RELEASE, 1, MEM_FOR_EVER);

    free_run(&f, 1024 * MIB_PAGES); // leaves much to give back
    cr_assert(eq(u64, f.heap->pages.nbacked, 1024 * MIB_PAGES));
    cr_assert(eq(u64, mem_fake_failures(MEM_RELEASE), 64));
    cr_assert(zero(sz, scavenger_release(f.heap, SIZE_MAX)));

    cr_assert(eq(u64, mem_fake_failures(MEM_RELEASE), 64));
    cr_assert(alloc(&f, 600)->needzero);
    fixture_verify(&f);
}

Test(scavenger, only_one_thread_is_at_it) {
    struct fixture f = fixture_start();
    free_run(&f, 20 * MIB_PAGES);
    atomic_store(&f.heap->scavenging, true);

    cr_assert(zero(sz, scavenger_release(f.heap, SIZE_MAX)));
    scavenger_forked(f.heap); // the other is not there any more

    cr_assert(gt(sz, scavenger_release(f.heap, SIZE_MAX), 0));
}

// scattered_start is a heap of which every second page is free.
static struct fixture scattered_start(void) {
    enum { N = 20000 };
    struct fixture f = busy_start();
    static struct mspan *s[N];
    for (int i = 0; i < N; i++)
        s[i] = alloc(&f, 1);
    for (int i = 0; i < N; i += 2)
        mheap_free_large(f.heap, s[i], mspan_start(s[i]), false, NULL);
    mheap_drop_kept(f.heap);
    return f;
}

Test(scavenger, a_free_gives_back_few_short_runs_and_a_tick_the_others) {
    enum { FREES = 1000 };
    struct fixture f = scattered_start();
    f.heap->short_ticks = sys_ticks() - 2 * (uint64_t)SYS_TICKS_STEP;
    uint64_t begin = sys_ticks();
    uint64_t before = mem_fake_calls(MEM_RELEASE);

    for (int i = 0; i < FREES; i++)
        scavenger_release_excess(f.heap, f.heap->pages.nbacked, 1);

    uint64_t nsteps = 2 + (sys_ticks() - begin) / SYS_TICKS_STEP;
    uint64_t ncalls = mem_fake_calls(MEM_RELEASE) - before;
    cr_assert(le(u64, ncalls, SHORT_RANGES * nsteps));

    // Long ones go at any time.
    f.heap->short_ticks = sys_ticks();
    uintptr_t start = free_run(&f, LONG_PAGES);
    mutex_lock(&f.heap->lock);
    f.heap->peak_pages = 0;
    mutex_unlock(&f.heap->lock);
    mheap_drop_held(f.heap);
    scavenger_release_excess(f.heap, LONG_PAGES, LONG_PAGES);
    cr_assert(eq(sz,
                 mem_fake_bytes(start, LONG_PAGES * PAGE_SIZE, MEM_RELEASED),
                 LONG_PAGES * (size_t)PAGE_SIZE));

    f.heap->pages.now += 100;
    uint64_t nbacked = f.heap->pages.nbacked;
    f.heap->peak_pages = 0;
    for (int i = 0; i < 1000 && f.heap->pages.nbacked == nbacked; i++) {
        make_due(&f);
        scavenger_tick(f.heap);
    }
    cr_assert(lt(u64, f.heap->pages.nbacked, nbacked));
    fixture_verify(&f);
}

Test(scavenger, scattered_pages_go_in_few_calls_and_bounded_steps) {
    enum { N = 20000 };
    struct fixture f = scattered_start();
    f.heap->half_life_ns = 0; // at once
    uint64_t nbacked = f.heap->pages.nbacked;

    size_t released = 0;
    for (int calls = 0; calls < 10 * N && released < nbacked - 300; calls++) {
        uint64_t before = f.heap->pages.nbacked;
        scavenger_release_excess(f.heap, nbacked, 1);
        released += before - f.heap->pages.nbacked;
    }

    cr_assert(ge(sz, released, nbacked - 300));
    fixture_verify(&f);
}

Test(scavenger, a_tick_gives_back_what_is_over_the_goal_a_part_at_a_time) {
    struct fixture f = busy_start();
    free_run(&f, 60 * MIB_PAGES);
    f.heap->peak_pages = 0; // all of the past is forgotten
    f.heap->peak_ns = sys_now_ns();
    uint64_t last = f.heap->pages.nbacked;

    for (int ticks = 0; ticks < 10; ticks++) {
        make_due(&f);
        scavenger_tick(f.heap);
        uint64_t now = f.heap->pages.nbacked;
        cr_assert(le(u64, last - now, TICK_PAGES));
        last = now;
    }

    cr_assert(le(u64, last, FLOOR_PAGES + 1));
    fixture_verify(&f);
}

Test(scavenger, a_tick_that_is_not_due_does_nothing) {
    struct fixture f = busy_start();
    free_run(&f, 60 * MIB_PAGES);
    f.heap->peak_pages = 0;
    make_due(&f);
    atomic_store(&f.heap->tick_ns, sys_now_ns() + 3600 * SECOND);

    for (int i = 0; i < 100; i++) {
        atomic_store(&f.heap->tick_ticks, 0);
        scavenger_tick(f.heap);
    }

    cr_assert(zero(u64, mem_fake_calls(MEM_RELEASE)));
}

Test(scavenger, a_child_of_fork_is_quiet) {
    struct fixture f = busy_start();
    free_run(&f, 60 * MIB_PAGES);
    f.heap->peak_pages = 0;
    atomic_store(&f.heap->quiet_pages, 100);

    make_due(&f);
    scavenger_tick(f.heap);

    cr_assert(zero(u64, mem_fake_calls(MEM_RELEASE)));
}

Test(scavenger, ticks_empty_the_stores_of_classes_out_of_use) {
    struct fixture f = fixture_start();
    struct mcentral *mc = mheap_class(f.heap, sizeclass_for(64));
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *batch[2] = {fixture_slot(s, 0), fixture_slot(s, 1)};
    mutex_lock(&mc->lock);
    mcentral_store_locked(mc, batch, 2);
    mutex_unlock(&mc->lock);

    for (int i = 0; i < 2; i++) {
        make_due(&f);
        scavenger_tick(f.heap);
    }

    cr_assert(zero(u64, mc->stats->ntransfer));
    cr_assert(eq(u32, s->nfree, 2));
}

Test(scavenger, a_freed_block_is_kept_for_its_second_use) {
    struct fixture f = busy_start();
    for (int i = 0; i < 1000; i++) {
        struct mspan *s = alloc(&f, 20 * MIB_PAGES);
        release(&f, s);
        make_due(&f);
        scavenger_tick(f.heap);
    }

    cr_assert(zero(u64, mem_fake_calls(MEM_RELEASE)));
    cr_assert(le(u64, f.stats->sys_pages, 64 * MIB_PAGES));
}
