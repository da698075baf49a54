// mcentral.c: the store of one class.
#include "heap/mcentral.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "heap/mcentral_drain.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_grow.h"
#include "heap/mcentral_store.h"
#include "heap/verify.h"
#include "mem_fake.h"

enum { MANY = 4096, BATCH_MAX = 64 };

// batch_of returns how many slots come and go at once in these tests.
static size_t batch_of(const struct mcentral *mc) {
    return clamp_size((64 << 10) / mc->elemsize, 1, BATCH_MAX);
}

static struct mcentral *central_for(struct fixture *f, size_t size) {
    return mheap_class(f->heap, sizeclass_for(size));
}

static size_t take(struct mcentral *mc, void **ret, size_t want) {
    mutex_lock(&mc->lock);
    size_t n = mcentral_take_locked(mc, ret, want);
    mutex_unlock(&mc->lock);
    return n;
}

static bool store(struct mcentral *mc, void *const *slots, size_t n) {
    mutex_lock(&mc->lock);
    bool ok = mcentral_store_locked(mc, slots, n);
    mutex_unlock(&mc->lock);
    return ok;
}

static void give_back(struct mcentral *mc, void *const *slots, size_t n) {
    mcentral_give_back(mc, slots, n);
}

Test(mcentral, an_empty_class_has_no_slot_until_it_grows) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    void *slots[8];

    cr_assert(zero(sz, take(mc, slots, 8)));
    cr_assert(mcentral_grow(mc));

    cr_assert(eq(sz, take(mc, slots, 8), 8));
    cr_assert(eq(u64, mc->stats->nslots, 128));
    cr_assert(eq(u64, mc->stats->nfree, 120));
    fixture_verify(&f);
}

Test(mcentral, a_batch_descends_so_that_the_lowest_slot_leaves_first) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    void *slots[32];
    mcentral_grow(mc);

    size_t n = take(mc, slots, 32);

    cr_assert(eq(sz, n, 32));
    for (unsigned i = 1; i < n; i++)
        cr_assert(eq(uptr, (uintptr_t)slots[i], (uintptr_t)slots[0] - i * 64));
}

Test(mcentral, hands_a_full_span_out_again_once_a_slot_came_back) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 48);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *slot = fixture_slot(s, 77);
    void *taken = NULL;
    cr_assert(zero(sz, take(mc, &taken, 1)));

    give_back(mc, &slot, 1);

    cr_assert(eq(sz, take(mc, &taken, 1), 1));
    cr_assert(eq(ptr, taken, slot));
    fixture_verify(&f);
}

Test(mcentral, the_fullest_span_is_drawn_from_first) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *emptier = fixture_full_span(&f, mc->sizeclass);
    struct mspan *fuller = fixture_full_span(&f, mc->sizeclass);
    cr_assert(ne(ptr, emptier, fuller));
    for (unsigned i = 0; i < 40; i++)
        give_back(mc, (void *[]){fixture_slot(emptier, i)}, 1);
    for (unsigned i = 0; i < 5; i++)
        give_back(mc, (void *[]){fixture_slot(fuller, i)}, 1);

    void *slots[6];
    cr_assert(eq(sz, take(mc, slots, 6), 6));

    cr_assert(zero(u32, fuller->nfree));
    cr_assert(eq(u32, emptier->nfree, 39));
    fixture_verify(&f);
}

Test(mcentral, a_batch_is_kept_whole_and_handed_on_as_it_is) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *batch[10], *taken[10];
    for (unsigned i = 0; i < 10; i++)
        batch[i] = fixture_slot(s, 7 * i % 10);

    cr_assert(store(mc, batch, 10));
    cr_assert(eq(u64, mc->stats->ntransfer, 10));
    cr_assert(zero(u32, s->nfree)); // nothing was looked at
    size_t n = take(mc, taken, 10);

    cr_assert(eq(sz, n, 10));
    cr_assert(zero(int, memcmp(batch, taken, sizeof batch)));
    cr_assert(zero(u64, mc->stats->ntransfer));
    fixture_verify(&f);
}

