// pagemap.c: what is known of any address.
#include "heap/mcentral_drain.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_grow.h"
#include "heap/pagemap.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "fixture.h"

static const uintptr_t strange[] = {
    0,
    1,
    4096,
    ARENA_BYTES - 1,
    ARENA_BYTES,
    ((uintptr_t)1 << ADDR_BITS) - 1,
    (uintptr_t)1 << ADDR_BITS,
    0x8000000000000000u,
    0xffff800000000000u,
    UINTPTR_MAX - 1,
    UINTPTR_MAX,
};
enum { NSTRANGE = sizeof strange / sizeof strange[0] };

// class_of asks as free does.
static unsigned class_of(const struct fixture *f, uintptr_t addr) {
    return pagemap_in_range(addr) ? pagemap_class(&f->heap->pagemap, addr) : 0;
}

Test(pagemap, every_value_is_an_address_that_may_be_asked_about) {
    struct fixture f = fixture_start();
    struct random r = random_from(69);
    struct mcache *c = fixture_cache(&f);
    fixture_malloc(&f, c, 100);

    for (unsigned i = 0; i < NSTRANGE; i++) {
        cr_assert(zero(u32, class_of(&f, strange[i])));
        cr_assert(eq(ptr, pagemap_span(&f.heap->pagemap, strange[i]), NULL));
    }
    for (int i = 0; i < 100000; i++) {
        uintptr_t addr = random_next(&r) >> (i % 20);
        unsigned class = class_of(&f, addr);
        struct mspan *s = pagemap_span(&f.heap->pagemap, addr);
        if ((class != 0 && s == NULL) || class >= NUM_SIZECLASSES)
            cr_fatal("%#lx: class %u, span %p", (unsigned long)addr, class,
                     (void *)s);
    }
}

Test(pagemap, a_heap_never_used_knows_no_address) {
    struct fixture f = fixture_start();

    for (unsigned i = 0; i < NSTRANGE; i++) {
        cr_assert(zero(u32, class_of(&f, strange[i])));
        cr_assert(eq(ptr, pagemap_arena(&f.heap->pagemap, strange[i]), NULL));
        cr_assert(eq(ptr, pagemap_span(&f.heap->pagemap, strange[i]), NULL));
    }
}

Test(pagemap, each_byte_of_a_small_span_leads_to_it) {
    struct fixture f = fixture_start();
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        void *p = mcentral_alloc_one(mheap_class(f.heap, c));
        struct mspan *s = fixture_span_of(&f, p);
        uintptr_t start = mspan_start(s);
        uintptr_t end = start + (s->npages << PAGE_SHIFT);
        cr_assert(eq(u32, s->sizeclass, c));
        for (uintptr_t addr = start; addr < end; addr += 512) {
            cr_assert(eq(u32, class_of(&f, addr), c));
            cr_assert(eq(ptr, pagemap_span(&f.heap->pagemap, addr), s));
        }
        cr_assert(eq(ptr, pagemap_span(&f.heap->pagemap, end - 1), s));
    }
}

Test(pagemap, a_large_span_has_no_class_and_is_found_by_its_first_page) {
    struct fixture f = fixture_start();
    struct mspan *s = fixture_large(&f, 10, 1);
    uintptr_t start = mspan_start(s);

    cr_assert(eq(ptr, pagemap_span(&f.heap->pagemap, start), s));
    cr_assert(
        eq(ptr, pagemap_span(&f.heap->pagemap, start + PAGE_SIZE - 1), s));
    for (unsigned i = 0; i < 10; i++)
        cr_assert(zero(u32, class_of(&f, start + i * PAGE_SIZE)));
}

Test(pagemap, a_span_that_left_keeps_no_class_byte) {
    struct fixture f = fixture_start();
    unsigned c = sizeclass_for(1024);
    void *p = mcentral_alloc_one(mheap_class(f.heap, c));
    struct mspan *s = fixture_span_of(&f, p);
    uintptr_t start = mspan_start(s);
    size_t npages = s->npages;

    mcentral_free_one(mheap_class(f.heap, c), p);
    mcentral_drain(mheap_class(f.heap, c));

    cr_assert(eq(int, mspan_state(s), MSPAN_DEAD));
    for (size_t i = 0; i < npages; i++)
        cr_assert(zero(u32, class_of(&f, start + i * PAGE_SIZE)));
}

Test(pagemap, an_arena_far_away_and_at_the_top_of_memory_is_known) {
    struct fixture f = fixture_start();
    uintptr_t top = ((uintptr_t)1 << ADDR_BITS) - ARENA_BYTES;
    cr_assert(pagealloc_cover(&f.heap->pages, top, ARENA_BYTES));
    cr_assert(pagealloc_cover(&f.heap->pages, ARENA_BYTES, 1));

    cr_assert(eq(uptr, pagemap_arena(&f.heap->pagemap, top)->base, top));
    cr_assert(eq(uptr,
                 pagemap_arena(&f.heap->pagemap, top + ARENA_BYTES - 1)->base,
                 top));
    cr_assert(eq(ptr, pagemap_arena(&f.heap->pagemap, top - 1), NULL));
    cr_assert(
        eq(ptr, pagemap_arena(&f.heap->pagemap, top + ARENA_BYTES), NULL));
    cr_assert(eq(uptr, pagemap_arena(&f.heap->pagemap, ARENA_BYTES)->base,
                 ARENA_BYTES));
}
