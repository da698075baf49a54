// holes.c: pages of the system that are free inside spans in use.
#include "heap/holes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "heap/mcache_slow.h"
#include "heap/hugepages.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_hold.h"
#include "heap/mcentral_store.h"
#include "heap/repair.h"
#include "heap/scavenger.h"
#include "heap/scavenger_visit.h"
#include "mem_fake.h"

enum { OS_PAGE = 4096 };

static struct mcentral *central_of(struct fixture *f, const struct mspan *s) {
    return &f->heap->central[s->sizeclass];
}

static void free_slot(struct fixture *f, struct mspan *s, unsigned slot) {
    void *p = fixture_slot(s, slot);
    mcentral_give_back(central_of(f, s), &p, 1);
}

static size_t take(struct fixture *f, unsigned sizeclass, void **ret,
                   size_t want) {
    struct mcentral *mc = &f->heap->central[sizeclass];
    mutex_lock(&mc->lock);
    size_t n = mcentral_take_locked(mc, ret, want);
    mutex_unlock(&mc->lock);
    return n;
}

// keep_only frees all slots of a full span but those between first and last.
static void keep_only(struct fixture *f, struct mspan *s, unsigned first,
                      unsigned last) {
    for (unsigned i = 0; i < s->nelems; i++)
        if (i < first || i > last)
            free_slot(f, s, i);
}

// litter fills spans of a class, and frees all but the first object of each.
static void litter(struct fixture *f, unsigned sizeclass, struct mspan **s,
                   unsigned n) {
    for (unsigned i = 0; i < n; i++)
        s[i] = fixture_full_span(f, sizeclass);
    for (unsigned i = 0; i < n; i++)
        keep_only(f, s[i], 0, 0);
}

// page_is_hole says, slot by slot, whether all that overlap a page are free.
static bool page_is_hole(const struct mspan *s, unsigned page) {
    uintptr_t start = (uintptr_t)page * OS_PAGE, end = start + OS_PAGE;
    bool any = false;
    for (unsigned i = 0; i < s->nelems; i++) {
        uintptr_t at = (uintptr_t)i * s->elemsize;
        if (at >= end || at + s->elemsize <= start)
            continue;
        if (!mspan_is_free(s, i))
            return false;
        any = true;
    }
    return any;
}

static uint64_t hole_bytes(struct fixture *f) {
    uint64_t sum = 0;
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++)
        sum += f->stats->classes[c].hole_bytes;
    return sum;
}

// tick lets the next tick look, and a walk begin.
static void tick(struct fixture *f) {
    f->heap->holes.begin_ns = 0;
    f->heap->holes.nvain = 0;
    do {
        atomic_store(&f->heap->tick_ticks, 0);
        atomic_store(&f->heap->tick_ns, 0);
        scavenger_tick(f->heap);
    } while (f->heap->holes.at != 0);
}

Test(holes, a_page_whose_slots_are_all_free_goes_and_the_others_stay) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *s = fixture_full_span(&f, sizeclass_for(64));
    uintptr_t start = mspan_start(s);
    memset((void *)start, 'x', PAGE_SIZE);
    keep_only(&f, s, 3, 3);

    cr_assert(eq(sz, scavenger_release_holes(f.heap), OS_PAGE));

    cr_assert(eq(int, mem_fake_state(start + OS_PAGE), MEM_RELEASED));
    cr_assert(ne(int, mem_fake_state(start), MEM_RELEASED));
    cr_assert(eq(chr, *(char *)(start + OS_PAGE - 1), 'x'));
    cr_assert(eq(chr, *(char *)(start + OS_PAGE), 0));
    cr_assert(eq(u64, hole_bytes(&f), OS_PAGE));
    cr_assert(zero(sz, scavenger_release_holes(f.heap)));
    fixture_verify(&f);
}