Test(mcentral, a_full_store_refuses_and_changes_nothing) {
    struct fixture f = fixture_start();
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct mcentral *mc = mheap_class(f.heap, c);
        static void *slots[TRANSFER_SLOTS + BATCH_MAX];
        for (unsigned i = 0; i < TRANSFER_SLOTS + BATCH_MAX; i++)
            slots[i] = mcentral_alloc_one(mc);
        size_t nstored = 0;
        while (nstored <= TRANSFER_SLOTS &&
               store(mc, slots + nstored, batch_of(mc)))
            nstored += batch_of(mc);
        size_t most = 512 << 10;
        cr_assert(ge(sz, nstored, batch_of(mc)));
        cr_assert(le(sz, nstored, TRANSFER_SLOTS));
        cr_assert(nstored * mc->elemsize <= most || nstored == batch_of(mc));
        cr_assert(eq(u64, mc->stats->ntransfer, nstored));
        give_back(mc, slots + nstored, TRANSFER_SLOTS + BATCH_MAX - nstored);
        mcentral_drain(mc);
        cr_assert(zero(u64, mc->stats->nslots));
    }
    fixture_verify(&f);
}

Test(mcentral, without_memory_for_the_store_batches_are_refused) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *batch[10];
    for (unsigned i = 0; i < 10; i++)
        batch[i] = fixture_slot(s, i);
    // Use up what the source of records has, so that it must ask.
    mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);
    while (persistentalloc(&f.heap->persistent, 64, 64, NULL) != NULL)
        continue;

    cr_assert(not(store(mc, batch, 10)));
    cr_assert(zero(u64, mc->stats->ntransfer));
    // It is not asked for again each time, but some time.
    uint64_t nfailures = mem_fake_failures(MEM_MAP);
    cr_assert(not(store(mc, batch, 10)));
    cr_assert(eq(u64, mem_fake_failures(MEM_MAP), nfailures));
    mem_fake_fail_at(MEM_MAP, 0, 0);

    unsigned n = 0;
    while (!store(mc, batch, 10) && n < 1000)
        n++;
    cr_assert(lt(u32, n, 1000));
    fixture_verify(&f);
}

Test(mcentral, without_memory_it_does_not_grow_and_does_later) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    mem_fake_fail_at(MEM_RESERVE, 1, MEM_FOR_EVER);

    cr_assert(not(mcentral_grow(mc)));
    cr_assert(eq(ptr, mcentral_alloc_one(mc), NULL));
    cr_assert(zero(u64, mc->stats->nslots));
    fixture_verify(&f);
    mem_fake_fail_at(MEM_RESERVE, 0, 0);

    cr_assert(ne(ptr, mcentral_alloc_one(mc), NULL));
    fixture_verify(&f);
}

Test(mcentral, spans_that_empty_go_back_beyond_a_small_reserve) {
    enum { NSPANS = 64 };
    static void *slots[MANY];
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 1024); // 8 to 16 slots a span
    size_t n = 0;
    while (mc->stats->nspans < NSPANS)
        slots[n++] = mcentral_alloc_one(mc);
    uint64_t inuse = f.stats->inuse_pages;

    while (n > 0)
        give_back(mc, &slots[--n], 1);

    cr_assert(le(u64, mc->stats->nspans, 2));
    cr_assert(eq(u64, mc->stats->nspans, mc->lists.nempty));
    cr_assert(lt(u64, f.stats->inuse_pages, inuse / 8));
    fixture_verify(&f);
    mcentral_drain(mc);
    cr_assert(zero(u64, f.stats->inuse_pages));
    fixture_verify(&f);
}

Test(mcentral, draining_takes_the_store_apart_and_leaves_live_spans_alone) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *batch[64];
    for (unsigned i = 0; i < 64; i++)
        batch[i] = fixture_slot(s, i);
    store(mc, batch, 64);

    mcentral_drain(mc);

    cr_assert(zero(u64, mc->stats->ntransfer));
    cr_assert(eq(u32, s->nfree, 64));
    cr_assert(eq(int, mspan_state(s), MSPAN_SMALL));
    cr_assert(eq(u64, mc->stats->nspans, 1));
    fixture_verify(&f);
}

