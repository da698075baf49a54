// mcache.c: the cache of one thread; here several in one thread.
#include "heap/mcache_slow.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "heap/cachebudget.h"
#include "heap/duemalloc.h"
#include "heap/freecheck.h"
#include "heap/largecache.h"
#include "heap/largespans.h"
#include "heap/mcentral_drain.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_grow.h"
#include "heap/verify.h"
#include "mem_fake.h"

enum {
    MANY = 20000,
    OWN_BYTES = 64 << 10,
    HEAP_SHARE = 8,
    SHARED_BYTES = 4 << 20
};

static size_t depth(struct mcache *c, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    return (size_t)(atomic_load_explicit(&m->top, memory_order_relaxed) -
                    atomic_load_explicit(&m->bottom, memory_order_relaxed));
}

// Capacity was granted when so much was in use.
static uint64_t budget(struct fixture *f) {
    return SHARED_BYTES + (f->heap->peak_pages << PAGE_SHIFT) / HEAP_SHARE +
           f->ncaches * OWN_BYTES;
}

static void check_budget(struct fixture *f) {
    uint64_t nbytes = fixture_cap_bytes(f);
    if (nbytes > budget(f))
        cr_fatal("caches may hold %lu bytes, the budget is %lu",
                 (unsigned long)nbytes, (unsigned long)budget(f));
}

Test(mcache, the_cache_of_threads_without_one_is_empty_and_full) {
    void *p = &p;
    for (unsigned c = 0; c < NUM_SIZECLASSES; c++) {
        cr_assert(eq(ptr, mcache_alloc(MCACHE_NONE, c), NULL));
        cr_assert(not(mcache_free(MCACHE_NONE, c, p)));
    }
}

Test(mcache, a_new_cache_is_empty_and_full) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    void *p = &p;
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        cr_assert(eq(ptr, mcache_alloc(c, i), NULL));
        cr_assert(not(mcache_free(c, i, p)));
    }
    fixture_verify(&f);
}

Test(mcache, class_0_is_always_full) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (size_t size = 1; size <= MAX_SMALL_SIZE; size *= 2)
        fixture_free(&f, c, fixture_malloc(&f, c, size));

    cr_assert(not(mcache_free(c, 0, c)));
    cr_assert(eq(ptr, mcache_alloc(c, 0), NULL));
}

Test(mcache, addresses_from_a_fresh_span_ascend_by_the_size_of_a_slot) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++) {
        size_t size = sizeclass_bytes[i];
        if (sizeclass_for(size) != i)
            continue; // 24 bytes
        uintptr_t first = (uintptr_t)fixture_malloc(&f, c, size);
        struct mspan *s = fixture_span_of(&f, (void *)first);
        for (unsigned k = 1; k < s->nelems; k++) {
            uintptr_t p = (uintptr_t)fixture_malloc(&f, c, size);
            if (p != first + k * size)
                cr_fatal("%zu bytes: slot %u is %ld from the first", size, k,
                         (long)(p - first));
        }
        cr_assert(zero(u32, s->nfree));
        cr_assert(eq(uptr, first, mspan_start(s)));
    }
}

Test(mcache, the_last_freed_slot_is_the_next_handed_out) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    void *a = fixture_malloc(&f, c, 100);
    void *b = fixture_malloc(&f, c, 100);

    fixture_free(&f, c, a);
    fixture_free(&f, c, b);

    cr_assert(eq(ptr, fixture_malloc(&f, c, 100), b));
    cr_assert(eq(ptr, fixture_malloc(&f, c, 100), a));
}

Test(mcache, every_malloc_is_counted_once) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    unsigned class = sizeclass_for(200);
    static void *p[1000];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++)
            p[i] = fixture_malloc(&f, c, 200);
        cr_assert(eq(u64, fixture_count(&f, class).live, 1000));
        for (int i = 0; i < 1000; i++)
            fixture_free(&f, c, p[i]);
    }

    cr_assert(eq(u64, fixture_count(&f, class).mallocs, 3000));
    cr_assert(zero(u64, fixture_count(&f, class).live));
    mcache_end(c, f.heap);
    cr_assert(eq(u64, f.stats->classes[class].nretired, 3000));
    cr_assert(zero(u64, fixture_count(&f, class).live));
}

Test(mcache, what_another_thread_freed_is_handed_out_after_a_refill) {
    enum { N = 500 };
    static void *p[N];
    struct fixture f = fixture_start();
    struct mcache *owner = fixture_cache(&f);
    struct mcache *other = fixture_cache(&f);
    unsigned class = sizeclass_for(64);
    for (int i = 0; i < N; i++)
        p[i] = fixture_malloc(&f, owner, 64);
    uint64_t nslots = f.stats->classes[class].nslots;
    for (int i = 0; i < N; i++)
        fixture_free(&f, other, p[i]);
    mcache_flush(other, f.heap);

    for (int i = 0; i < N; i++)
        p[i] = fixture_malloc(&f, owner, 64);

    cr_assert(eq(u64, f.stats->classes[class].nslots, nslots));
    fixture_verify(&f);
}

