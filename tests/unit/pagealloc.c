// pagealloc.c: first fit over bitmaps and sums. No memory stands behind the
// pages here: addresses are all that counts.
#include "heap/pagealloc.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"
#include "heap/pagecursor.h"
#include "mem_fake.h"

// Pages are numbered from BASE, which begins an arena.
static const uintptr_t BASE = 0x700000000000;
static const size_t NOWHERE = SIZE_MAX;

static struct pagemap map;
static struct persistent source;
static struct pagealloc pa;

static void start(void) {
    persistent_init(&source);
    pagealloc_init(&pa, &map, &source);
}

static uintptr_t addr_of(size_t page) {
    return BASE + (page << PAGE_SHIFT);
}

// grow adds free pages, as mheap does with new address space.
static void grow(size_t page, size_t npages) {
    cr_assert(pagealloc_cover(&pa, addr_of(page), npages << PAGE_SHIFT));
    pagealloc_free(&pa, addr_of(page), npages, /* scavenged= */ true);
}

static void grow_chunks(size_t chunk, size_t nchunks) {
    grow(chunk * CHUNK_PAGES, nchunks * CHUNK_PAGES);
}

// take_backed searches from the top, in all chunks however young.
static uintptr_t take_backed(struct pagealloc *all, size_t align, size_t min,
                             size_t most, size_t *ret_npages) {
    struct pagecursor c;
    unsigned steps = UINT_MAX;
    pagecursor_to_top(&c, all);
    return pagecursor_take(&c, all, align, min, most, 0, &steps, ret_npages);
}

static size_t alloc(size_t npages) {
    size_t nscavenged;
    uintptr_t addr = pagealloc_alloc(&pa, npages, 1, &nscavenged);
    return addr == 0 ? NOWHERE : (addr - BASE) >> PAGE_SHIFT;
}

static void free_pages(size_t page, size_t npages) {
    pagealloc_free(&pa, addr_of(page), npages, /* scavenged= */ false);
}

// use takes pages that are known to be free.
static void use(size_t page, size_t npages) {
    size_t nscavenged;
    cr_assert(pagealloc_alloc_at(&pa, addr_of(page), npages, &nscavenged));
}

static bool is_free(size_t page) {
    return pagealloc_is_free(&pa, addr_of(page));
}

static void verify(void) {
    cr_assert(zero(u32, pagealloc_verify(&pa)));
}

Test(pagealloc, with_no_address_space_there_is_nothing_to_have) {
    start();

    cr_assert(eq(sz, alloc(1), NOWHERE));
    cr_assert(eq(sz, alloc(SIZE_MAX >> PAGE_SHIFT), NOWHERE));
    cr_assert(not(is_free(0)));
    verify();
}

Test(pagealloc, arenas_stay_in_order_however_they_come) {
    static const size_t arenas[] = {5, 2, 9, 3, 1, 50000, 7, 6};
    enum { N = sizeof arenas / sizeof arenas[0] };
    start();

    for (unsigned i = 0; i < N; i++)
        grow(arenas[i] * ARENA_PAGES + 17, 3);

    cr_assert(eq(sz, pa.narenas, N));
    cr_assert(eq(u64, pa.nfree, 3 * N));
    verify();
    cr_assert(eq(sz, alloc(3), 1 * ARENA_PAGES + 17));
    cr_assert(eq(sz, alloc(3), 2 * ARENA_PAGES + 17));
    cr_assert(eq(sz, alloc(3), 3 * ARENA_PAGES + 17));
}

Test(pagealloc, more_arenas_than_the_first_array_holds_are_no_trouble) {
    enum { N = 70 };
    start();

    for (size_t i = N; i-- > 0;)
        grow(2 * i * ARENA_PAGES, 1);

    cr_assert(eq(sz, pa.narenas, N));
    verify();
    for (size_t i = 0; i < N; i++)
        cr_assert(eq(sz, alloc(1), 2 * i * ARENA_PAGES));
}

Test(pagealloc, covering_what_is_covered_takes_no_memory) {
    start();
    cr_assert(pagealloc_cover(&pa, BASE, ARENA_BYTES));
    uint64_t ncalls = mem_fake_calls(MEM_MAP);

    cr_assert(pagealloc_cover(&pa, BASE, ARENA_BYTES));
    cr_assert(pagealloc_cover(&pa, BASE + ARENA_BYTES - 1, 1));

    cr_assert(eq(u64, mem_fake_calls(MEM_MAP), ncalls));
    cr_assert(pagealloc_cover(&pa, BASE + ARENA_BYTES - 1, 2));
    cr_assert(eq(sz, pa.narenas, 2));
}

