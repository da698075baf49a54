// hugeuse.c: what is told of the use of huge pages, against what the test knows and
// against a count by the records of spans.
#include "heap/scavenger_visit.h"
#include "prof/hugeuse.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"
#include "heap/hugepages.h"
#include "heap/scavenger.h"
#include "heap/smallspans.h"
#include "heap/spanrecord.h"

static struct fixture start(enum thp_mode mode) {
    struct fixture f = fixture_start();
    hugepages_init(f.heap, mode);
    return f;
}

static struct mspan *new_span(struct fixture *f) {
    struct mspan *s = NULL;
    cr_assert(
        eq(sz, mheap_alloc_spans(f->heap, sizeclass_for(64), 1, 1, &s), 1));
    mutex_lock(&f->heap->central[sizeclass_for(64)].lock);
    mheap_publish_small(f->heap, s, &f->heap->central[sizeclass_for(64)]);
    mutex_unlock(&f->heap->central[sizeclass_for(64)].lock);
    return s;
}

// fill_first allocates what comes before the first region of huge pages.
static void fill_first(struct fixture *f) {
    while (f->stats->inuse_pages < REGION_PAGES)
        new_span(f);
}

Test(hugeuse, a_small_heap_has_none) {
    struct fixture f = start(THP_AUTO);
    fill_first(&f);

    struct hugeuse use = hugeuse_read(f.heap);

    cr_assert(zero(u64, use.bytes));
    cr_assert(zero(u64, use.unused));
}

Test(hugeuse, only_slots_that_were_taken_count_as_used) {
    struct fixture f = start(THP_AUTO);
    void *slots[5];
    fill_first(&f);
    cr_assert(eq(sz, mspan_take(new_span(&f), slots + 5, 5), 5));
    new_span(&f);

    struct hugeuse use = hugeuse_read(f.heap);

    cr_assert(eq(u64, use.bytes, HUGE_BYTES));
    cr_assert(eq(u64, use.unused, HUGE_BYTES - 5 * 64));
}

Test(hugeuse, a_region_that_gave_a_page_back_is_none) {
    FIXTURE_NEEDS_SMALL_PAGES();
    struct fixture f = start(THP_AUTO);
    fill_first(&f);
    new_span(&f);

    scavenger_release(f.heap, 1);

    cr_assert(zero(u64, hugeuse_read(f.heap).bytes));
}

Test(hugeuse, large_objects_are_used_in_all_their_regions) {
    struct fixture f = start(THP_ALWAYS);
    size_t npages = ARENA_PAGES + 3 * REGION_PAGES;
    struct mspan *s = fixture_large(&f, npages, REGION_PAGES);

    struct hugeuse use = hugeuse_read(f.heap);
    cr_assert(eq(u64, use.bytes, npages << PAGE_SHIFT));
    cr_assert(zero(u64, use.unused));
    atomic_store(&s->state, MSPAN_KEPT); // as a thread's cache does

    use = hugeuse_read(f.heap);
    cr_assert(eq(u64, use.bytes, npages << PAGE_SHIFT));
    cr_assert(eq(u64, use.unused, npages << PAGE_SHIFT));
}

// struct count is the same by another way: by records, slot by slot.
struct count {
    struct mheap *h;
    uint64_t live;
    uintptr_t region; // the last that was looked at
    bool is_huge;
};

// in_huge: of a region that is one and has all its pages.
static bool in_huge(struct mheap *h, uintptr_t addr) {
    struct arena *a = pagemap_arena(&h->pagemap, addr);
    size_t region = addr % ARENA_BYTES / HUGE_BYTES;
    size_t first = region * REGION_PAGES;
    for (size_t page = first; page < first + REGION_PAGES; page++)
        if (a->chunks[page / CHUNK_PAGES].scavenged[page % CHUNK_PAGES / 64] >>
                page % 64 &
            1)
            return false;
    return a->huge[region / 64] >> region % 64 & 1;
}

static void count_span(struct mspan *s, void *arg) {
    struct count *c = arg;
    size_t n = s->sizeclass == 0 ? s->npages << PAGE_SHIFT : s->elemsize;
    size_t nelems = s->sizeclass == 0 ? 1 : s->nelems;
    size_t step = s->sizeclass == 0 ? PAGE_SIZE : 8; // lies in one region
    if (mspan_state(s) == MSPAN_KEPT)
        return;
    for (size_t i = 0; i < nelems; i++) {
        if (s->sizeclass != 0 && mspan_is_free(s, (unsigned)i))
            continue;
        for (size_t byte = 0; byte < n; byte += step) {
            uintptr_t addr = mspan_start(s) + i * n + byte;
            if (align_down(addr, HUGE_BYTES) != c->region) {
                c->region = align_down(addr, HUGE_BYTES);
                c->is_huge = in_huge(c->h, addr);
            }
            c->live += c->is_huge ? step : 0;
        }
    }
}

static uint64_t huge_bytes(struct mheap *h) {
    uint64_t n = 0;
    for (size_t i = 0; i < h->pages.narenas; i++)
        for (size_t at = 0; at < ARENA_BYTES; at += HUGE_BYTES)
            n += in_huge(h, h->pages.arenas[i]->base + at) * (size_t)HUGE_BYTES;
    return n;
}

static void compare(struct fixture *f) {
    struct hugeuse use = hugeuse_read(f->heap);
    struct count c = {.h = f->heap};
    mutex_lock(&f->heap->lock);
    mheap_for_each_span_locked(f->heap, count_span, &c);
    uint64_t bytes = huge_bytes(f->heap);
    mutex_unlock(&f->heap->lock);
    cr_assert(eq(u64, use.bytes, bytes));
    cr_assert(eq(u64, use.unused, bytes - c.live));
}

Test(hugeuse, agrees_with_a_count_by_records_while_all_kinds_come_and_go) {
    enum { NLIVE = 6000, ROUNDS = 12, MOVES = 3000 };
    static void *small[NLIVE];
    static struct mspan *large[64];
    struct fixture f = start(THP_ALWAYS);
    struct mcache *c = fixture_cache(&f);
    struct random r = random_from(13);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < MOVES; i++) {
            void **p = &small[random_below(&r, NLIVE)];
            if (*p != NULL)
                fixture_free(&f, c, *p);
            *p = random_below(&r, 4) == 0 && round > ROUNDS / 2
                     ? NULL
                     : fixture_malloc(&f, c, 1 + random_below(&r, 32768));
        }
        for (int i = 0; i < 20; i++) {
            struct mspan **s = &large[random_below(&r, 64)];
            if (*s != NULL)
                fixture_free_large(&f, *s);
            *s = fixture_large(&f, 5 + random_below(&r, 3 * REGION_PAGES), 1);
        }
        compare(&f);
        scavenger_release(f.heap, random_below(&r, 200));
        compare(&f);
    }
    cr_assert(gt(u64, hugeuse_read(f.heap).unused, 0));
}
