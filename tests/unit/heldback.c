// heldback.c: what classes hold back, before fresh memory is touched.
#include "heap/heldback.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_grow.h"
#include "heap/mcentral_store.h"
#include "heap/smallspans.h"
#include "heap/takeback.h"

static uint64_t nlocks(void) {
    return atomic_load(&lockcounts[LOCKRANK_MCENTRAL][LOCKCOUNT_TAKEN]);
}

static void *slots[NUM_SIZECLASSES][TRANSFER_SLOTS];
static size_t nslots[NUM_SIZECLASSES];

// take_store takes as many objects of a class as its store has room for, and
// fill_store puts them there.
static void take_store(struct fixture *f, unsigned sizeclass) {
    struct mcentral *mc = mheap_class(f->heap, sizeclass);
    size_t n = mcentral_room_locked(mc);
    for (size_t i = 0; i < n; i++)
        slots[sizeclass][i] = mcentral_alloc_one(mc);
    nslots[sizeclass] = n;
}

static void fill_store(struct fixture *f, unsigned sizeclass) {
    struct mcentral *mc = mheap_class(f->heap, sizeclass);
    mutex_lock(&mc->lock);
    cr_assert(mcentral_store_locked(mc, slots[sizeclass], nslots[sizeclass]));
    mutex_unlock(&mc->lock);
}

static uint64_t nstored(struct fixture *f) {
    uint64_t nbytes = 0;
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        nbytes += f->stats->classes[i].ntransfer * sizeclass_bytes[i];
    return nbytes;
}

static bool any_bit(struct fixture *f) {
    for (unsigned i = 0; i < HELDBACK_WORDS; i++)
        if (f->heap->heldback.bits[i] != 0)
            return true;
    return false;
}

Test(heldback, growth_takes_no_lock_of_a_class_that_holds_nothing) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (size_t size = 16; size <= 4096; size += size / 4 + 8)
        for (int i = 0; i < 20; i++)
            fixture_malloc(&f, c, size);
    uint64_t before = nlocks();

    for (size_t npages = 600; npages < 620; npages++)
        fixture_large(&f, npages, 1);
    struct mspan *spans[8];
    for (int i = 0; i < 20; i++)
        cr_assert(gt(sz, mheap_alloc_spans(f.heap, 10, 1, 8, spans), 0));

    cr_assert(eq(u64, nlocks(), before));
    cr_assert(ge(u32, atomic_load(&f.heap->nfresh), 40));
}

Test(heldback, what_a_store_holds_serves_before_fresh_memory) {
    struct fixture f = fixture_start();
    unsigned sizeclass = sizeclass_for(8192);
    take_store(&f, sizeclass);
    fill_store(&f, sizeclass); // whole spans
    uint64_t sys = f.stats->sys_pages;
    uint64_t inuse = f.stats->inuse_pages;
    cr_assert(any_bit(&f));

    struct mspan *s = fixture_large(&f, nslots[sizeclass] / 2, 1);

    cr_assert(ne(ptr, s, NULL));
    cr_assert(eq(u64, f.stats->sys_pages, sys));
    cr_assert(le(u64, f.stats->inuse_pages, inuse));
    cr_assert(lt(u64, nstored(&f), 16 << 10));
    fixture_verify(&f);
}

Test(heldback, one_growth_takes_so_many_locks_and_the_next_goes_on) {
    struct fixture f = fixture_start();
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        take_store(&f, i);
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        fill_store(&f, i);
    cr_assert(gt(u64, nstored(&f), 16 << 20));

    for (int round = 0; nstored(&f) > (16 << 10) * NUM_SIZECLASSES; round++) {
        uint64_t locks = nlocks();
        mheap_take_back(f.heap);
        cr_assert(le(u64, nlocks() - locks, HELDBACK_STEPS));
        cr_assert(lt(int, round, 200));
        fixture_verify(&f);
    }

    for (int i = 0; i < 10; i++)
        mheap_take_back(f.heap);
    cr_assert(not(any_bit(&f)));
    uint64_t locks = nlocks();
    mheap_take_back(f.heap);
    cr_assert(eq(u64, nlocks(), locks));
    fixture_verify(&f);
}

Test(heldback, stores_of_sampled_objects_give_back_as_others_do) {
    struct fixture f = fixture_start();
    cr_assert(mheap_start_sampling(f.heap));
    struct mcentral *mc = &mheap_sampled(f.heap)[sizeclass_for(512)];
    void *p = mcentral_alloc_one(mc);
    cr_assert(not(any_bit(&f)));
    mcentral_free_one(mc, p); // its span is empty, and kept
    cr_assert(any_bit(&f));

    mheap_take_back(f.heap);

    cr_assert(not(any_bit(&f)));
    cr_assert(zero(u64, mc->stats->nspans));
    fixture_verify(&f);
}
