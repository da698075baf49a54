// mheap.c: pages to spans and back, and address space from the system.
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_grow.h"
#include "heap/mcentral_store.h"
#include "heap/mheap.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "heap/repair.h"
#include "heap/slotarrays.h"
#include "heap/smallspans.h"
#include "heap/spanfree.h"
#include "heap/spansearch.h"
#include "heap/verify.h"
#include "mem_fake.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

static size_t pages(size_t nbytes) {
    return nbytes >> PAGE_SHIFT;
}

static size_t committed(void) {
    return mem_fake_total(MEM_COMMITTED) + mem_fake_total(MEM_POPULATED) +
           mem_fake_total(MEM_RELEASED);
}

// check_sys compares the heap's counters with what the system gave.
static void check_sys(struct fixture *f) {
    cr_assert(eq(sz, f->stats->sys_pages << PAGE_SHIFT, committed()));
    cr_assert(eq(u64, f->stats->sys_pages,
                 f->stats->inuse_pages + f->stats->free_pages +
                     f->stats->released_pages));
    fixture_verify(f);
}

Test(mheap, a_heap_before_its_first_span_has_asked_for_nothing) {
    struct fixture f = fixture_start();

    for (int kind = 0; kind < MEM_NCALLS; kind++)
        cr_assert(zero(u64, mem_fake_calls((enum mem_call)kind)));
    check_sys(&f);
}

Test(mheap, a_first_small_span_takes_little) {
    struct fixture f = fixture_start();

    mcentral_alloc_one(mheap_class(f.heap, sizeclass_for(64)));

    cr_assert(le(sz, committed(), 256 * KIB));
    cr_assert(zero(sz, mem_fake_total(MEM_POPULATED)));
    cr_assert(eq(u64, f.stats->inuse_pages, 1));
    check_sys(&f);
}

Test(mheap, spans_of_one_call_stand_side_by_side) {
    enum { WANT = 8 };
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(1024);
    struct mspan *spans[WANT];

    size_t n = mheap_alloc_spans(f.heap, c, 2, WANT, spans);

    cr_assert(eq(sz, n, WANT));
    for (unsigned i = 0; i < n; i++) {
        cr_assert(eq(uptr, mspan_start(spans[i]),
                     mspan_start(spans[0]) + i * 2 * PAGE_SIZE));
        cr_assert(eq(u32, spans[i]->nfree, spans[i]->nelems));
        cr_assert(eq(int, mspan_state(spans[i]), MSPAN_DEAD)); // not yet known
    }
    cr_assert(eq(u64, f.stats->inuse_pages, 2 * WANT));
}

Test(mheap, where_no_long_run_is_to_be_had_fewer_spans_come) {
    enum { WANT = 8 };
    struct fixture f = fixture_start();
    struct mspan *spans[WANT];
    struct mspan *blocks[400];
    size_t nblocks = 0;
    // Only runs of 3 pages are left, and the system gives no more.
    fixture_large(&f, 1, 1);
    mem_fake_fail_at(MEM_COMMIT, 1, MEM_FOR_EVER);
    while (nblocks < 400) {
        struct mspan *s = fixture_large(&f, 1, 1);
        if (s == NULL)
            break;
        blocks[nblocks++] = s;
    }
    cr_assert(gt(sz, nblocks, 12));
    for (size_t i = 0; i + 4 < nblocks; i++)
        if (i % 4 != 3)
            fixture_free_large(&f, blocks[i]);

    size_t n = mheap_alloc_spans(f.heap, sizeclass_for(1024), 2, WANT, spans);

    cr_assert(eq(sz, n, 1));
    cr_assert(eq(uptr, mspan_start(spans[0]) % PAGE_SIZE, 0));
}

Test(mheap, spans_come_from_short_runs_with_memory_before_fresh_ones) {
    enum { WANT = 8, N = 64 };
    struct fixture f = fixture_start();
    struct mspan *holes[N], *spans[WANT];
    for (int i = 0; i < N; i++) {
        holes[i] = fixture_large(&f, 2, 1);
        fixture_large(&f, 1, 1);
    }
    for (int i = 0; i < N; i++)
        fixture_free_large(&f, holes[i]);
    uint64_t nbacked = f.heap->pages.nbacked;

    size_t n = mheap_alloc_spans(f.heap, sizeclass_for(64), 1, WANT, spans);

    cr_assert(eq(sz, n, 2)); // two of the eight side by side
    cr_assert(eq(u64, f.heap->pages.nbacked, nbacked - 2));
}