Test(holes, of_every_class_exactly_the_pages_without_a_live_byte_go) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct random r = random_from(131);
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct mspan *s = fixture_full_span(&f, c);
        unsigned kept = (unsigned)random_below(&r, s->nelems);
        for (unsigned i = 0; i < s->nelems; i++)
            if (i != kept && random_below(&r, 8) > 0)
                free_slot(&f, s, i);
        unsigned npages = (unsigned)(s->npages * PAGE_SIZE / OS_PAGE);
        bool hole[2 * MAX_CLASS_PAGES];
        size_t want = 0;
        for (unsigned i = 0; i < npages; i++) {
            hole[i] = page_is_hole(s, i);
            want += hole[i] ? OS_PAGE : 0;
        }

        size_t got = scavenger_release_holes(f.heap);

        cr_assert(eq(sz, got, want), "class %u", c);
        for (unsigned i = 0; i < npages; i++) {
            bool gone =
                mem_fake_state(mspan_start(s) + i * OS_PAGE) == MEM_RELEASED;
            cr_assert(gone == hole[i], "class %u, page %u", c, i);
        }
        fixture_verify(&f);
    }
}

Test(holes, slots_on_pages_with_memory_are_handed_out_first) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(64);
    struct mspan *a = fixture_full_span(&f, c);
    struct mspan *b = fixture_full_span(&f, c);
    keep_only(&f, a, 40, 40); // its second page goes
    keep_only(&f, b, 70, 70); // its first page goes
    scavenger_release_holes(f.heap);
    cr_assert(eq(u64, hole_bytes(&f), 2 * OS_PAGE));

    enum { BACKED = 2 * 63 };
    void *slots[BACKED];
    size_t n = 0;
    while (n < BACKED) {
        size_t got = take(&f, c, slots + n, min_size(BACKED - n, 16));
        cr_assert(gt(sz, got, 0));
        n += got;
        fixture_verify(&f);
    }

    cr_assert(eq(u64, hole_bytes(&f), 2 * OS_PAGE));
    for (size_t i = 0; i < n; i++)
        cr_assert(ne(int,
                     mem_fake_state(align_down((uintptr_t)slots[i], OS_PAGE)),
                     MEM_RELEASED));
    cr_assert(eq(sz, take(&f, c, slots, 1), 1));
    cr_assert(eq(u64, hole_bytes(&f), OS_PAGE));
    fixture_verify(&f);
}

Test(holes, first_slots_of_a_thread_may_lie_on_a_released_page) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(32);
    struct mspan *s = fixture_full_span(&f, c);
    for (unsigned i = 0; i < s->nelems; i++)
        if (i >= s->nelems / 2 || i % LINE_SLOTS == 1)
            free_slot(&f, s, i);
    scavenger_release_holes(f.heap);
    cr_assert(eq(u64, hole_bytes(&f), OS_PAGE));

    void *lines[LINE_SLOTS];
    struct mcentral *mc = &f.heap->central[c];
    mutex_lock(&mc->lock);
    size_t n = mcentral_take_lines_locked(mc, lines);
    mutex_unlock(&mc->lock);

    cr_assert(eq(sz, n, LINE_SLOTS));
    cr_assert(zero(u64, hole_bytes(&f)));
    fixture_verify(&f);
}

Test(holes, a_span_that_was_used_since_the_last_walk_is_left_out) {
    FIXTURE_NEEDS_SMALL_PAGES();
    enum { N = 400 };
    struct fixture f = fixture_start();
    static struct mspan *s[N];
    litter(&f, sizeclass_for(64), s, N);

    tick(&f);
    cr_assert(zero(u64, hole_bytes(&f)));
    cr_assert(eq(int, f.heap->holes_left, HOLES_LATER));
    for (int i = 0; i < N / 2; i++) // of every other half of them
        free_slot(&f, s[2 * i], 0), take(&f, s[0]->sizeclass, &(void *){0}, 1);
    uint64_t before = mem_fake_calls(MEM_RELEASE);
    tick(&f);

    cr_assert(gt(u64, hole_bytes(&f), 0));
    cr_assert(gt(u64, mem_fake_calls(MEM_RELEASE), before));
    tick(&f);
    tick(&f);
    uint64_t free_pages = 0;
    for (int i = 0; i < N; i++)
        if (mspan_state(s[i]) == MSPAN_SMALL && mspan_home(s[i]) != NULL)
            free_pages += (s[i]->released & 3) != 0;
    cr_assert(ge(u64, free_pages, N / 2 - 2));
    cr_assert(eq(int, f.heap->holes_left, HOLES_NONE));
    fixture_verify(&f);
}