Test(mcache, producer_and_consumer_do_not_make_the_heap_grow) {
    struct fixture f = fixture_start();
    struct mcache *producer = fixture_cache(&f);
    struct mcache *consumer = fixture_cache(&f);
    static void *queue[1000];
    uint64_t after_warmup = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 1000; i++)
            queue[i] = fixture_malloc(&f, producer, 64);
        for (int i = 0; i < 1000; i++)
            fixture_free(&f, consumer, queue[i]);
        if (round == 10)
            after_warmup = f.stats->inuse_pages;
    }
    cr_assert(le(u64, f.stats->inuse_pages, after_warmup + 2));
    fixture_verify(&f);
}

Test(mcache, a_flushed_cache_holds_nothing_and_goes_on) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (size_t size = 8; size <= MAX_SMALL_SIZE; size = size * 3 / 2)
        fixture_free(&f, c, fixture_malloc(&f, c, size));

    mcache_flush(c, f.heap);

    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        cr_assert(zero(sz, depth(c, i)));
    cr_assert(zero(u64, c->cap_bytes));
    cr_assert(zero(u64, f.heap->shared_cache_bytes));
    fixture_verify(&f);
    cr_assert(ne(ptr, fixture_malloc(&f, c, 64), NULL));
    fixture_verify(&f);
}

// no_checks lets the next frees of 64 bytes go unchecked, as nearly all do in a
// process that has freed a while.
static void no_checks(struct fixture *f, struct mcache *c) {
    atomic_store(&f->heap->nchecked, UINT32_MAX / 2);
    fixture_free(f, c, fixture_malloc(f, c, 64));
}

Test(mcache, a_double_free_is_found_when_the_slots_go_back) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    no_checks(&f, c);
    void *p = fixture_malloc(&f, c, 64);
    void *q = fixture_malloc(&f, c, 64);
    fixture_free(&f, c, p);
    fixture_free(&f, c, q);
    fixture_free(&f, c, p);
    cr_assert(zero(sz, fixture_misused()));

    mcache_flush(c, f.heap);

    cr_assert(eq(sz, fixture_misused(), 1));
    cr_assert(eq(ptr, fixture_misused_at(0), p));
    cr_assert(zero(u64, fixture_count(&f, sizeclass_for(64)).live));
    fixture_verify(&f);
}

Test(mcache, a_slot_freed_twice_in_a_row_is_found_at_once) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    no_checks(&f, c);
    void *p = fixture_malloc(&f, c, 64);
    fixture_free(&f, c, p);
    cr_assert(not(mcache_free(c, sizeclass_for(64), p)));

    fixture_free(&f, c, p);

    cr_assert(eq(sz, fixture_misused(), 1));
    cr_assert(eq(ptr, fixture_malloc(&f, c, 64), p));
    cr_assert(ne(ptr, fixture_malloc(&f, c, 64), p));
    fixture_verify(&f);
}

Test(mcache, the_first_frees_of_a_process_are_checked) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    char *p = fixture_malloc(&f, c, 64);
    char *q = fixture_malloc(&f, c, 64);
    fixture_free(&f, c, p);
    fixture_free(&f, c, q);

    fixture_free(&f, c, p);      // in the magazine
    fixture_free(&f, c, q + 16); // no slot
    mcache_flush(c, f.heap);
    fixture_free(&f, c, q); // free in its span

    cr_assert(eq(sz, fixture_misused(), 3));
    cr_assert(eq(ptr, fixture_misused_at(0), p));
    cr_assert(eq(ptr, fixture_misused_at(1), q + 16));
    cr_assert(eq(ptr, fixture_misused_at(2), q));
    fixture_verify(&f);
}

Test(mcache, of_many_frees_one_in_4096_is_checked) {
    enum { N = 400 * CHECK_MOST };
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    unsigned class = sizeclass_for(64);
    uint64_t nchecked = 0;
    for (int i = 0; i < N; i++) {
        void *p = fixture_malloc(&f, c, 64);
        bool missed = !mcache_free(c, class, p);
        if (missed)
            mcache_overflow(c, f.heap, class, p, /* counting= */ true);
        if (i >= N / 2)
            nchecked += missed;
    }

    cr_assert(ge(u64, nchecked, N / 2 / CHECK_MOST - 1));
    cr_assert(le(u64, nchecked, N / 2 / CHECK_MOST + 1));
    cr_assert(zero(sz, fixture_misused()));
    fixture_verify(&f);
}