Test(mheap, pages_are_populated_ahead_and_handed_out_next) {
    struct fixture f = fixture_start();
    f.heap->thp = THP_NEVER;     // else by regions: see hugepages.c
    for (int i = 0; i < 64; i++) // a heap of some size
        fixture_large(&f, pages(256 * KIB), 1);
    struct mspan *span;
    unsigned c = sizeclass_for(64);
    uint64_t ncalls = mem_fake_calls(MEM_POPULATE);

    mheap_alloc_spans(f.heap, c, 1, 1, &span);
    uintptr_t first = mspan_start(span);
    size_t ready = mem_fake_bytes(first, MIB, MEM_POPULATED);
    cr_assert(ge(sz, ready, 64 * KIB));
    cr_assert(eq(u64, f.stats->free_pages, pages(ready) - 1));
    for (size_t i = 1; i < pages(ready); i++) {
        mheap_alloc_spans(f.heap, c, 1, 1, &span);
        cr_assert(eq(uptr, mspan_start(span), first + i * PAGE_SIZE));
    }

    cr_assert(eq(u64, mem_fake_calls(MEM_POPULATE), ncalls + 1));
    cr_assert(zero(u64, f.stats->free_pages));
}

Test(mheap, what_could_not_be_populated_counts_as_without_memory) {
    struct fixture f = fixture_start();
    f.heap->thp = THP_NEVER;
    for (int i = 0; i < 64; i++)
        fixture_large(&f, pages(256 * KIB), 1);
    struct mspan *span;
    mem_fake_fail_at(MEM_POPULATE, 1, MEM_FOR_EVER);

    mheap_alloc_spans(f.heap, sizeclass_for(64), 1, 1, &span);

    cr_assert(eq(u64, mem_fake_failures(MEM_POPULATE), 1));
    cr_assert(zero(u64, f.stats->free_pages));
    cr_assert(zero(u64, f.heap->pages.nbacked));
    cr_assert(zero(u32, pagealloc_verify(&f.heap->pages)));
}

Test(mheap, a_child_of_fork_does_not_populate_before_it_asked_for_its_share) {
    struct fixture f = fixture_start();
    fixture_large(&f, pages(MIB), 1); // a heap that would
    struct mspan *span;
    atomic_store(&f.heap->quiet_pages, 10);

    for (int i = 0; i < 10; i++)
        mheap_alloc_spans(f.heap, sizeclass_for(64), 1, 1, &span);
    cr_assert(zero(u64, mem_fake_calls(MEM_POPULATE)));
    mheap_alloc_spans(f.heap, sizeclass_for(64), 1, 1, &span);

    cr_assert(eq(u64, mem_fake_calls(MEM_POPULATE), 1));
}

Test(mheap, pages_in_use_are_those_that_no_bitmap_calls_free) {
    enum { BLOCKS = 1024 }; // 64 MiB in 64 KiB
    static struct mspan *blocks[BLOCKS];
    struct fixture f = fixture_start();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = fixture_large(&f, 8, 1);
    for (int i = 0; i < BLOCKS; i += 3)
        fixture_free_large(&f, blocks[i]);

    uint64_t nfree = 0;
    for (size_t i = 0; i < f.heap->pages.narenas; i++)
        for (unsigned c = 0; c < ARENA_CHUNKS; c++)
            nfree += pallocbits_count(f.heap->pages.arenas[i]->chunks[c].free,
                                      0, CHUNK_PAGES);

    cr_assert(eq(u64, f.stats->inuse_pages, (BLOCKS - (BLOCKS + 2) / 3) * 8));
    cr_assert(eq(u64, f.stats->sys_pages - nfree, f.stats->inuse_pages));
    check_sys(&f);
}