Test(holes, side_by_side_they_go_in_one_call) {
    FIXTURE_NEEDS_SMALL_PAGES();
    enum { N = 64 };
    struct fixture f = fixture_start();
    struct mspan *s[N];
    litter(&f, sizeclass_for(4096), s, N);
    uint64_t before = mem_fake_calls(MEM_RELEASE);

    size_t nbytes = scavenger_release_holes(f.heap);

    unsigned each = s[N - 1]->nelems - 1u;
    cr_assert(ge(sz, nbytes, (N - 1) * each * OS_PAGE));
    cr_assert(le(u64, mem_fake_calls(MEM_RELEASE) - before, N));
    fixture_verify(&f);
}

Test(holes, a_refused_page_stays_as_it_was_and_the_others_go) {
    FIXTURE_NEEDS_SMALL_PAGES();
    enum { N = 20 };
    for (unsigned nth = 1; nth <= N; nth++) {
        struct fixture f = fixture_start();
        struct mspan *s[N];
        for (int i = 0; i < N; i++) {
            s[i] = fixture_full_span(&f, sizeclass_for(64));
            memset((void *)mspan_start(s[i]), 'x', PAGE_SIZE);
        }
        for (int i = 0; i < N; i++)
            keep_only(&f, s[i], 0, 0);
        mem_fake_fail_at(MEM_RELEASE, nth, 1);

        size_t nbytes = scavenger_release_holes(f.heap);

        cr_assert(eq(sz, nbytes, (N - 1) * OS_PAGE));
        cr_assert(eq(u64, hole_bytes(&f), nbytes));
        unsigned nkept = 0;
        for (int i = 0; i < N; i++)
            nkept += ((char *)mspan_start(s[i]))[OS_PAGE] == 'x';
        cr_assert(eq(u32, nkept, 1));
        fixture_verify(&f);
        cr_assert(eq(sz, scavenger_release_holes(f.heap), OS_PAGE));
    }
}

Test(holes, where_every_release_is_refused_it_is_soon_not_tried_any_more) {
    FIXTURE_NEEDS_SMALL_PAGES();
    enum { N = 200 };
    struct fixture f = fixture_start();
    struct mspan *s[N];
    litter(&f, sizeclass_for(64), s, N);
    mem_fake_fail_at(MEM_RELEASE, 1, MEM_FOR_EVER);

    cr_assert(zero(sz, scavenger_release_holes(f.heap)));

    cr_assert(f.heap->release_refused);
    cr_assert(lt(u64, mem_fake_failures(MEM_RELEASE), N));
    cr_assert(zero(u64, hole_bytes(&f)));
    fixture_verify(&f);
}

Test(holes, a_span_in_hands_takes_slots_back_and_gives_none) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(64);
    struct mspan *s = fixture_full_span(&f, c);
    struct mcentral *mc = central_of(&f, s);
    keep_only(&f, s, 0, 1);
    mutex_lock(&mc->lock);
    uint32_t holes = mcentral_hold_locked(mc, s, HOLD_ANY);
    mutex_unlock(&mc->lock);
    cr_assert(eq(u32, holes, 2));
    void *p;

    cr_assert(zero(sz, take(&f, c, &p, 1)));
    free_slot(&f, s, 0);
    free_slot(&f, s, 0); // a double free is seen as ever
    cr_assert(eq(sz, fixture_misused(), 1));
    free_slot(&f, s, 1);
    cr_assert(eq(u64, mc->stats->nfree, s->nelems));
    cr_assert(eq(int, mspan_state(s), MSPAN_SMALL));
    fixture_verify(&f);
    mutex_lock(&mc->lock);
    mcentral_unhold_locked(mc, s, holes, /* refused= */ false);
    mutex_unlock(&mc->lock);

    cr_assert(eq(u32, mc->lists.nempty, 1));
    cr_assert(eq(sz, take(&f, c, &p, 1), 1));
    cr_assert(eq(ptr, p, fixture_slot(s, 0)));
    fixture_verify(&f);
}

Test(holes, a_child_of_fork_takes_back_what_was_in_hands) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(64);
    struct mspan *s = fixture_full_span(&f, c);
    struct mcentral *mc = central_of(&f, s);
    keep_only(&f, s, 0, 1);
    mutex_lock(&mc->lock);
    f.heap->holes.held[0].holes = mcentral_hold_locked(mc, s, HOLD_ANY);
    f.heap->holes.held[0].span = s;
    f.heap->holes.nheld = 1;
    mutex_unlock(&mc->lock);

    scavenger_forked(f.heap);

    void *p;
    cr_assert(eq(sz, take(&f, c, &p, 1), 1));
    cr_assert(zero(u32, s->released));
    scavenger_forked(f.heap);
    fixture_verify(&f);
}

