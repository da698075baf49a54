// pagemap.c: see pagemap.h.
#include "heap/pagemap.h"

uint8_t pagemap_none[ARENA_PAGES] CACHELINE_ALIGNED;

_Static_assert(offsetof(struct arena, class_of_page) == 0,
               "pagemap_class adds the page to the arena's address");

void pagemap_add(struct pagemap *pm, struct arena *a, uintptr_t base) {
    a->base = base;
    // release: partner in pagemap_arena
    atomic_store_explicit(&pm->arenas[base >> ARENA_SHIFT],
                          (uintptr_t)a - (uintptr_t)pagemap_none,
                          memory_order_release);
}

void pagemap_set(struct pagemap *pm, struct mspan *s) {
    uintptr_t start = mspan_start(s);
    // A large object has one entry: an object of 1 GiB must not need 1 MiB of
    // page map. Its other pages keep stale entries, whose bounds show it.
    size_t npages = s->sizeclass == 0 ? 1 : s->npages;
    for (size_t i = 0; i < npages; i++) {
        uintptr_t addr = start + (i << PAGE_SHIFT);
        struct arena *a = pagemap_arena(pm, addr);
        atomic_store_explicit(&a->span_of_page[arena_page(addr)], s,
                              memory_order_release);
        atomic_store_explicit(&a->class_of_page[arena_page(addr)],
                              mspan_class_byte(s), memory_order_release);
    }
}

void pagemap_clear(struct pagemap *pm, struct mspan *s) {
    if (s->sizeclass == 0)
        return;
    uintptr_t start = mspan_start(s);
    for (size_t i = 0; i < s->npages; i++) {
        uintptr_t addr = start + (i << PAGE_SHIFT);
        struct arena *a = pagemap_arena(pm, addr);
        atomic_store_explicit(&a->class_of_page[arena_page(addr)], 0,
                              memory_order_relaxed);
    }
}