Test(mcache, interior_pointers_are_not_passed_on_to_others) {
    enum { N = 40 };
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    unsigned class = sizeclass_for(512);
    char *p[N];
    no_checks(&f, c);
    for (int i = 0; i < N; i++)
        p[i] = fixture_malloc(&f, c, 512);
    fixture_free(&f, c, p[0]); // which was to be checked

    for (int i = 1; i < N; i++)
        fixture_free(&f, c, i == 1 ? p[i] + 16 : p[i]);

    cr_assert(eq(sz, fixture_misused(), 1));
    cr_assert(eq(ptr, fixture_misused_at(0), p[1] + 16));
    mcache_flush(c, f.heap);
    cr_assert(eq(u64, fixture_count(&f, class).live, 1));
    fixture_verify(&f);
}

Test(mcache, an_interior_pointer_is_found_when_the_slots_go_back) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    atomic_store(&f.heap->nchecked, UINT32_MAX / 2);
    fixture_free(&f, c, fixture_malloc(&f, c, 512));
    char *p = fixture_malloc(&f, c, 512);
    fixture_free(&f, c, p + 16);

    mcache_flush(c, f.heap);

    cr_assert(eq(sz, fixture_misused(), 1));
    cr_assert(eq(ptr, fixture_misused_at(0), p + 16));
    fixture_verify(&f);
}

Test(mcache, a_double_free_through_two_caches_is_found) {
    struct fixture f = fixture_start();
    struct mcache *a = fixture_cache(&f);
    struct mcache *b = fixture_cache(&f);
    void *p = fixture_malloc(&f, a, 64);
    fixture_free(&f, a, p);
    fixture_free(&f, b, p);

    fixture_drain(&f);

    cr_assert(eq(sz, fixture_misused(), 1));
    fixture_verify(&f);
}

Test(mcache, a_first_malloc_takes_no_more_than_a_few_slots) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);

    fixture_malloc(&f, c, 64);
    fixture_malloc(&f, c, 32768);

    cr_assert(le(sz, depth(c, sizeclass_for(64)), 7));
    cr_assert(zero(sz, depth(c, sizeclass_for(32768))));
    cr_assert(le(u64, c->cap_bytes, 7 * 64 + 32768));
}

Test(mcache, a_magazine_grows_with_the_tides_of_its_class) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    static void *p[500];
    unsigned class = sizeclass_for(64);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 500; i++)
            p[i] = fixture_malloc(&f, c, 64);
        for (int i = 0; i < 500; i++)
            fixture_free(&f, c, p[i]);
    }

    cr_assert(ge(u32, c->shapes[class].cap, 500));
    fixture_verify(&f);
}

Test(mcache, caches_stay_within_the_budget_while_the_heap_grows,
     .timeout = 60) {
    enum { NCACHES = 8 };
    static void *kept[MANY];
    struct random r = random_from(5);
    struct fixture f = fixture_start();
    for (int i = 0; i < NCACHES; i++)
        fixture_cache(&f);
    for (unsigned i = 0; i < MANY; i++) {
        struct mcache *c = f.caches[random_below(&r, NCACHES)];
        size_t size = random_below(&r, 1 + random_below(&r, 16384));
        void *tide[300];
        size_t n = random_below(&r, 300) / (1 + size / 64);
        for (size_t k = 0; k < n; k++)
            tide[k] = fixture_malloc(&f, c, size);
        check_budget(&f);
        for (size_t k = 0; k < n; k++)
            fixture_free(&f, c, tide[k]);
        kept[i] = fixture_malloc(&f, c, size);
        if (i % 1000 == 0)
            fixture_verify(&f);
    }
    cr_assert(gt(u64, f.heap->shared_cache_bytes, 0)); // the budget was tried
    cr_assert(ne(ptr, kept[0], NULL));
}

Test(mcache, a_cache_never_holds_more_than_4_mib) {
    static void *kept[MANY];
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (unsigned i = 0; i < 8000; i++) // 250 MB: a budget of 8 MB
        kept[i] = fixture_malloc(&f, c, 32768);
    for (size_t size = 8; size <= 8192; size += size / 4 + 8)
        for (int round = 0; round < 20; round++) {
            static void *tide[1000];
            for (int i = 0; i < 1000; i++)
                tide[i] = fixture_malloc(&f, c, size);
            for (int i = 0; i < 1000; i++)
                fixture_free(&f, c, tide[i]);
            fixture_verify(&f); // looks at it
        }

    cr_assert(gt(u64, c->cap_bytes, 1 << 20));
    cr_assert(ne(ptr, kept[0], NULL));
}