Test(pagealloc, without_memory_for_metadata_nothing_is_lost) {
    start();
    for (unsigned nth = 1; nth <= 4; nth++) {
        mem_fake_fail_at(MEM_MAP, nth, 1);
        bool ok = pagealloc_cover(&pa, BASE, 3 * ARENA_BYTES);
        verify();
        if (ok)
            break;
    }

    mem_fake_fail_at(MEM_MAP, 0, 0);
    grow(0, 3 * ARENA_PAGES);
    cr_assert(eq(sz, pa.narenas, 3));
    cr_assert(eq(sz, alloc(3 * ARENA_PAGES), 0));
}

Test(pagealloc, address_space_that_does_not_exist_is_not_covered) {
    start();

    cr_assert(not(pagealloc_cover(&pa, (uintptr_t)1 << ADDR_BITS, PAGE_SIZE)));
    cr_assert(not(pagealloc_cover(&pa, UINTPTR_MAX - PAGE_SIZE, PAGE_SIZE)));
    cr_assert(zero(sz, pa.narenas));
}

Test(pagealloc, requests_of_one_length_get_pages_one_behind_the_other) {
    static const size_t lengths[] = {1, 2, 5, 64, 65};
    for (unsigned i = 0; i < 5; i++) {
        size_t n = lengths[i];
        size_t first = i * 10 * CHUNK_PAGES;
        if (i == 0)
            start();
        grow(first, CHUNK_PAGES);
        for (size_t k = 0; k < 5; k++)
            cr_assert(eq(sz, alloc(n), first + k * n));
        use(first + 5 * n, CHUNK_PAGES - 5 * n); // on to the next
        verify();
    }
}

Test(pagealloc, scavenged_pages_are_counted_once_and_come_back_backed) {
    size_t nscavenged;
    start();
    grow(0, CHUNK_PAGES);
    use(0, 20);
    free_pages(0, 20); // backed now
    cr_assert(eq(u64, pa.nbacked, 20));

    pagealloc_alloc(&pa, 10, 1, &nscavenged);
    cr_assert(zero(sz, nscavenged));
    pagealloc_alloc(&pa, 15, 1, &nscavenged);
    cr_assert(eq(sz, nscavenged, 5));
    cr_assert(zero(u64, pa.nbacked));
    free_pages(0, 25);
    pagealloc_alloc(&pa, 30, 1, &nscavenged);

    cr_assert(eq(sz, nscavenged, 5));
    verify();
}

Test(pagealloc, no_page_is_both_allocated_and_scavenged) {
    start();
    grow_chunks(0, 2);
    use(500, 30);

    struct arena *a = pagemap_arena(&map, BASE);

    for (unsigned p = 490; p < 540; p++) {
        bool scavenged = pallocbits_count(a->chunks[p / CHUNK_PAGES].scavenged,
                                          p % CHUNK_PAGES, 1);
        cr_assert(eq(int, scavenged, p < 500 || p >= 530));
        cr_assert(eq(int, is_free(p), p < 500 || p >= 530));
    }
}

Test(pagealloc, the_last_page_of_the_third_chunk_is_found) {
    start();
    grow_chunks(0, 3);
    use(0, 3 * CHUNK_PAGES - 1);

    cr_assert(eq(sz, alloc(1), 3 * CHUNK_PAGES - 1));
    cr_assert(eq(sz, alloc(1), NOWHERE));
}

Test(pagealloc, chunks_apart_are_searched_in_order) {
    start();
    grow_chunks(0, 1);
    grow_chunks(0xff, 1);

    cr_assert(eq(sz, alloc(CHUNK_PAGES), 0));
    cr_assert(eq(sz, alloc(CHUNK_PAGES), (size_t)0xff * CHUNK_PAGES));
    cr_assert(eq(sz, alloc(1), NOWHERE));
}

Test(pagealloc, runs_are_found_across_chunks) {
    static const struct {
        size_t hole, nhole; // what is free of eight chunks, beside a first one
        size_t want, at;    // request and answer
    } cases[] = {
        {511, 2, 2, 511},           // a border
        {256, 512, 512, 256},       // half and half
        {511, 513, 513, 511},       //
        {256, 1024, 1024, 256},     // three chunks
        {512 - 128, 640, 640, 384}, // five quarters
        {0, 7 * 512 + 5, 7 * 512 + 5, 0},
        {4 * 512 - 3, 6, 6, 4 * 512 - 3},
        {8 * 512 - 64, 64, 64, 8 * 512 - 64},
    };
    start();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        // Each case has an arena of its own behind those used up; a border of
        // groups (8 chunks) and of arenas lies in the same places.
        size_t first = i * ARENA_PAGES;
        grow(first, ARENA_PAGES);
        use(first, ARENA_PAGES);
        size_t hole = first + cases[i].hole;
        free_pages(hole, cases[i].nhole);
        if (cases[i].want < cases[i].nhole || cases[i].hole > 600)
            cr_assert(eq(sz, alloc(cases[i].nhole + 1), NOWHERE));
        cr_assert(eq(sz, alloc(cases[i].want), first + cases[i].at));
        cr_assert(eq(sz, alloc(1), NOWHERE));
        verify();
    }
}