Test(mcentral, only_a_class_that_nobody_visited_is_drained_as_idle) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *batch[4] = {fixture_slot(s, 0), fixture_slot(s, 1),
                      fixture_slot(s, 2), fixture_slot(s, 3)};
    store(mc, batch, 4);

    mcentral_drain_idle(mc); // the visit just now
    cr_assert(eq(u64, mc->stats->ntransfer, 4));
    mcentral_drain_idle(mc);

    cr_assert(zero(u64, mc->stats->ntransfer));
    cr_assert(eq(u32, s->nfree, 4));
}

Test(mcentral, a_slot_given_back_twice_is_reported_and_dropped) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *slots[3] = {fixture_slot(s, 5), fixture_slot(s, 6),
                      fixture_slot(s, 5)}; // twice in one batch

    give_back(mc, slots, 3);
    cr_assert(eq(sz, fixture_misused(), 1));
    cr_assert(eq(ptr, fixture_misused_at(0), slots[0]));
    give_back(mc, &slots[1], 1); // and across batches

    cr_assert(eq(sz, fixture_misused(), 2));
    cr_assert(eq(ptr, fixture_misused_at(1), slots[1]));
    cr_assert(eq(u32, s->nfree, 2));
    fixture_verify(&f);
}

Test(mcentral, what_is_no_slot_is_reported_and_dropped) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 48);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    struct mspan *other = fixture_full_span(&f, sizeclass_for(64));
    struct mspan *large = fixture_large(&f, 10, 1);
    static char alien[64];
    char *slot = fixture_slot(s, 3);
    void *wrong[] = {
        slot + 1,
        slot + 16,
        slot - 8,
        fixture_slot(s, s->nelems), // the tail behind the last slot
        fixture_slot(other, 0),
        (void *)mspan_start(large),
        (char *)mspan_start(large) + PAGE_SIZE,
        alien,
        NULL,
        (void *)UINTPTR_MAX,
        (void *)((uintptr_t)1 << ADDR_BITS),
    };
    enum { NWRONG = sizeof wrong / sizeof wrong[0] };

    give_back(mc, wrong, NWRONG);

    cr_assert(eq(sz, fixture_misused(), NWRONG));
    for (unsigned i = 0; i < NWRONG; i++)
        cr_assert(eq(ptr, fixture_misused_at(i), wrong[i]));
    cr_assert(zero(u32, s->nfree));
    cr_assert(zero(u32, other->nfree));
    fixture_verify(&f);
}

Test(mcentral, good_slots_among_wrong_ones_are_taken_back) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *slots[100];
    for (unsigned i = 0; i < 100; i++)
        slots[i] = (char *)fixture_slot(s, i) + (i % 10 == 3 ? 8 : 0);

    give_back(mc, slots, 100);

    cr_assert(eq(sz, fixture_misused(), 10));
    cr_assert(eq(u32, s->nfree, 90));
    fixture_verify(&f);
}

static uint64_t nlocks(void) {
    return atomic_load(&lockcounts[LOCKRANK_MCENTRAL][LOCKCOUNT_TAKEN]);
}

Test(mcentral, slots_of_a_few_spans_come_back_under_one_lock) {
    enum { NSPANS = 3, EACH = 80 };
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    void *slots[NSPANS * EACH];
    for (unsigned k = 0; k < NSPANS; k++) {
        struct mspan *s = fixture_full_span(&f, mc->sizeclass);
        for (unsigned i = 0; i < EACH; i++)
            slots[k * EACH + i] = fixture_slot(s, i);
    }
    uint64_t before = nlocks();

    give_back(mc, slots, NSPANS * EACH);

    cr_assert(eq(u64, nlocks() - before, 1));
    cr_assert(eq(u64, mc->stats->nfree, NSPANS * EACH));
    cr_assert(zero(sz, fixture_misused()));
    fixture_verify(&f);
}