Test(mcache, classes_out_of_use_give_their_capacity_to_others) {
    static void *tide[300];
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    // The whole budget of a small heap goes to large slots first.
    for (size_t size = 1024; size <= 8192; size *= 2)
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < 20; i++)
                tide[i] = fixture_malloc(&f, c, size);
            for (int i = 0; i < 20; i++)
                fixture_free(&f, c, tide[i]);
        }
    for (int round = 0; round < 3000; round++) {
        for (int i = 0; i < 300; i++)
            tide[i] = fixture_malloc(&f, c, 128);
        for (int i = 0; i < 300; i++)
            fixture_free(&f, c, tide[i]);
    }

    cr_assert(ge(u32, c->shapes[sizeclass_for(128)].cap, 200));
    fixture_verify(&f);
    check_budget(&f);
}

Test(mcache, what_sleeping_caches_hold_follows_a_heap_that_shrank) {
    enum { NCACHES = 8 };
    static void *kept[4000];
    static void *tide[500];
    struct fixture f = fixture_start();
    for (int i = 0; i < NCACHES; i++)
        fixture_cache(&f);
    for (unsigned i = 0; i < 4000; i++) // 128 MB
        kept[i] = fixture_malloc(&f, f.caches[0], 32768);
    for (int k = 0; k < NCACHES; k++)
        for (int round = 0; round < 50; round++) {
            for (int i = 0; i < 500; i++)
                tide[i] = fixture_malloc(&f, f.caches[k], 512);
            for (int i = 0; i < 500; i++)
                fixture_free(&f, f.caches[k], tide[i]);
        }
    for (unsigned i = 0; i < 4000; i++)
        fixture_free(&f, f.caches[0], kept[i]);
    mcentral_drain(mheap_class(f.heap, sizeclass_for(32768)));

    // Whatever else happens, a thread that sleeps keeps at most its own 4 MiB,
    // and all of them what the heap at its peak allowed.
    uint64_t peak = (uint64_t)4000 * 32768 * 17 / 16;
    cr_assert(le(u64, fixture_cap_bytes(&f),
                 peak / HEAP_SHARE + NCACHES * OWN_BYTES));
    fixture_verify(&f);
}

Test(mcache, without_memory_for_a_magazine_slots_come_one_by_one) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    unsigned class = sizeclass_for(64);
    fixture_malloc(&f, c, 8); // the heap has pages
    mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);
    while (persistentalloc(&f.heap->persistent, 64, 64, NULL) != NULL)
        continue;
    while (fixalloc_alloc(&f.heap->small_spans) != NULL)
        continue;
    // One record is left for the span.
    mem_fake_fail_at(MEM_MAP, 0, 0);
    mcentral_grow(mheap_class(f.heap, class));
    mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);
    while (persistentalloc(&f.heap->persistent, 64, 64, NULL) != NULL)
        continue;

    void *p = fixture_malloc(&f, c, 64);
    cr_assert(ne(ptr, p, NULL));
    cr_assert(zero(u32, c->shapes[class].cap));
    fixture_free(&f, c, p);

    cr_assert(zero(u64, fixture_count(&f, class).live));
    cr_assert(eq(u64, fixture_count(&f, class).mallocs, 1));
    fixture_verify(&f);
}

Test(mcache, capacity_is_booked_right_when_arrays_cannot_be_had,
     .timeout = 60) {
    static void *kept[4000];
    struct random r = random_from(17);
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    size_t nkept = 0;
    for (int round = 0; round < 400; round++) {
        // The heap breathes, and with it the budget; arrays come and go.
        bool grow = round / 40 % 2 == 0;
        for (int i = 0; i < 100 && grow && nkept < 4000; i++)
            kept[nkept++] = fixture_malloc(&f, c, 32768);
        for (int i = 0; i < 100 && !grow && nkept > 0; i++)
            fixture_free(&f, c, kept[--nkept]);
        mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);
        if (round % 3 == 0)
            while (persistentalloc(&f.heap->persistent, 64, 64, NULL) != NULL)
                continue;
        size_t size = 8 + random_below(&r, 2000);
        static void *tide[300];
        for (int k = 0; k < 4; k++) {
            for (int i = 0; i < 300; i++)
                tide[i] = fixture_malloc(&f, c, size);
            for (int i = 0; i < 300; i++)
                if (tide[i] != NULL)
                    fixture_free(&f, c, tide[i]);
        }
        mem_fake_fail_at(MEM_MAP, 0, 0);
        fixture_verify(&f);
    }
    mcache_flush(c, f.heap);
    cr_assert(zero(u64, f.heap->shared_cache_bytes));
}