Test(pagealloc, runs_are_found_across_groups_and_arenas) {
    start();
    grow(0, 3 * ARENA_PAGES);
    use(0, 3 * ARENA_PAGES);

    free_pages(GROUP_PAGES - 3, 7);
    free_pages(ARENA_PAGES - 100, 300);
    free_pages(2 * ARENA_PAGES - GROUP_PAGES, GROUP_PAGES + 512);

    cr_assert(eq(sz, alloc(7), GROUP_PAGES - 3));
    cr_assert(eq(sz, alloc(300), ARENA_PAGES - 100));
    cr_assert(eq(sz, alloc(GROUP_PAGES + 512), 2 * ARENA_PAGES - GROUP_PAGES));
    verify();
}

Test(pagealloc, arenas_that_are_not_neighbours_are_never_one_run) {
    start();
    grow(0, ARENA_PAGES);
    grow(2 * ARENA_PAGES, ARENA_PAGES);

    cr_assert(eq(sz, alloc(ARENA_PAGES + 1), NOWHERE));
    cr_assert(eq(sz, alloc(ARENA_PAGES), 0));
    cr_assert(eq(sz, alloc(ARENA_PAGES), 2 * ARENA_PAGES));
}

Test(pagealloc, a_gap_of_terabytes_costs_nothing_and_is_never_handed_out) {
    size_t far = ((size_t)1 << 42) >> PAGE_SHIFT;
    start();
    grow(0, 9);
    grow(far, 9);
    uint64_t sys_bytes = pa.sys_bytes;

    cr_assert(eq(sz, alloc(9), 0));
    cr_assert(eq(sz, alloc(9), far));
    cr_assert(eq(sz, alloc(9), NOWHERE));

    cr_assert(le(u64, sys_bytes, 2 << 20));
    verify();
}

Test(pagealloc, what_a_long_request_leaves_serves_short_ones) {
    start();
    grow_chunks(0, 1);

    cr_assert(eq(sz, alloc(509), 0));
    cr_assert(eq(sz, alloc(509), NOWHERE));
    cr_assert(eq(sz, alloc(1), 509));
    cr_assert(eq(sz, alloc(2), 510));

    cr_assert(eq(sz, alloc(1), NOWHERE));
    cr_assert(eq(sz, alloc(2), NOWHERE));
}

Test(pagealloc, a_long_request_that_goes_far_up_leaves_the_low_chunk_in_use) {
    start();
    grow_chunks(0, 1);
    grow_chunks(0x40, 2);

    cr_assert(eq(sz, alloc(1024), (size_t)0x40 * CHUNK_PAGES));
    cr_assert(eq(sz, alloc(1), 0));
    cr_assert(eq(sz, alloc(1), 1));
}

Test(pagealloc, seven_chunks_and_five_pages_are_followed_by_the_sixth) {
    start();
    grow_chunks(0, 8);

    cr_assert(eq(sz, alloc(7 * 512 + 5), 0));
    cr_assert(eq(sz, alloc(1), 7 * 512 + 5));
}

Test(pagealloc, four_chunks_are_used_up_exactly) {
    static const size_t lengths[] = {1,  2,  3,    4,    5,    8,
                                     16, 64, 1024, 1025, 2048, 2049};
    start();
    grow_chunks(0, 4);
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = lengths[i];
        size_t times = 4 * CHUNK_PAGES / n;
        for (size_t k = 0; k < times; k++)
            if (alloc(n) != k * n)
                cr_fatal("%zu pages: request %zu", n, k);
        cr_assert(eq(sz, alloc(n), NOWHERE));
        for (size_t p = 0; p < 4 * CHUNK_PAGES; p++)
            if (is_free(p) != (p >= times * n))
                cr_fatal("%zu pages: page %zu", n, p);
        if (times > 0)
            free_pages(0, times * n);
        verify();
    }
}