Test(mheap, address_space_that_others_took_is_never_handed_out) {
    enum { ROUNDS = 5, HINTS = 3 };
    static struct {
        uintptr_t addr;
        size_t nbytes;
    } foreign[ROUNDS * HINTS];
    size_t nforeign = 0;
    struct fixture f = fixture_start();
    fixture_large(&f, 1, 1);
    for (int round = 0; round < ROUNDS; round++) {
        // Occupy where the heap would grow next.
        for (int i = 1; i <= HINTS; i++) {
            uintptr_t addr =
                f.heap->reserved_low - (size_t)i * 64 * MIB + 8 * MIB;
            if (!mem_fake_occupy(addr, 2 * MIB))
                continue;
            foreign[nforeign].addr = addr;
            foreign[nforeign++].nbytes = 2 * MIB;
        }
        for (int i = 0; i < 4; i++) {
            struct mspan *s = fixture_large(&f, pages(40 * MIB), 1);
            cr_assert(ne(ptr, s, NULL));
            uintptr_t start = mspan_start(s);
            uintptr_t end = start + (s->npages << PAGE_SHIFT);
            for (size_t k = 0; k < nforeign; k++)
                cr_assert(end <= foreign[k].addr ||
                              start >= foreign[k].addr + foreign[k].nbytes,
                          "round %d: memory inside a foreign mapping", round);
        }
    }
    cr_assert(ge(sz, nforeign, ROUNDS));
    check_sys(&f);
}

Test(mheap, neighbouring_pieces_of_address_space_serve_one_long_object) {
    struct fixture f = fixture_start();
    struct mspan *a = fixture_large(&f, pages(64 * MIB), 1);
    struct mspan *b = fixture_large(&f, pages(64 * MIB), 1);
    uint64_t sys_pages = f.stats->sys_pages;
    fixture_free_large(&f, a);
    fixture_free_large(&f, b);

    struct mspan *c = fixture_large(&f, pages(128 * MIB), 1);

    cr_assert(ne(ptr, c, NULL));
    cr_assert(eq(u64, f.stats->sys_pages, sys_pages));
    check_sys(&f);
}

Test(mheap, requests_beyond_the_address_space_fail_and_change_nothing) {
    static const size_t npages[] = {
        (size_t)1 << 34, (size_t)1 << 45,
        (size_t)PTRDIFF_MAX >> (PAGE_SHIFT + 1),
        (size_t)PTRDIFF_MAX >> PAGE_SHIFT, // more is refused before
    };
    struct fixture f = fixture_start();
    fixture_large(&f, 5, 1);
    for (unsigned i = 0; i < sizeof npages / sizeof npages[0]; i++)
        for (size_t align = 1; align <= (size_t)1 << 20; align <<= 10)
            cr_assert(eq(ptr, fixture_large(&f, npages[i], align), NULL));

    cr_assert(eq(u64, f.stats->inuse_pages, 5));
    cr_assert(eq(u64, f.stats->large.nmallocs, 1));
    check_sys(&f);
    cr_assert(ne(ptr, fixture_large(&f, 5, 1), NULL));
    check_sys(&f);
}

Test(mheap, a_large_heap_is_of_few_pieces_of_address_space) {
    enum { GIBS = 24, EACH_MIB = 20 };
    struct fixture f = fixture_start();
    for (int i = 0; i < GIBS * 1024 / EACH_MIB; i++)
        cr_assert(
            ne(ptr, fixture_large(&f, EACH_MIB * (MIB / PAGE_SIZE), 1), NULL));

    // 8, 8, 16, 32, ... to 1 GiB, 64 MiB each, and then 1/16 of the heap.
    cr_assert(le(u64, mem_fake_calls(MEM_RESERVE), 5 + 16 + 16 * 4));
}

Test(mheap, a_refused_reservation_is_tried_again_at_half_the_size) {
    struct fixture f = fixture_start();
    mem_fake_fail_at(MEM_RESERVE, 1, 3);

    struct mspan *s = fixture_large(&f, 4, 1);

    cr_assert(ne(ptr, s, NULL));
    cr_assert(eq(u64, mem_fake_calls(MEM_RESERVE), 4));
    cr_assert(eq(sz, mem_fake_total(MEM_RESERVED) + committed(), MIB));
    check_sys(&f);
}