Test(mcache, what_a_fork_left_behind_is_in_no_budget) {
    static void *tide[500];
    struct fixture f = fixture_start();
    struct mcache *own = fixture_cache(&f);
    struct mcache *gone = fixture_cache(&f);
    for (int i = 0; i < 2; i++)
        for (int round = 0; round < 50; round++) {
            for (int k = 0; k < 500; k++)
                tide[k] = fixture_malloc(&f, f.caches[i], 512);
            for (int k = 0; k < 500; k++)
                fixture_free(&f, f.caches[i], tide[k]);
        }
    struct mspan *s = mheap_alloc_large(f.heap, 8, 1, true);
    cr_assert(largecache_keep(gone, f.heap, s));
    uint64_t both = f.heap->shared_cache_bytes;

    cachebudget_book_only(f.heap, own);
    uint64_t shared = f.heap->shared_cache_bytes;
    cr_assert(gt(u64, shared, 0));
    cr_assert(lt(u64, shared, both));
    cachebudget_unbook(gone);
    mcache_end(gone, f.heap);
    cr_assert(eq(u64, f.heap->shared_cache_bytes, shared));
    cr_assert(zero(u64, fixture_count(&f, sizeclass_for(512)).live));
    mcache_flush(own, f.heap);

    cr_assert(zero(u64, f.heap->shared_cache_bytes));
    fixture_verify(&f);
}

Test(mcache, a_magazine_is_abandoned_with_its_count_kept_and_its_slots_leaked) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    unsigned class = sizeclass_for(64);
    static void *p[10];
    for (int i = 0; i < 10; i++)
        p[i] = fixture_malloc(&f, c, 64);
    for (int i = 0; i < 4; i++)
        fixture_free(&f, c, p[i]);
    uint64_t cached = fixture_count(&f, class).cached;

    cachebudget_unbook(c);
    mcache_abandon(c, f.heap, class);

    cr_assert(eq(u64, fixture_count(&f, class).mallocs, 10));
    cr_assert(zero(u64, fixture_count(&f, class).cached));
    cr_assert(eq(u64, fixture_count(&f, class).live, 6 + cached));
    cr_assert(zero(u32, mheap_verify(f.heap)));
    mcache_flush(c, f.heap);
    cr_assert(eq(u64, fixture_count(&f, class).live, 6 + cached));
    cr_assert(zero(u64, f.heap->shared_cache_bytes));
}

// struct live is an object of the random test, with what it should hold.
struct live {
    unsigned char *p;
    size_t size;
    unsigned char fill;
};

static void check_fill(const struct live *o) {
    for (size_t i = 0; i < o->size; i += o->size / 16 + 1)
        if (o->p[i] != o->fill)
            cr_fatal("an object of %zu bytes was overwritten", o->size);
}

Test(mcache, random_traffic_over_many_caches_loses_and_mixes_nothing,
     .timeout = 60) {
    enum { STEPS = 200000, LIVE = 6000, NCACHES = 5, EACH = 2000 };
    static struct live live[LIVE];
    static uint64_t mallocs[NUM_SIZECLASSES], nlive[NUM_SIZECLASSES];
    struct random r = random_from(9);
    struct fixture f = fixture_start();
    for (int i = 0; i < NCACHES; i++)
        fixture_cache(&f);
    for (unsigned step = 0; step < STEPS; step++) {
        struct live *o = &live[random_below(&r, LIVE)];
        struct mcache *c = f.caches[random_below(&r, NCACHES)];
        if (o->p == NULL) {
            o->size = random_below(&r, (size_t)1 << (3 + random_below(&r, 12)));
            o->p = fixture_malloc(&f, c, o->size);
            o->fill = (unsigned char)step;
            memset(o->p, o->fill, o->size);
            mallocs[sizeclass_for(o->size)]++;
            nlive[sizeclass_for(o->size)]++;
        } else {
            check_fill(o);
            fixture_free(&f, c, o->p);
            o->p = NULL;
            nlive[sizeclass_for(o->size)]--;
        }
        if (random_below(&r, 20000) == 0)
            mcache_flush(c, f.heap);
        if (step % EACH != 0)
            continue;
        fixture_verify(&f);
        check_budget(&f);
        for (unsigned k = 1; k < NUM_SIZECLASSES; k++) {
            struct fixture_count n = fixture_count(&f, k);
            if (n.live != nlive[k] || n.mallocs != mallocs[k])
                cr_fatal("step %u, class %u: %lu live of %lu, not %lu of %lu",
                         step, k, (unsigned long)n.live,
                         (unsigned long)n.mallocs, (unsigned long)nlive[k],
                         (unsigned long)mallocs[k]);
        }
    }
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i].p != NULL)
            fixture_free(&f, f.caches[i % NCACHES], live[i].p);
    fixture_drain(&f);
    fixture_verify(&f);
    cr_assert(zero(sz, fixture_misused()));
    cr_assert(zero(u64, f.stats->inuse_pages));
}

static struct mspan *large(struct fixture *f, size_t npages) {
    struct mspan *s = mheap_alloc_large(f->heap, npages, 1, true);
    cr_assert(ne(ptr, s, NULL));
    return s;
}