Test(pagealloc, exactly_what_was_freed_is_free) {
    static const struct {
        size_t page, npages;
    } ranges[] = {{0, 1},      {511, 2},        {7, 5},     {64, 64},
                  {100, 65},   {512, 512},      {300, 513}, {512, 1024},
                  {768, 1024}, {0, 7 * 512 + 5}};
    start();
    grow_chunks(0, 8);
    use(0, 8 * CHUNK_PAGES);
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        size_t from = ranges[i].page, n = ranges[i].npages;

        free_pages(from, n);

        for (size_t p = 0; p < 8 * CHUNK_PAGES; p++)
            if (is_free(p) != (p >= from && p < from + n))
                cr_fatal("range %u: page %zu", i, p);
        cr_assert(eq(u64, pa.nfree, n));
        cr_assert(eq(sz, alloc(n), from));
        verify();
    }
}

Test(pagealloc, what_was_freed_in_pieces_is_one_run_again) {
    start();
    grow_chunks(0, 8);
    for (int round = 0; round < 3; round++) {
        cr_assert(eq(sz, alloc(8 * CHUNK_PAGES), 0));
        for (size_t p = 0; p < 8 * CHUNK_PAGES; p += 2)
            free_pages(p, 1);
        for (size_t p = 1; p < 8 * CHUNK_PAGES; p += 2)
            free_pages(p, 1);
        verify();
    }
    cr_assert(eq(sz, alloc(1), 0));
    free_pages(0, 1);
    cr_assert(eq(sz, alloc(8 * CHUNK_PAGES), 0));
}

Test(pagealloc, a_page_freed_in_an_arena_that_was_full_is_found_first) {
    start();
    grow(0, 2 * ARENA_PAGES);
    cr_assert(eq(sz, alloc(ARENA_PAGES), 0));
    cr_assert(eq(sz, alloc(1), ARENA_PAGES));

    free_pages(ARENA_PAGES - 7, 1);

    cr_assert(eq(sz, alloc(1), ARENA_PAGES - 7));
    cr_assert(eq(sz, alloc(1), ARENA_PAGES + 1));
    verify();
}

Test(pagealloc, a_request_too_long_by_one_page_or_by_far_fails_cleanly) {
    start();
    grow_chunks(0, 2);

    cr_assert(eq(sz, alloc(2 * CHUNK_PAGES + 1), NOWHERE));
    cr_assert(eq(sz, alloc(SIZE_MAX >> PAGE_SHIFT), NOWHERE));
    cr_assert(eq(sz, alloc(SIZE_MAX), NOWHERE));

    cr_assert(eq(u64, pa.nfree, 2 * CHUNK_PAGES));
    verify();
}

Test(pagealloc, pages_at_an_address_are_taken_whole_or_not_at_all) {
    size_t nscavenged = 77;
    start();
    grow(ARENA_PAGES - 100, 200); // across two arenas

    cr_assert(not(
        pagealloc_alloc_at(&pa, addr_of(ARENA_PAGES - 101), 2, &nscavenged)));
    cr_assert(not(
        pagealloc_alloc_at(&pa, addr_of(ARENA_PAGES + 99), 2, &nscavenged)));
    cr_assert(
        not(pagealloc_alloc_at(&pa, addr_of(5 * ARENA_PAGES), 1, &nscavenged)));
    cr_assert(eq(sz, nscavenged, 77));
    cr_assert(eq(u64, pa.nfree, 200));
    cr_assert(
        pagealloc_alloc_at(&pa, addr_of(ARENA_PAGES - 100), 200, &nscavenged));

    cr_assert(eq(sz, nscavenged, 200));
    cr_assert(zero(u64, pa.nfree));
    verify();
}

Test(pagealloc, the_run_without_memory_ends_at_backed_and_at_taken_pages) {
    start();
    grow(ARENA_PAGES - 100, 300);
    use(ARENA_PAGES + 50, 10);

    cr_assert(eq(sz,
                 pagealloc_unbacked_run(&pa, addr_of(ARENA_PAGES - 100), 1000),
                 150));
    cr_assert(
        eq(sz, pagealloc_unbacked_run(&pa, addr_of(ARENA_PAGES - 100), 7), 7));
    free_pages(ARENA_PAGES + 50, 10); // free, but backed
    cr_assert(eq(sz,
                 pagealloc_unbacked_run(&pa, addr_of(ARENA_PAGES - 100), 1000),
                 150));
    cr_assert(
        zero(sz, pagealloc_unbacked_run(&pa, addr_of(ARENA_PAGES + 50), 1000)));
    cr_assert(
        zero(sz, pagealloc_unbacked_run(&pa, addr_of(9 * ARENA_PAGES), 1000)));
}