Test(mheap, a_refused_commit_is_tried_again_with_what_is_needed) {
    struct fixture f = fixture_start();
    for (int i = 0; i < 100; i++) // commits go in larger steps now
        fixture_large(&f, pages(256 * KIB), 1);
    while (f.heap->pages.nfree > 0)
        fixture_large(&f, 1, 1);
    mem_fake_fail_at(MEM_COMMIT, 1, 1);

    cr_assert(ne(ptr, fixture_large(&f, 1, 1), NULL));

    cr_assert(eq(u64, mem_fake_failures(MEM_COMMIT), 1));
    check_sys(&f);
}

Test(mheap, at_a_limit_the_answer_is_null_and_after_a_free_it_is_service) {
    static struct mspan *blocks[1000];
    size_t n = 0;
    struct fixture f = fixture_start();
    mem_fake_limit(32 * MIB);
    while (n < 1000) {
        struct mspan *s = fixture_large(&f, pages(64 * KIB), 1);
        if (s == NULL)
            break;
        blocks[n++] = s;
    }
    cr_assert(ge(sz, n, 32 * 16 - 32)); // all but a little of the limit
    cr_assert(lt(sz, n, 32 * 16 + 1));
    check_sys(&f);

    fixture_free_large(&f, blocks[n / 2]);

    cr_assert(ne(ptr, fixture_large(&f, pages(64 * KIB), 1), NULL));
    cr_assert(eq(ptr, fixture_large(&f, pages(64 * KIB), 1), NULL));
    check_sys(&f);
}

Test(mheap, each_call_that_fails_once_leaves_a_sound_heap) {
    for (int kind = MEM_RESERVE; kind < MEM_NCALLS; kind++)
        for (unsigned nth = 1; nth < 40; nth++) {
            struct fixture f = fixture_start();
            struct mspan *spans[4], *large;
            unsigned c = sizeclass_for(2048);
            uint64_t failures = mem_fake_failures((enum mem_call)kind);
            mem_fake_fail_at((enum mem_call)kind, nth, 1);
            for (int i = 0; i < 10; i++) {
                size_t n = mheap_alloc_spans(f.heap, c, 4, 4, spans);
                cr_assert(zero(u32, pagealloc_verify(&f.heap->pages)));
                large = fixture_large(&f, pages(9 * MIB), 4);
                cr_assert(zero(u32, pagealloc_verify(&f.heap->pages)));
                for (size_t k = 0; k < n; k++)
                    mheap_free_span(f.heap, spans[k]);
                if (large != NULL && i % 2 == 0)
                    fixture_free_large(&f, large);
                fixture_verify(&f);
            }
            mem_fake_fail_at((enum mem_call)kind, 0, 0);
            cr_assert(ne(ptr, fixture_large(&f, pages(MIB), 1), NULL));
            fixture_verify(&f);
            if (mem_fake_failures((enum mem_call)kind) == failures)
                break; // it succeeds without that many calls
            cr_assert(lt(u32, nth, 39));
        }
}

// use_up_all_but leaves nfree pages free, no record of a span, and a system
// that gives nothing.
static void use_up_all_but(struct fixture *f, uint64_t nfree) {
    fixture_large(f, 1, 1);
    while (f->heap->pages.nfree > nfree)
        fixture_large(f, 1, 1);
    mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);
    mem_fake_fail_at(MEM_COMMIT, 1, MEM_FOR_EVER);
    while (persistentalloc(&f->heap->persistent, 64, 64, NULL) != NULL)
        continue;
    mutex_lock(&f->heap->lock);
    while (fixalloc_alloc(&f->heap->small_spans) != NULL)
        continue;
    mutex_unlock(&f->heap->lock);
}