Test(mcache, a_large_object_comes_back_to_the_thread_that_freed_it) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    struct mspan *s = large(&f, 8);

    cr_assert(eq(ptr, largecache_use(c, 8), NULL));
    cr_assert(largecache_keep(c, f.heap, s));
    cr_assert(eq(int, mspan_state(s), MSPAN_KEPT));
    cr_assert(eq(ptr, largecache_use(c, 8 + LARGECACHE_SPANS), NULL));
    cr_assert(eq(ptr, largecache_use(c, 8), s));
    cr_assert(eq(int, mspan_state(s), MSPAN_LARGE));
    cr_assert(s->needzero);
    cr_assert(eq(ptr, largecache_use(c, 8), NULL));
    fixture_verify(&f);
}

Test(mcache, a_large_object_that_is_kept_makes_room_for_another_size) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    struct mspan *first = large(&f, 8);
    struct mspan *same = large(&f, 8);
    struct mspan *other = large(&f, 8 + LARGECACHE_SPANS);

    cr_assert(largecache_keep(c, f.heap, first));
    cr_assert(not(largecache_keep(c, f.heap, same)));
    cr_assert(largecache_keep(c, f.heap, other));

    cr_assert(eq(int, mspan_state(first), MSPAN_DEAD));
    cr_assert(eq(ptr, largecache_use(c, other->npages), other));
    fixture_verify(&f);
}

Test(mcache, large_objects_are_kept_within_the_budget) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (size_t npages = 100; npages <= KEPT_PAGES_MAX; npages++) {
        struct mspan *s = large(&f, npages);
        if (!largecache_keep(c, f.heap, s))
            mheap_free_large(f.heap, s, mspan_start(s), false, &(void *){NULL});
        check_budget(&f);
    }
    cr_assert(gt(u64, c->large.nheld, 0));
    cr_assert(le(u64, c->large.held_bytes, c->large.cap_bytes));
    fixture_verify(&f);
    mcache_flush(c, f.heap);
    cr_assert(zero(u64, c->large.nheld));
    cr_assert(zero(u64, c->large.held_bytes));
    cr_assert(zero(u64, c->cap_bytes));
    fixture_verify(&f);
}

// tide lets n objects of a size come and go, for so many rounds.
static void tide(struct fixture *f, struct mcache *c, size_t size, int n,
                 int nrounds) {
    static void *p[1000];
    for (int round = 0; round < nrounds; round++) {
        for (int i = 0; i < n; i++)
            p[i] = fixture_malloc(f, c, size);
        for (int i = 0; i < n; i++)
            fixture_free(f, c, p[i]);
    }
}

static uint64_t nlocks(void) {
    return atomic_load(&lockcounts[LOCKRANK_MCENTRAL][LOCKCOUNT_TAKEN]) +
           atomic_load(&lockcounts[LOCKRANK_MHEAP][LOCKCOUNT_TAKEN]);
}

Test(mcache, lists_of_100_objects_of_any_size_come_and_go_without_a_lock) {
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f = fixture_start();
        struct mcache *c = fixture_cache(&f);
        size_t size = i == 0 ? 16384 : 32768;
        f.heap->nchecked =
            2 * CHECKED_FREES * CHECKED_FREES; // few are checked now
        for (size_t other = 16; other <= 2048; other *= 2)
            tide(&f, c, other, 20, 4);
        tide(&f, c, size, 100, 20);
        uint64_t before = nlocks();

        tide(&f, c, size, 100, 20);

        // But for those of checks.
        cr_assert(le(u64, nlocks() - before, 4));
        fixture_verify(&f);
        check_budget(&f);
    }
}

Test(mcache, what_one_call_gives_back_before_growth_is_bounded) {
    enum { N = 4000, NCLASSES = 6 };
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    static void *p[NCLASSES][N];
    for (int round = 0; round < 30; round++) { // fresh memory is for the first
        for (size_t k = 0; k < NCLASSES; k++)
            for (int i = 0; i < N; i++)
                p[k][i] = fixture_malloc(&f, c, (k + 1) * 16);
        for (size_t k = 0; k < NCLASSES; k++)
            for (int i = 0; i < N; i++)
                fixture_free(&f, c, p[k][i]);
    }
    size_t all = 0;
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        all += depth(c, i);
    cr_assert(ge(sz, all, N * NCLASSES));
    atomic_fetch_add(&f.heap->nfresh, 1);
    mcache_trim(c, f.heap); // all of it was asked for up to here
    cr_assert(zero(u32, c->trim_at));

    atomic_fetch_add(&f.heap->nfresh, 1);
    unsigned ncalls = 0;
    do {
        size_t before = 0, after = 0;
        for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
            before += depth(c, i);
        mcache_trim(c, f.heap);
        for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
            after += depth(c, i);
        cr_assert(le(sz, before - after, MAGAZINE_SLOTS));
        ncalls++;
    } while (c->trim_at != 0 && ncalls < 100);

    cr_assert(ge(u32, ncalls, 3));
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        cr_assert(zero(sz, depth(c, i)));
    fixture_verify(&f);
}