Test(pagealloc, aligned_runs_are_aligned_and_leave_the_pages_before_them_free) {
    for (size_t align = 1; align <= 4096; align *= 2) {
        size_t nscavenged;
        if (align == 1)
            start();
        grow((align + 3) * ARENA_PAGES + 1, 3 * 4096);
        uint64_t nfree = pa.nfree;

        uintptr_t addr = pagealloc_alloc(&pa, 10, align, &nscavenged);

        cr_assert(ne(uptr, addr, 0));
        cr_assert(zero(uptr, addr % (align << PAGE_SHIFT)));
        cr_assert(eq(u64, pa.nfree, nfree - 10));
        verify();
    }
}

Test(pagealloc, an_aligned_hole_of_exactly_the_size_is_used_again) {
    size_t nscavenged;
    start();
    grow_chunks(0, 1);
    use(0, CHUNK_PAGES);
    free_pages(128, 64);

    uintptr_t addr = pagealloc_alloc(&pa, 64, 64, &nscavenged);

    cr_assert(eq(uptr, addr, addr_of(128)));
}

Test(pagealloc, a_page_freed_twice_ends_the_process_in_debug_builds,
     .signal = SIGABRT) {
    start();
    grow_chunks(0, 1);
    use(0, 10);
    free_pages(5, 1);

    free_pages(4, 2);
}

Test(pagealloc, a_run_with_memory_is_found_behind_such_as_have_none) {
    start();
    grow_chunks(0, 4);
    cr_assert(eq(sz, alloc(4 * CHUNK_PAGES), 0));
    pagealloc_free(&pa, addr_of(100), 50, /* scavenged= */ true);
    pagealloc_free(&pa, addr_of(2 * CHUNK_PAGES + 7), 12, false);
    pagealloc_free(&pa, addr_of(2 * CHUNK_PAGES + 19), 15, true);
    pagealloc_free(&pa, addr_of(2 * CHUNK_PAGES + 99), 12, false);
    pagealloc_free(&pa, addr_of(3 * CHUNK_PAGES + 9), 20, false);

    cr_assert(zero(uptr, pagealloc_alloc_backed(&pa, 20, 1)));
    cr_assert(eq(uptr, pagealloc_alloc_backed(&pa, 20, 2),
                 addr_of(3 * CHUNK_PAGES + 9)));
    cr_assert(eq(uptr, pagealloc_alloc_backed(&pa, 1, 2),
                 addr_of(2 * CHUNK_PAGES + 7)));
    cr_assert(zero(uptr, pagealloc_alloc_backed(&pa, 13, 64)));
    cr_assert(eq(u64, pa.nbacked, 23));
    cr_assert(zero(u32, pagealloc_verify(&pa)));
}

// Of a heap of many arenas, few may be looked at: the others cannot be read.
enum { NARENAS = 600 }; // 150 GiB
static void hide_all_but(size_t arena, int prot) {
    for (size_t i = 0; i < pa.narenas; i++)
        if (i != arena)
            cr_assert(zero(int, mprotect(pa.arenas[i],
                                         align_up(sizeof(struct arena), 4096),
                                         prot)));
}

Test(pagealloc, in_a_large_heap_no_full_arena_is_looked_at) {
    enum { LAST = NARENAS - 5 };
    start();
    grow(0, (size_t)NARENAS * ARENA_PAGES);
    cr_assert(zero(sz, alloc((size_t)NARENAS * ARENA_PAGES)));
    size_t run = (size_t)LAST * ARENA_PAGES + 777;
    free_pages(run, 100);
    free_pages(run + 200, 100);

    hide_all_but(LAST, PROT_NONE);

    cr_assert(eq(sz, alloc(101), NOWHERE));
    cr_assert(zero(uptr, pagealloc_alloc_backed(&pa, 101, 64)));
    cr_assert(eq(uptr, pagealloc_alloc_backed(&pa, 99, 1), addr_of(run)));
    cr_assert(eq(sz, alloc(100), run + 200));
    cr_assert(eq(sz, alloc(1), run + 99));
    hide_all_but(LAST, PROT_READ | PROT_WRITE);
    verify();
}