Test(holes, the_advice_for_huge_pages_is_taken_back_once) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    hugepages_init(f.heap, THP_AUTO);
    struct mcache *cache = fixture_cache(&f);
    enum { N = 8 << 20 >> 9 };
    static char *p[N];
    for (int i = 0; i < N; i++)
        p[i] = fixture_malloc(&f, cache, 512);
    cr_assert(gt(u64, mem_fake_calls(MEM_HUGEPAGES), 0));
    for (int i = 0; i < N; i++)
        if (i % 16 != 0)
            fixture_free(&f, cache, p[i]);
    mcache_flush(cache, f.heap);

    scavenger_release_holes(f.heap);

    uint64_t n = mem_fake_calls(MEM_NO_HUGEPAGES);
    cr_assert(gt(u64, n, 0));
    cr_assert(le(u64, n, 4));
    fixture_verify(&f);
}

Test(holes, pages_of_a_span_that_empties_are_released_ones_of_the_heap) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *other = fixture_full_span(&f, sizeclass_for(8192));
    struct mspan *s = fixture_full_span(&f, sizeclass_for(8192));
    cr_assert(gt(u32, s->nelems, 4));
    (void)other;
    keep_only(&f, s, 1, 1);
    size_t nbytes = scavenger_release_holes(f.heap);
    cr_assert(eq(sz, nbytes, (s->nelems - 1) * (size_t)PAGE_SIZE));
    uint64_t before = f.stats->released_pages;

    free_slot(&f, s, 1);
    fixture_drain(&f);

    cr_assert(eq(u64, f.stats->released_pages - before, nbytes >> PAGE_SHIFT));
    cr_assert(zero(u64, hole_bytes(&f)));
    fixture_verify(&f);
}

Test(holes, what_is_rebuilt_from_the_bits_keeps_what_is_right_of_it) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    struct mspan *s = fixture_full_span(&f, sizeclass_for(64));
    struct mcentral *mc = central_of(&f, s);
    keep_only(&f, s, 0, 0);
    scavenger_release_holes(f.heap);
    // A thread that ceased to exist had taken a slot, and no more than its bit.
    s->freebits[1] &= ~(uint64_t)1;
    static bool rebuilt[NUM_SIZECLASSES];
    mutex_lock(&mc->lock);

    mheap_repair(f.heap, rebuilt);

    cr_assert(zero(u32, s->released));
    cr_assert(zero(u64, hole_bytes(&f)));
    fixture_verify(&f);
}

Test(holes, none_are_made_where_they_are_off) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    keep_only(&f, fixture_full_span(&f, sizeclass_for(64)), 0, 0);
    f.heap->holes.off = true;

    cr_assert(zero(sz, scavenger_release_holes(f.heap)));
}

// grow lets the heap touch so much for the first time, for objects of 64 bytes.
static void grow(struct fixture *f, uint64_t nbytes) {
    uint64_t end = f->heap->fresh_bytes + nbytes;
    while (f->heap->fresh_bytes < end)
        fixture_full_span(f, sizeclass_for(64));
}

enum { LITTER = 512 };

Test(holes, what_no_class_uses_any_more_pays_for_fresh_memory) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    static struct mspan *s[LITTER];
    unsigned c = sizeclass_for(4096);
    litter(&f, c, s, LITTER);
    uint64_t nbytes = LITTER * (uint64_t)(s[LITTER - 1]->nelems - 1) * 4096;
    cr_assert(f.heap->trades);

    grow(&f, (f.stats->inuse_pages << PAGE_SHIFT) / 8);
    cr_assert(zero(u64, hole_bytes(&f)));
    grow(&f, nbytes);

    cr_assert(ge(u64, hole_bytes(&f), nbytes / 8 * 7));
    fixture_verify(&f);
}

Test(holes, a_class_that_is_used_pays_for_nothing) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    static struct mspan *s[LITTER];
    unsigned c = sizeclass_for(4096);
    litter(&f, c, s, LITTER);

    for (int i = 0; i < 100; i++) {
        void *p;
        cr_assert(eq(sz, take(&f, c, &p, 1), 1));
        grow(&f, 1 << 20);
    }

    cr_assert(zero(u64, hole_bytes(&f)));
    fixture_verify(&f);
}