Test(mheap, without_a_record_no_page_is_taken) {
    struct fixture f = fixture_start();
    struct mspan *spans[3];
    use_up_all_but(&f, 3);
    uint64_t inuse = f.stats->inuse_pages;
    uint64_t nmallocs = f.stats->large.nmallocs;

    cr_assert(eq(ptr, fixture_large(&f, 1, 1), NULL));
    cr_assert(
        zero(sz, mheap_alloc_spans(f.heap, sizeclass_for(1024), 1, 3, spans)));

    cr_assert(eq(u64, f.heap->pages.nfree, 3));
    cr_assert(eq(u64, f.stats->inuse_pages, inuse));
    cr_assert(eq(u64, f.stats->large.nmallocs, nmallocs));
    check_sys(&f);
    mem_fake_fail_at(MEM_MAP, 0, 0);
    cr_assert(ne(ptr, fixture_large(&f, 1, 1), NULL));
}

Test(mheap, with_records_for_some_spans_the_others_pages_go_back) {
    enum { LEFT = 2 };
    struct fixture f = fixture_start();
    struct mspan *spans[3];
    void *records[LEFT];
    for (int i = 0; i < LEFT; i++)
        records[i] = fixalloc_alloc(&f.heap->small_spans);
    use_up_all_but(&f, 3);
    for (int i = 0; i < LEFT; i++)
        fixalloc_free(&f.heap->small_spans, records[i]);
    uint64_t inuse = f.stats->inuse_pages;

    size_t n = mheap_alloc_spans(f.heap, sizeclass_for(1024), 1, 3, spans);

    cr_assert(eq(sz, n, LEFT));
    cr_assert(eq(u64, f.stats->inuse_pages, inuse + LEFT));
    cr_assert(eq(u64, f.heap->pages.nfree, 1));
    check_sys(&f);
}

Test(mheap, without_memory_from_the_system_records_take_free_pages) {
    struct fixture f = fixture_start();
    use_up_all_but(&f, 20);
    uint64_t sys_pages = f.stats->sys_pages;

    struct mspan *s = fixture_large(&f, 1, 1);

    cr_assert(ne(ptr, s, NULL));
    memset((char *)mspan_start(s), 's', PAGE_SIZE);
    uint64_t fed = sys_pages - f.stats->sys_pages;
    cr_assert(gt(u64, fed, 0));
    cr_assert(eq(u64, f.heap->pages.nfree, 20 - 1 - fed));
    fixture_verify(&f);
}

Test(mheap, the_span_around_any_byte_is_found) {
    struct fixture f = fixture_start();
    struct mspan *large = fixture_large(&f, 100, 1);
    void *p = mcentral_alloc_one(mheap_class(f.heap, sizeclass_for(64)));
    struct mspan *small = fixture_span_of(&f, p);
    uintptr_t start = mspan_start(large);
    uintptr_t end = start + 100 * PAGE_SIZE;

    cr_assert(eq(ptr, mheap_span_containing(f.heap, start), large));
    cr_assert(eq(ptr, mheap_span_containing(f.heap, start + 77777), large));
    cr_assert(eq(ptr, mheap_span_containing(f.heap, end - 1), large));
    cr_assert(ne(ptr, mheap_span_containing(f.heap, end), large));
    cr_assert(eq(ptr, mheap_span_containing(f.heap, (uintptr_t)p + 5), small));
    cr_assert(eq(ptr, mheap_span_containing(f.heap, start - 1), NULL));
    cr_assert(eq(ptr, mheap_span_containing(f.heap, 0), NULL));
    fixture_free_large(&f, large);

    cr_assert(eq(ptr, mheap_span_containing(f.heap, start), NULL));
}

Test(mheap, arrays_of_pointers_are_used_again_by_size) {
    struct fixture f = fixture_start();
    void **small = mheap_alloc_slotarray(f.heap, SLOTARRAY_MIN_LOG2);
    void **big = mheap_alloc_slotarray(f.heap, SLOTARRAY_MAX_LOG2);
    memset(big, 0xff, sizeof(void *) << SLOTARRAY_MAX_LOG2);
    uint64_t sys_bytes = f.heap->slotarray_sys;

    mheap_free_slotarray(f.heap, small, SLOTARRAY_MIN_LOG2);
    mheap_free_slotarray(f.heap, big, SLOTARRAY_MAX_LOG2);

    cr_assert(eq(ptr, mheap_alloc_slotarray(f.heap, SLOTARRAY_MAX_LOG2), big));
    cr_assert(
        eq(ptr, mheap_alloc_slotarray(f.heap, SLOTARRAY_MIN_LOG2), small));
    cr_assert(eq(u64, f.heap->slotarray_sys, sys_bytes));
    cr_assert(eq(u64, sys_bytes,
                 (sizeof(void *) << SLOTARRAY_MIN_LOG2) +
                     (sizeof(void *) << SLOTARRAY_MAX_LOG2)));
}