Test(pagealloc, where_pages_with_memory_lie_apart_nobody_looks_twice) {
    enum { APART = 40, EACH = 5, LOOKS = 64 };
    start();
    grow(0, (size_t)NARENAS * ARENA_PAGES);
    cr_assert(zero(sz, alloc((size_t)NARENAS * ARENA_PAGES)));
    for (size_t i = 0; i < NARENAS; i++)
        for (size_t k = 0; k < APART; k++) {
            free_pages(i * ARENA_PAGES + k * EACH, 1);
            pagealloc_free(&pa, addr_of(i * ARENA_PAGES + k * EACH + 1), 2,
                           /* scavenged= */ true);
        }

    for (size_t i = 0; i < NARENAS; i += LOOKS)
        cr_assert(zero(uptr, pagealloc_alloc_backed(&pa, 2, LOOKS)));
    verify();

    hide_all_but(NARENAS, PROT_NONE);
    cr_assert(zero(uptr, pagealloc_alloc_backed(&pa, 2, LOOKS)));
    hide_all_but(NARENAS, PROT_READ | PROT_WRITE);
    free_pages((NARENAS - 2) * (size_t)ARENA_PAGES + EACH - 1, 1);
    cr_assert(eq(uptr, pagealloc_alloc_backed(&pa, 2, 1),
                 addr_of((NARENAS - 2) * (size_t)ARENA_PAGES + EACH - 1)));
    verify();
}

Test(pagealloc, runs_across_arenas_are_found_in_a_large_heap) {
    // Arenas at both sides of a border of 2 GiB, of 16 GiB and of 128 GiB.
    static const size_t borders[] = {8, 64, 512};
    start();
    grow(0, (size_t)NARENAS * ARENA_PAGES);
    cr_assert(zero(sz, alloc((size_t)NARENAS * ARENA_PAGES)));
    for (size_t i = 0; i < sizeof borders / sizeof borders[0]; i++) {
        size_t page = borders[i] * ARENA_PAGES - 10 - i;
        free_pages(page, 20 + 2 * i);

        cr_assert(eq(sz, alloc(21 + 2 * i), NOWHERE));
        cr_assert(eq(sz, alloc(20 + 2 * i), page));
    }
    free_pages(5, (size_t)(NARENAS - 1) * ARENA_PAGES);
    cr_assert(eq(sz, alloc((size_t)(NARENAS - 1) * ARENA_PAGES - 3), 5));
    verify();
}

Test(pagealloc, without_memory_for_the_tree_nothing_is_lost) {
    enum { FEW = 8 };
    start();
    grow(0, (size_t)FEW * ARENA_PAGES);

    mem_fake_fail_at(MEM_MAP, 1, 1);

    cr_assert(not(pagealloc_cover(&pa, addr_of((size_t)FEW * ARENA_PAGES), 1)));
    cr_assert(eq(sz, alloc(ARENA_PAGES + 1), 0));
    verify();
    grow((size_t)FEW * ARENA_PAGES, ARENA_PAGES);
    cr_assert(eq(sz, alloc((size_t)FEW * ARENA_PAGES - 1), ARENA_PAGES + 1));
    verify();
}

Test(pagealloc, the_scavenger_takes_the_highest_backed_run) {
    size_t n = 0;
    start();
    grow_chunks(0, 3);
    use(0, 3 * CHUNK_PAGES);
    free_pages(10, 5);
    free_pages(CHUNK_PAGES + 100, 30);
    free_pages(CHUNK_PAGES + 400, 3);

    uintptr_t addr = take_backed(&pa, 1, 1, 100, &n);
    cr_assert(eq(uptr, addr, addr_of(CHUNK_PAGES + 400)));
    cr_assert(eq(sz, n, 3));
    addr = take_backed(&pa, 1, 1, 20, &n);
    cr_assert(eq(uptr, addr, addr_of(CHUNK_PAGES + 110))); // its upper part
    cr_assert(eq(sz, n, 20));
    addr = take_backed(&pa, 1, 1, 20, &n);
    cr_assert(eq(uptr, addr, addr_of(CHUNK_PAGES + 100)));
    cr_assert(eq(sz, n, 10));
    addr = take_backed(&pa, 1, 1, 20, &n);
    cr_assert(eq(uptr, addr, addr_of(10)));

    cr_assert(zero(uptr, take_backed(&pa, 1, 1, 20, &n)));
    cr_assert(zero(u64, pa.nbacked));
    verify();
}

Test(pagealloc, the_scavenger_does_not_see_scavenged_pages) {
    size_t n = 0;
    start();
    grow_chunks(0, 2);

    cr_assert(zero(uptr, take_backed(&pa, 1, 1, 100, &n)));

    use(0, 3);
    free_pages(0, 3);
    cr_assert(eq(uptr, take_backed(&pa, 1, 1, 100, &n), addr_of(0)));
    cr_assert(eq(sz, n, 3));
}