Test(mcache, who_only_makes_or_only_frees_comes_by_once_for_12_kib) {
    enum { N = 4000, SIZE = 256 };
    static void *p[N];
    struct fixture f = fixture_start();
    struct mcache *maker = fixture_cache(&f);
    struct mcache *user = fixture_cache(&f);
    struct mcentral *mc = mheap_class(f.heap, sizeclass_for(SIZE));
    f.heap->nchecked = 2 * CHECKED_FREES * CHECKED_FREES; // few are checked now
    for (int i = 0; i < N; i++) {
        mcentral_alloc_one(mc); // stays, as do the spans
        p[i] = mcentral_alloc_one(mc);
    }
    mcentral_give_back(mc, p, N);

    for (int i = 0; i < N; i++)
        p[i] = fixture_malloc(&f, maker, SIZE);
    for (int i = 0; i < N; i++)
        fixture_free(&f, user, p[i]);

    // And some more until the magazine has grown.
    uint64_t most = N * SIZE / (12 << 10) + 20;
    cr_assert(le(u64, maker->nslow, most));
    cr_assert(le(u64, user->nslow, most));
    fixture_verify(&f);
}

Test(mcache, growth_leaves_a_class_what_is_asked_of_it) {
    enum { N = 100, ASKED = 10 };
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    tide(&f, c, 16384, N, 20);
    atomic_fetch_add(&f.heap->nfresh, 1);
    mcache_trim(c, f.heap);
    cr_assert(ge(sz, depth(c, sizeclass_for(16384)), N));

    tide(&f, c, 16384, ASKED, 1);
    atomic_fetch_add(&f.heap->nfresh, 1);
    mcache_trim(c, f.heap);

    cr_assert(eq(sz, depth(c, sizeclass_for(16384)), ASKED));
    fixture_verify(&f);
}

Test(mcache, large_objects_in_use_leave_small_ones_their_magazines) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    large(&f, 4096); // 32 MiB: a budget of 5
    struct mspan *a = large(&f, KEPT_PAGES_MAX);
    struct mspan *b = large(&f, KEPT_PAGES_MAX - 1);
    for (int round = 0; round < 20; round++) {
        largecache_keep(c, f.heap, a);
        largecache_keep(c, f.heap, b);
        cr_assert(eq(ptr, largecache_use(c, a->npages), a));
        cr_assert(eq(ptr, largecache_use(c, b->npages), b));
        for (size_t size = 16; size <= 1024; size *= 2)
            tide(&f, c, size, 200, 2);
    }

    for (size_t size = 16; size <= 1024; size *= 2)
        cr_assert(ge(u32, c->shapes[sizeclass_for(size)].cap,
                     min_size(200, (128 << 10) / size / 2)));
    cr_assert(largecache_keep(c, f.heap, a));
    fixture_verify(&f);
    check_budget(&f);
}

Test(mcache, magazines_take_capacity_from_large_objects_first) {
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    // Fresh memory would make the cache give up what it is not asked for.
    for (size_t size = 64; size <= 8192; size *= 2)
        tide(&f, c, size, 200, 1);
    mcache_flush(c, f.heap);
    struct mspan *s = large(&f, KEPT_PAGES_MAX * 5 / 8);
    // Others hold most of what all may have together.
    struct mcache *others[2] = {fixture_cache(&f), fixture_cache(&f)};
    for (int i = 0; i < 4; i++) {
        struct mspan *other = large(&f, KEPT_PAGES_MAX - 1 - i);
        cr_assert(largecache_keep(others[i / 2], f.heap, other));
    }
    mcache_trim(c, f.heap);
    cr_assert(largecache_keep(c, f.heap, s));
    tide(&f, c, 64, 200, 20);
    cr_assert(eq(u64, c->large.nheld, 1)); // its own does for that
    uint32_t cap = c->shapes[sizeclass_for(64)].cap;

    for (size_t size = 512; size <= 8192; size *= 2)
        tide(&f, c, size, 32, 20);

    cr_assert(zero(u64, c->large.nheld));
    cr_assert(zero(u64, c->large.cap_bytes));
    cr_assert(eq(u32, c->shapes[sizeclass_for(64)].cap, cap));
    for (size_t size = 512; size <= 8192; size *= 2)
        cr_assert(ge(u32, c->shapes[sizeclass_for(size)].cap,
                     min_size(16, (128 << 10) / size)));
    fixture_verify(&f);
    check_budget(&f);
}