Test(mheap, verify_sees_every_kind_of_wrong_count) {
    struct fixture f = fixture_start();
    fixture_large(&f, 10, 1);
    fixture_full_span(&f, sizeclass_for(64));
    struct classstats *st = &f.stats->classes[sizeclass_for(64)];
    uint64_t *counters[] = {&st->nslots,
                            &st->nfree,
                            &st->nspans,
                            &f.stats->large.nmallocs,
                            &f.stats->large.alloc_bytes,
                            &f.heap->pages.nfree,
                            &f.heap->pages.nbacked};
    cr_assert(zero(u32, mheap_verify(f.heap)));
    for (unsigned i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        ++*counters[i];
        cr_assert(ne(u32, mheap_verify(f.heap), 0));
        --*counters[i];
    }
    --f.stats->inuse_pages;
    cr_assert(ne(u32, mheap_verify(f.heap), 0));
    ++f.stats->inuse_pages;

    cr_assert(zero(u32, mheap_verify(f.heap)));
}

Test(mheap, verify_sees_a_span_whose_page_is_free) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);

    pagealloc_free(&f.heap->pages, mspan_start(s) + 3 * PAGE_SIZE, 1, false);

    cr_assert(ne(u32, mheap_verify(f.heap), 0));
}

Test(mheap, two_heaps_know_nothing_of_each_other) {
    struct fixture a = fixture_start();
    struct fixture b = fixture_start();
    struct mspan *s = fixture_large(&a, 10, 1);

    cr_assert(eq(ptr, pagemap_span(&b.heap->pagemap, mspan_start(s)), NULL));
    cr_assert(zero(u64, b.stats->inuse_pages));
    fixture_verify(&a);
    fixture_verify(&b);
}

Test(mheap, at_a_limit_scattered_free_runs_make_room_for_a_long_one) {
    static struct mspan *blocks[40];
    struct fixture f = fixture_start();
    mem_fake_limit(40 * MIB);
    for (int i = 0; i < 36; i++)
        blocks[i] = fixture_large(&f, pages(MIB), 1);
    for (int i = 0; i < 36; i += 2)
        fixture_free_large(&f, blocks[i]);
    char *kept = (char *)mspan_start(blocks[1]);
    memset(kept, 'k', MIB);

    struct mspan *s = fixture_large(&f, pages(12 * MIB), 1);

    cr_assert(ne(ptr, s, NULL));
    memset((char *)mspan_start(s), 's', 12 * MIB);
    cr_assert(eq(chr, kept[0], 'k'));
    cr_assert(eq(chr, kept[MIB - 1], 'k'));
    check_sys(&f);
    // What was given back is not handed out; what is handed out can be used.
    for (int i = 0; i < 36; i += 2) {
        s = fixture_large(&f, pages(64 * KIB), 1);
        if (s != NULL)
            memset((char *)mspan_start(s), 't', 64 * KIB);
    }
    check_sys(&f);
}

// hold makes a lock look held by a thread that is not in this process.
static void hold(struct mutex *m) {
    atomic_store(&m->word, 4710 | MUTEX_CONTENDED);
}