Test(pagealloc, runs_for_the_scavenger_are_aligned_at_both_ends) {
    for (size_t align = 1; align <= 64; align *= 2) {
        size_t n = 0;
        size_t first = align * ARENA_PAGES;
        if (align == 1)
            start();
        grow(first, CHUNK_PAGES);
        use(first, CHUNK_PAGES);
        free_pages(first + 3, 3 * align + 1);
        size_t bottom = (3 + align - 1) / align * align;
        size_t top = (3 + 3 * align + 1) / align * align;

        uintptr_t addr = take_backed(&pa, align, 1, 512, &n);

        cr_assert(eq(uptr, addr, addr_of(first + bottom)));
        cr_assert(eq(sz, n, top - bottom));
        for (;;) { // what is left is too short or askew
            addr = take_backed(&pa, align, 1, 512, &n);
            if (addr == 0)
                break;
            cr_assert(zero(sz, n % align));
        }
        verify();
    }
}

Test(pagealloc, whole_huge_pages_go_before_parts_of_one) {
    enum { HUGE = 256 };
    size_t n = 0;
    start();
    grow_chunks(0, 2);
    use(0, 2 * CHUNK_PAGES);
    free_pages(0, 300);               // one whole huge page, at the bottom
    free_pages(CHUNK_PAGES + 1, 255); // almost one, higher up

    uintptr_t addr = take_backed(&pa, 1, HUGE, 512, &n);

    cr_assert(eq(uptr, addr, addr_of(0)));
    cr_assert(eq(sz, n, HUGE));
    cr_assert(zero(uptr, take_backed(&pa, 1, HUGE, 512, &n)));
    cr_assert(
        eq(uptr, take_backed(&pa, 1, 1, 512, &n), addr_of(CHUNK_PAGES + 1)));
}

// The model: one byte a page.
enum { MODEL_PAGES = 14 * CHUNK_PAGES, FIRST_CHUNK = ARENA_CHUNKS - 5 };
enum page { ALIEN, USED, BACKED, SCAVENGED };
static unsigned char model[MODEL_PAGES];

static bool model_free(size_t page) {
    return model[page] == BACKED || model[page] == SCAVENGED;
}

static size_t model_find(size_t npages) {
    size_t run = 0;
    for (size_t p = 0; p < MODEL_PAGES; p++) {
        run = model_free(p) ? run + 1 : 0;
        if (run == npages)
            return p + 1 - run;
    }
    return NOWHERE;
}

static size_t model_set(size_t page, size_t npages, enum page to) {
    size_t nscavenged = 0;
    for (size_t p = page; p < page + npages; p++) {
        nscavenged += model[p] == SCAVENGED;
        model[p] = (unsigned char)to;
    }
    return nscavenged;
}

static uintptr_t model_addr(size_t page) {
    return addr_of((size_t)FIRST_CHUNK * CHUNK_PAGES + page);
}

static size_t model_page(uintptr_t addr) {
    return ((addr - BASE) >> PAGE_SHIFT) - (size_t)FIRST_CHUNK * CHUNK_PAGES;
}

static void model_grow(size_t chunk, size_t nchunks) {
    size_t page = chunk * CHUNK_PAGES;
    pagealloc_cover(&pa, model_addr(page),
                    (nchunks * CHUNK_PAGES) << PAGE_SHIFT);
    pagealloc_free(&pa, model_addr(page), nchunks * CHUNK_PAGES, true);
    model_set(page, nchunks * CHUNK_PAGES, SCAVENGED);
}

static void model_alloc(struct random *r, unsigned step) {
    size_t most = (size_t)1 << random_below(r, 11);
    size_t npages = 1 + random_below(r, most);
    size_t nscavenged = 0;
    size_t want = model_find(npages);

    uintptr_t addr = pagealloc_alloc(&pa, npages, 1, &nscavenged);

    size_t got = addr == 0 ? NOWHERE : model_page(addr);
    if (got != want)
        cr_fatal("step %u: %zu pages at %zu, first fit is %zu", step, npages,
                 got, want);
    if (want == NOWHERE)
        return;
    size_t want_scavenged = model_set(want, npages, USED);
    if (nscavenged != want_scavenged)
        cr_fatal("step %u: %zu scavenged, not %zu", step, nscavenged,
                 want_scavenged);
}

// model_alloc_backed: the lowest run of backed pages, not across a chunk's border.
static void model_alloc_backed(struct random *r, unsigned step) {
    size_t npages = 1 + random_below(r, (size_t)1 << random_below(r, 9));
    size_t run = 0, want = NOWHERE;
    for (size_t p = 0; p < MODEL_PAGES && want == NOWHERE; p++) {
        if (p % CHUNK_PAGES == 0)
            run = 0;
        run = model[p] == BACKED ? run + 1 : 0;
        if (run == npages)
            want = p + 1 - run;
    }

    uintptr_t addr = pagealloc_alloc_backed(&pa, npages, UINT_MAX);

    if ((addr == 0 ? NOWHERE : model_page(addr)) != want)
        cr_fatal("step %u: %zu pages with memory at %zu, lowest are %zu", step,
                 npages, model_page(addr), want);
    if (want != NOWHERE)
        model_set(want, npages, USED);
}