Test(holes, what_is_used_again_ends_it_for_a_while) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = fixture_start();
    static struct mspan *s[LITTER];
    unsigned c = sizeclass_for(4096);
    litter(&f, c, s, LITTER);
    grow(&f, 20 << 20);
    uint64_t given = hole_bytes(&f);
    cr_assert(gt(u64, given, 4 << 20));
    void *p;
    while (hole_bytes(&f) > given / 2)
        cr_assert(eq(sz, take(&f, c, &p, 1), 1));
    given = hole_bytes(&f);

    grow(&f, 40 << 20);

    cr_assert(not(holes_pay(f.heap)));
    cr_assert(eq(u64, hole_bytes(&f), given));
    fixture_verify(&f);
}

Test(holes, single_pages_pay_as_well) {
    FIXTURE_NEEDS_SMALL_PAGES();
    enum { N = 2048 };
    struct fixture f = fixture_start();
    static struct mspan *s[N];
    litter(&f, sizeclass_for(512), s, N); // one page of each span is free

    grow(&f, 60 << 20);

    cr_assert(eq(u64, hole_bytes(&f), N * (uint64_t)4096));
    fixture_verify(&f);
}

// struct model is what a test knows of an object.
struct model {
    unsigned char *p;
    size_t size;
    unsigned char mark;
};

static void model_check(const struct model *m) {
    if (m->p[0] == m->mark && memcmp(m->p, m->p + 1, m->size - 1) == 0)
        return;
    for (size_t i = 0; i < m->size; i++)
        if (m->p[i] != m->mark)
            cr_fatal("byte %zu of %zu at %p is %d", i, m->size, (void *)m->p,
                     m->p[i]);
}

static void randomly(uint64_t seed) {
    enum { N = 3000, STEPS = 60 };
    struct fixture f = fixture_start();
    struct random r = random_from(seed);
    struct mcache *caches[2] = {fixture_cache(&f), fixture_cache(&f)};
    static struct model models[N];
    memset(models, 0, sizeof models);
    for (int step = 0; step < STEPS; step++) {
        uint64_t from = random_below(&r, N), n = random_below(&r, N);
        size_t most = (size_t)16 << random_below(&r, 12);
        unsigned percent = (unsigned)random_below(&r, 101);
        for (uint64_t i = 0; i < n; i++) {
            struct model *m = &models[(from + i) % N];
            struct mcache *c = caches[random_below(&r, 2)];
            if (m->p != NULL && random_below(&r, 100) < percent) {
                model_check(m);
                fixture_free(&f, c, m->p);
                m->p = NULL;
            } else if (m->p == NULL) {
                m->size = 1 + random_below(&r, most);
                m->p = fixture_malloc(&f, c, m->size);
                m->mark = (unsigned char)random_next(&r);
                if (m->p != NULL)
                    memset(m->p, m->mark, m->size);
            }
        }
        if (random_below(&r, 3) == 0)
            mem_fake_fail_at(MEM_RELEASE, 1 + (unsigned)random_below(&r, 20),
                             1 + (unsigned)random_below(&r, 3));
        if (random_below(&r, 2) == 0)
            mcache_flush(caches[random_below(&r, 2)], f.heap);
        if (random_below(&r, 2) == 0)
            tick(&f);
        else
            scavenger_release_holes(f.heap);
        fixture_verify(&f);
        cr_assert(zero(sz, fixture_misused()));
    }
    for (int i = 0; i < N; i++)
        if (models[i].p != NULL) {
            model_check(&models[i]);
            fixture_free(&f, caches[0], models[i].p);
        }
    fixture_drain(&f);
    cr_assert(zero(u64, hole_bytes(&f)));
    fixture_verify(&f);
}

Test(holes, whatever_comes_and_goes_no_byte_is_lost) {
    FIXTURE_NEEDS_SMALL_PAGES();
    // An emulator takes minutes for one seed.
    uint64_t nseeds = getenv("TESTS_SLOWER") != NULL ? 2 : 12;
    for (uint64_t seed = 1; seed <= nseeds; seed++)
        randomly(seed);
}