Test(mheap, repair_rebuilds_pages_that_a_holder_left_half_changed) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 20, 1);
    fixture_large(&f, 20, 1);
    fixture_free_large(&f, s);
    struct arena *a = f.heap->pages.arenas[0];
    hold(&f.heap->lock);
    hold(&f.heap->persistent.lock);
    f.heap->pages.nfree += 7;
    f.heap->pages.nbacked -= 3;
    a->guessed[0] = 3; // before they were counted
    a->forbidden[0] = 4;
    memset(a->chunk_sums, 0, sizeof a->chunk_sums);
    memset(&a->sum, 0xff, sizeof a->sum);

    mheap_repair(f.heap, (bool[NUM_SIZECLASSES]){0});

    cr_assert(eq(u64, f.heap->pages.nbacked, 20));
    cr_assert(eq(sz, f.heap->nguessed, 2));
    cr_assert(eq(u32, f.heap->nforbidden, 1));
    fixture_verify(&f);
    cr_assert(eq(uptr, mspan_start(fixture_large(&f, 20, 1)), mspan_start(s)));
    fixture_verify(&f);
}

Test(mheap, repair_rebuilds_a_class_from_the_bits_of_its_spans) {
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(64);
    struct mcentral *mc = mheap_class(f.heap, c);
    struct mspan *s = fixture_full_span(&f, c);
    struct mspan *other = fixture_full_span(&f, c);
    for (unsigned i = 0; i < 10; i++)
        mcentral_free_one(mc, fixture_slot(s, i));
    hold(&mc->lock);
    list_remove(&s->link); // on its way from one list to another
    s->nfree = 77;
    mc->stats->nfree = 5;
    mc->stats->nspans = 9;

    mheap_repair(f.heap, (bool[NUM_SIZECLASSES]){0});

    cr_assert(eq(u32, s->nfree, 10));
    cr_assert(eq(u64, mc->stats->nspans, 2));
    cr_assert(zero(u32, other->nfree));
    fixture_verify(&f);
    for (unsigned i = 0; i < 10; i++)
        cr_assert(eq(ptr, fixture_span_of(&f, mcentral_alloc_one(mc)), s));
    fixture_verify(&f);
}

Test(mheap, repair_leaves_alone_what_nobody_held) {
    struct fixture f = fixture_start();
    struct mcentral *mc = mheap_class(f.heap, sizeclass_for(64));
    struct mspan *s = fixture_full_span(&f, mc->sizeclass);
    void *batch[2] = {fixture_slot(s, 0), fixture_slot(s, 1)};
    mutex_lock(&mc->lock);
    mcentral_store_locked(mc, batch, 2);
    mutex_unlock(&mc->lock);

    mheap_repair(f.heap, (bool[NUM_SIZECLASSES]){0});

    cr_assert(eq(u64, mc->stats->ntransfer, 2));
    fixture_verify(&f);
}

Test(mheap, a_class_that_nobody_used_is_not_touched) {
    struct fixture f = fixture_start();
    unsigned class = sizeclass_for(64);
    unsigned last = NUM_SIZECLASSES - 1;
    cr_assert(eq(u32, mheap_next_used(f.heap, 1), NUM_SIZECLASSES));

    cr_assert(mheap_class(f.heap, class) == mheap_central(f.heap, class));
    mheap_class(f.heap, last);

    cr_assert(mheap_is_used(f.heap, 0));
    cr_assert(eq(u32, mheap_next_used(f.heap, 1), class));
    cr_assert(eq(u32, mheap_next_used(f.heap, class + 1), last));
    cr_assert(eq(u32, mheap_next_used(f.heap, last + 1), last + 1));
    cr_assert(f.heap->central[class + 1].heap == NULL);
    cr_assert(zero(u64, f.heap->stats->classes[class + 1].elemsize));
    fixture_verify(&f);
}

Test(mheap, repair_frees_the_lock_of_a_class_that_nobody_used) {
    struct fixture f = fixture_start();
    struct mcentral *mc = mheap_central(f.heap, sizeclass_for(64));
    mc->lock.rank = LOCKRANK_MCENTRAL;
    mutex_lock(&mc->lock); // as before a fork
    bool rebuilt[NUM_SIZECLASSES];

    mheap_repair(f.heap, rebuilt);

    cr_assert(rebuilt[sizeclass_for(64)]);
    cr_assert(not(mutex_held(&mc->lock)));
    cr_assert(mcentral_alloc_one(mheap_class(f.heap, sizeclass_for(64))) !=
              NULL);
    fixture_verify(&f);
}