Test(mcentral, a_whole_batch_of_misused_slots_is_reported_in_order) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *slots[50];
    for (unsigned i = 0; i < 50; i++)
        slots[i] = fixture_slot(s, i);
    give_back(mc, slots, 50);
    cr_assert(zero(sz, fixture_misused()));

    give_back(mc, slots, 50);

    cr_assert(eq(sz, fixture_misused(), 50));
    for (unsigned i = 0; i < 50; i++)
        cr_assert(eq(ptr, fixture_misused_at(i), slots[i]));
    cr_assert(eq(u32, s->nfree, 50));
    fixture_verify(&f);
}

Test(mcentral, slots_whose_span_left_while_they_were_on_their_way_are_misused) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    unsigned nelems = s->nelems;
    void *slots[MAX_SLOTS];
    for (unsigned i = 0; i < nelems; i++)
        slots[i] = fixture_slot(s, i);
    struct giveback rest;
    struct apart apart;
    cr_assert(eq(sz, mcentral_find(mc, slots, 4, &apart), 4));

    // They come back by another way, and the whole span with them.
    give_back(mc, slots, nelems);
    mcentral_drain(mc);
    cr_assert(zero(u64, mc->stats->nspans));
    mutex_lock(&mc->lock);
    size_t n = mcentral_put_locked(mc, slots, &apart, &rest);
    mutex_unlock(&mc->lock);
    mcentral_put_rest(mc, &rest);

    cr_assert(eq(sz, n, 4));
    cr_assert(eq(sz, fixture_misused(), 4));
    cr_assert(zero(u64, mc->stats->nfree));
    fixture_verify(&f);
}

// wrong_pointer returns an address near a slot that is none, or of another class.
static void *wrong_pointer(struct random *r, struct mspan *s, void *other) {
    char *slot = fixture_slot(s, (unsigned)random_below(r, s->nelems));
    switch (random_below(r, 4)) {
    case 0:
        return slot + 8;
    case 1:
        return fixture_slot(s, s->nelems); // behind the last
    case 2:
        return other;
    default:
        return NULL;
    }
}

Test(mcentral, of_random_batches_exactly_what_is_misused_is_reported) {
    enum { NSPANS = 4, STEPS = 3000, MOST = 60 };
    struct random r = random_from(23);
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 48); // 170 slots, and a tail
    struct mspan *other = fixture_full_span(&f, sizeclass_for(64));
    struct mspan *spans[NSPANS];
    bool is_free[NSPANS][MAX_SLOTS] = {{false}};
    for (unsigned k = 0; k < NSPANS; k++)
        spans[k] = fixture_full_span(&f, mc->sizeclass);
    size_t nreported = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        void *slots[MOST], *misused[MOST];
        size_t n = 1 + random_below(&r, MOST), nmisused = 0;
        unsigned k = 0, i = 0;
        for (size_t at = 0; at < n; at++) {
            if (random_below(&r, 4) == 0) // else side by side
                k = (unsigned)random_below(&r, NSPANS);
            i = random_below(&r, 4) == 0
                    ? (unsigned)random_below(&r, spans[k]->nelems)
                    : (i + 1) % spans[k]->nelems;
            slots[at] = fixture_slot(spans[k], i);
            bool wrong = random_below(&r, 50) == 0;
            if (wrong)
                slots[at] = wrong_pointer(&r, spans[k], fixture_slot(other, 0));
            if (wrong || is_free[k][i])
                misused[nmisused++] = slots[at];
            else
                is_free[k][i] = true;
        }
        // Of 64 reports the fixture keeps the first: so each step looks anew.
        fixture_forget_misused();
        give_back(mc, slots, n);

        if (fixture_misused() != nmisused)
            cr_fatal("step %u: %zu misused, %zu reported", step, nmisused,
                     fixture_misused());
        for (size_t at = 0; at < nmisused; at++)
            cr_assert(eq(ptr, fixture_misused_at(at), misused[at]));
        nreported += nmisused;
        // Some of the free ones are taken again; never all of a span are free.
        void *taken[256];
        size_t ntaken = take(mc, taken, 50 + random_below(&r, 200));
        for (size_t at = 0; at < ntaken; at++)
            for (unsigned j = 0; j < NSPANS; j++) {
                unsigned slot = mspan_slot_of(spans[j], (uintptr_t)taken[at]);
                if (slot != SLOT_NONE)
                    is_free[j][slot] = false;
            }
        for (unsigned j = 0; j < NSPANS; j++) {
            if (mspan_state(spans[j]) != MSPAN_SMALL)
                cr_fatal("step %u: a span left", step);
            for (unsigned slot = 0; slot < spans[j]->nelems; slot++)
                if (is_free[j][slot] != mspan_is_free(spans[j], slot))
                    cr_fatal("step %u: span %u, slot %u", step, j, slot);
        }
        if (step % 100 == 0)
            fixture_verify(&f);
    }
    cr_assert(gt(sz, nreported, 1000));
    fixture_verify(&f);
}