Test(mcache, what_caches_served_is_counted_when_they_end) {
    enum { N = 10 };
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    struct mspan *s = large(&f, 8);
    for (int i = 0; i < N; i++) {
        cr_assert(largecache_keep(c, f.heap, s));
        cr_assert(eq(ptr, largecache_use(c, 8), s));
    }
    cr_assert(largecache_keep(c, f.heap, s));
    mcache_end(c, f.heap);

    const struct largestats *stats = &f.stats->large;
    cr_assert(eq(u64, stats->nmallocs, N + 1));
    cr_assert(eq(u64, stats->nfrees, N + 1));
    cr_assert(eq(u64, stats->total_alloc_bytes, (N + 1) * 8 * PAGE_SIZE));
    cr_assert(zero(u64, stats->alloc_bytes));
}

Test(mcache, idle_classes_give_way_before_fresh_memory_is_touched) {
    enum { N = 200 };
    static void *p[N];
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < N; i++)
            p[i] = fixture_malloc(&f, c, 512);
        for (int i = 0; i < N; i++)
            fixture_free(&f, c, p[i]);
    }
    struct mspan *s = large(&f, 8);
    cr_assert(largecache_keep(c, f.heap, s));
    cr_assert(gt(sz, depth(c, sizeclass_for(512)), 0));

    // Growth in another class, twice: the first time it is not known yet that
    // nobody asks for the others.
    for (int i = 0; i < MANY; i++)
        fixture_malloc(&f, c, 128);

    cr_assert(zero(sz, depth(c, sizeclass_for(512))));
    cr_assert(zero(u64, c->large.nheld));
    fixture_verify(&f);
}

Test(mcache, the_first_small_slots_of_two_threads_share_no_cache_line) {
    struct fixture f = fixture_start();
    struct mcache *a = fixture_cache(&f);
    struct mcache *b = fixture_cache(&f);
    for (size_t size = 8; size < LINE_BYTES; size += 8) {
        uintptr_t of_a[LINE_SLOTS];
        for (int i = 0; i < LINE_SLOTS; i++)
            of_a[i] = (uintptr_t)fixture_malloc(&f, a, size);
        for (int i = 0; i < LINE_SLOTS; i++) {
            uintptr_t of_b = (uintptr_t)fixture_malloc(&f, b, size);
            for (int k = 0; k < LINE_SLOTS; k++)
                cr_assert(ne(uptr, of_a[k] / LINE_BYTES, of_b / LINE_BYTES));
        }
    }
    fixture_verify(&f);
}

Test(mcache, a_slot_of_another_threads_line_is_not_handed_out_again_at_once) {
    struct fixture f = fixture_start();
    struct mcache *maker = fixture_cache(&f);
    struct mcache *user = fixture_cache(&f);
    void *p = fixture_malloc(&f, maker, 8);
    uintptr_t neighbour = (uintptr_t)fixture_malloc(&f, maker, 8);

    fixture_free(&f, user, p);
    uintptr_t own = (uintptr_t)fixture_malloc(&f, user, 8);

    cr_assert(ne(uptr, own / LINE_BYTES, neighbour / LINE_BYTES));
    fixture_verify(&f);
}

Test(mcache, hits_come_by_while_there_is_memory_to_return) {
    enum { N = 1000 };
    struct fixture f = fixture_start();
    struct mcache *c = fixture_cache(&f);
    unsigned class = sizeclass_for(100);
    atomic_store(&f.heap->nchecked, UINT32_MAX / 2);
    fixture_free(&f, c, fixture_malloc(&f, c, 100));
    duemalloc_arm(c, f.heap);
    cr_assert(not(c->armed)); // nothing is to be returned

    atomic_store(&f.heap->restless, true);
    duemalloc_arm(c, f.heap);
    unsigned ndue = 0;
    for (int i = 0; i < N; i++) {
        if (mcache_sample_due(c, class)) {
            cr_assert(eq(ptr, mcache_alloc(c, class), NULL));
            cr_assert(duemalloc_come_by(c, f.heap, class));
            ndue++;
        }
        void *p = mcache_alloc(c, class);
        cr_assert(ne(ptr, p, NULL));
        fixture_free(&f, c, p);
    }
    cr_assert(ge(u32, ndue, N / 100));
    cr_assert(eq(u64, fixture_count(&f, class).mallocs, N + 1));

    atomic_store(&f.heap->restless, false);
    while (!mcache_sample_due(c, class))
        fixture_free(&f, c, mcache_alloc(c, class));
    cr_assert(not(duemalloc_come_by(c, f.heap, class)));
    fixture_free(&f, c, mcache_alloc(c, class));
    for (int i = 0; i < N; i++)
        cr_assert(mcache_free(c, class, mcache_alloc(c, class)));
    fixture_verify(&f);
}
