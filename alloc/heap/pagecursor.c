// pagecursor.c: see pagecursor.h.
#include "heap/pagecursor.h"

void pagecursor_to_top(struct pagecursor *c, const struct pagealloc *pa) {
    c->narenas = pa->narenas;
    c->nchunks = ARENA_CHUNKS;
}

// highest_run finds, in the free backed pages of a chunk, the highest run that begins
// and ends at multiples of unit, cut from below to most pages. Returns its length, 0 if
// there is none.
static unsigned highest_run(const uint64_t backed[CHUNK_WORDS], unsigned unit,
                            unsigned most, unsigned *ret_page) {
    unsigned start, end;
    for (unsigned limit = CHUNK_PAGES;
         pallocbits_run_below(backed, limit, &start, &end); limit = start) {
        unsigned top = (unsigned)align_down(end, unit);
        unsigned bottom = (unsigned)align_up(start, unit);
        if (top <= bottom)
            continue;
        unsigned n = (unsigned)min_size(top - bottom, most);
        *ret_page = top - n;
        return n;
    }
    return 0;
}

// skip moves past arenas, groups or chunks whose summary has no long enough
// run, and says whether it did.
static bool skip(struct pagecursor *c, const struct arena *a, unsigned unit) {
    if (c->nchunks == 0 || a->sum.backed < unit) {
        c->narenas--;
        c->nchunks = ARENA_CHUNKS;
        return true;
    }
    unsigned chunk = c->nchunks - 1;
    unsigned group = chunk / GROUP_CHUNKS;
    if (a->group_sums[group].backed < unit)
        c->nchunks = group * GROUP_CHUNKS;
    else if (a->chunk_sums[chunk].backed < unit)
        c->nchunks--;
    else
        return false;
    return true;
}

uintptr_t pagecursor_take(struct pagecursor *c, struct pagealloc *pa,
                          size_t align, size_t min, size_t most, int32_t age,
                          unsigned *steps, size_t *ret_npages) {
    // Pages of the system longer than a chunk are never split anyway.
    unsigned unit = (unsigned)min_size(max_size(align, min), CHUNK_PAGES);
    unsigned cut = (unsigned)align_down(min_size(most, CHUNK_PAGES), unit);
    while (c->narenas > 0 && *steps > 0) {
        struct arena *a = pa->arenas[c->narenas - 1];
        (*steps)--;
        if (skip(c, a, unit))
            continue;
        unsigned chunk = c->nchunks - 1;
        uint32_t taken = a->taken[chunk];
        uint64_t backed[CHUNK_WORDS];
        unsigned page = 0;
        unsigned n = 0;
        if (cut > 0 && (int32_t)(pa->now - taken) >= age) {
            pagealloc_backed_bits(a, chunk, backed);
            n = highest_run(backed, unit, cut, &page);
            if (n == 0)
                pagealloc_backed_known(pa, a, chunk, backed);
        }
        if (n == 0) {
            c->nchunks--;
            continue;
        }
        uintptr_t addr =
            a->base + (((uintptr_t)chunk * CHUNK_PAGES + page) << PAGE_SHIFT);
        size_t nscavenged;
        if (!pagealloc_alloc_at(pa, addr, n, &nscavenged))
            return 0;            // cannot be: they are free
        a->taken[chunk] = taken; // not by a program
        *ret_npages = n;
        return addr;
    }
    return 0;
}

void pagecursor_spare(struct pagealloc *pa, uintptr_t addr, uint32_t age) {
    struct arena *a = pagemap_arena(pa->map, addr);
    a->taken[arena_page(addr) / CHUNK_PAGES] = pa->now + age;
}