Test(mcentral, a_slot_of_a_span_that_left_is_reported) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    void *p = mcentral_alloc_one(mc);
    give_back(mc, &p, 1);
    mcentral_drain(mc);
    cr_assert(zero(u64, mc->stats->nspans));

    give_back(mc, &p, 1);

    cr_assert(eq(sz, fixture_misused(), 1));
    fixture_verify(&f);
}

Test(mcentral, one_at_a_time_is_counted_as_it_goes) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    void *slots[300];

    for (unsigned i = 0; i < 300; i++)
        slots[i] = mcentral_alloc_one(mc);
    for (unsigned i = 0; i < 100; i++)
        mcentral_free_one(mc, slots[i]);

    struct fixture_count n = fixture_count(&f, mc->sizeclass);
    cr_assert(eq(u64, n.mallocs, 300));
    cr_assert(eq(u64, n.live, 200));
}

Test(mcentral, verify_sees_a_span_in_the_wrong_list) {
    struct fixture f = fixture_start();
    struct mcentral *mc = central_for(&f, 64);
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *slot = fixture_slot(s, 0);
    give_back(mc, &slot, 1);
    cr_assert(zero(u32, mheap_verify(f.heap)));

    list_remove(&s->link); // in no list, though it has a free slot

    cr_assert(ne(u32, mheap_verify(f.heap), 0));
}

Test(mcentral, random_traffic_keeps_every_list_and_count_right, .timeout = 60) {
    enum { STEPS = 20000, NCLASSES = 6, EACH = 50 };
    static const size_t sizes[NCLASSES] = {8, 48, 512, 1152, 8192, 32768};
    static void *live[NCLASSES][MANY];
    size_t nlive[NCLASSES] = {0};
    struct random r = random_from(3);
    struct fixture f = fixture_start();
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned k = (unsigned)random_below(&r, NCLASSES);
        struct mcentral *mc = central_for(&f, sizes[k]);
        void *batch[BATCH_MAX];
        size_t n = 1 + random_below(&r, batch_of(mc));
        bool up = (step >> 11 & 1) == 0; // tides
        if (random_below(&r, 8) < (up ? 6 : 2) && nlive[k] + n <= MANY) {
            n = take(mc, batch, n);
            if (n == 0)
                cr_assert(mcentral_grow(mc));
            for (size_t i = 0; i < n; i++)
                live[k][nlive[k]++] = batch[i];
        } else {
            if (n > nlive[k])
                n = nlive[k];
            for (size_t i = 0; i < n; i++) {
                size_t at = random_below(&r, nlive[k]);
                batch[i] = live[k][at];
                live[k][at] = live[k][--nlive[k]];
            }
            if (n > 0 && (random_below(&r, 2) == 0 || !store(mc, batch, n)))
                give_back(mc, batch, n);
        }
        if (random_below(&r, 500) == 0)
            mcentral_drain(mc);
        if (step % EACH == 0)
            fixture_verify(&f);
    }
    cr_assert(zero(sz, fixture_misused()));
    for (unsigned k = 0; k < NCLASSES; k++) {
        unsigned c = sizeclass_for(sizes[k]);
        cr_assert(eq(u64, fixture_count(&f, c).live, nlive[k]));
        give_back(mheap_class(f.heap, c), live[k], nlive[k]);
        mcentral_drain(mheap_class(f.heap, c));
    }
    fixture_verify(&f);
    cr_assert(zero(u64, f.stats->inuse_pages));
}