static void model_alloc_at(struct random *r, unsigned step) {
    size_t npages = 1 + random_below(r, 40);
    size_t page = random_below(r, MODEL_PAGES - npages);
    size_t nscavenged = 0;
    bool want = true;
    for (size_t p = page; p < page + npages; p++)
        want = want && model_free(p);

    bool got = pagealloc_alloc_at(&pa, model_addr(page), npages, &nscavenged);

    if (got != want)
        cr_fatal("step %u: pages at %zu: %d, not %d", step, page, got, want);
    if (got && model_set(page, npages, USED) != nscavenged)
        cr_fatal("step %u: scavenged pages at %zu", step, page);
}

static void model_free_some(struct random *r) {
    size_t page = random_below(r, MODEL_PAGES);
    size_t most = 1 + random_below(r, (size_t)1 << random_below(r, 11));
    while (page < MODEL_PAGES && model[page] != USED)
        page++;
    size_t npages = 0;
    while (npages < most && page + npages < MODEL_PAGES &&
           model[page + npages] == USED)
        npages++;
    if (npages == 0)
        return;
    bool scavenged = random_below(r, 4) == 0;
    pagealloc_free(&pa, model_addr(page), npages, scavenged);
    model_set(page, npages, scavenged ? SCAVENGED : BACKED);
}

// model_scavenge: the highest run of backed pages, not across a chunk's border.
static void model_scavenge(struct random *r, unsigned step) {
    size_t most = 1 + random_below(r, 300);
    size_t end = MODEL_PAGES;
    while (end > 0 && model[end - 1] != BACKED)
        end--;
    size_t start_page = end;
    while (start_page > 0 && end - start_page < most &&
           model[start_page - 1] == BACKED &&
           (start_page == end || start_page % CHUNK_PAGES != 0))
        start_page--;
    size_t n = 0;

    uintptr_t addr = take_backed(&pa, 1, 1, most, &n);

    if (end == 0) {
        if (addr != 0)
            cr_fatal("step %u: scavenged what is not there", step);
        return;
    }
    if (addr == 0 || model_page(addr) != start_page || n != end - start_page)
        cr_fatal("step %u: scavenged %zu pages at %zu, not %zu at %zu", step, n,
                 model_page(addr), end - start_page, start_page);
    pagealloc_free(&pa, addr, n, true);
    model_set(start_page, n, SCAVENGED);
}

static void model_compare(unsigned step) {
    uint64_t nfree = 0, nbacked = 0;
    for (size_t p = 0; p < MODEL_PAGES; p++) {
        nfree += model_free(p);
        nbacked += model[p] == BACKED;
        if (pagealloc_is_free(&pa, model_addr(p)) != model_free(p))
            cr_fatal("step %u: page %zu", step, p);
    }
    if (pa.nfree != nfree || pa.nbacked != nbacked)
        cr_fatal("step %u: %lu free, %lu backed, not %lu and %lu", step,
                 (unsigned long)pa.nfree, (unsigned long)pa.nbacked,
                 (unsigned long)nfree, (unsigned long)nbacked);
    if (pagealloc_verify(&pa) != 0)
        cr_fatal("step %u: verify found %u contradictions", step,
                 pagealloc_verify(&pa));
}

Test(pagealloc, random_steps_agree_with_a_byte_for_each_page, .timeout = 60) {
    enum { STEPS = 100000, EACH = 100 };
    struct random r = random_from(45);
    start();
    model_grow(0, 4); // up to a chunk before the end of an arena
    for (unsigned step = 1; step <= STEPS; step++) {
        if (step == 20000)
            model_grow(6, 3); // in the next arena, a chunk of it left out
        if (step == 40000)
            model_grow(13, 1);
        if (step == 60000)
            model_grow(4, 2); // the gap across the border of arenas
        if (step == 80000)    // so many arenas that there is a tree
            pagealloc_cover(&pa, addr_of((size_t)100 * ARENA_PAGES),
                            10 * ARENA_BYTES);
        switch (random_below(&r, 9)) {
        case 0:
        case 1:
        case 2:
            model_alloc(&r, step);
            break;
        case 3:
            model_alloc_at(&r, step);
            break;
        case 4:
            model_scavenge(&r, step);
            break;
        case 5:
            model_alloc_backed(&r, step);
            break;
        default:
            model_free_some(&r);
        }
        if (step % EACH == 0)
            model_compare(step);
    }
}
