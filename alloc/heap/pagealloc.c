// pagealloc.c: see pagealloc.h.
#include "heap/pagealloc.h"

#include <string.h>

#include "os/mem.h"
#include "os/sys.h"

COLD void pagealloc_init(struct pagealloc *pa, struct pagemap *map,
                         struct persistent *source) {
    pa->map = map;
    pa->source = source;
}

// room_for_arena grows the array of arenas if it is full. Old arrays are not
// freed: they double, so together they are no longer than the last.
static bool room_for_arena(struct pagealloc *pa) {
    if (pa->narenas < pa->arenas_cap)
        return true;
    enum { FIRST_CAP = 16 };
    size_t cap = pa->arenas_cap == 0 ? FIRST_CAP : pa->arenas_cap * 2;
    struct arena **arenas = persistentalloc(pa->source, cap * sizeof *arenas,
                                            sizeof *arenas, &pa->sys_bytes);
    if (arenas == NULL)
        return false;
    if (pa->narenas > 0)
        memcpy(arenas, pa->arenas, pa->narenas * sizeof *arenas);
    pa->arenas = arenas;
    pa->arenas_cap = cap;
    return true;
}

// room_in_tree makes the tree if one arena more needs it.
static bool room_in_tree(struct pagealloc *pa) {
    if (pa->narenas < FEW_ARENAS || pagetree_is(&pa->tree))
        return true;
    size_t nbytes = pagetree_start(&pa->tree);
    if (nbytes == 0)
        return false;
    atomic_fetch_add_explicit(&pa->sys_bytes, nbytes, memory_order_relaxed);
    for (size_t i = 0; i < pa->narenas; i++)
        pagetree_set(&pa->tree, pa->arenas[i]->base, pa->arenas[i]->sum,
                     /* anew= */ false);
    return true;
}

static bool add_arena(struct pagealloc *pa, uintptr_t base) {
    if (!room_for_arena(pa) || !room_in_tree(pa))
        return false;
    size_t nbytes = align_up(sizeof(struct arena), sys_page_size());
    struct arena *a = mem_map(nbytes);
    if (a == NULL)
        return false;
    atomic_fetch_add_explicit(&pa->sys_bytes, nbytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&pa->arena_bytes, nbytes, memory_order_relaxed);
    pagemap_add(pa->map, a, base);
    size_t at = pa->narenas;
    while (at > 0 && pa->arenas[at - 1]->base > base) {
        pa->arenas[at] = pa->arenas[at - 1];
        at--;
    }
    pa->arenas[at] = a;
    pa->narenas++;
    return true;
}

bool pagealloc_cover(struct pagealloc *pa, uintptr_t addr, size_t nbytes) {
    uintptr_t last = addr + nbytes - 1;
    if (last >> ADDR_BITS != 0)
        return false;
    for (uintptr_t base = align_down(addr, ARENA_BYTES); base <= last;
         base += ARENA_BYTES)
        if (pagemap_arena(pa->map, base) == NULL && !add_arena(pa, base))
            return false;
    return true;
}

// index_from returns the number of the lowest arena that ends above addr, or narenas.
static size_t index_from(const struct pagealloc *pa, uintptr_t addr) {
    size_t lo = 0;
    size_t hi = pa->narenas;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (pa->arenas[mid]->base + (ARENA_BYTES - 1) < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct arena *pagealloc_arena_from(const struct pagealloc *pa, uintptr_t addr) {
    size_t i = index_from(pa, addr);
    return i < pa->narenas ? pa->arenas[i] : NULL;
}

// find_in_arena returns the first page of the lowest fitting run; the arena's
// summary says that there is one.
static size_t find_in_arena(const struct arena *a, size_t npages) {
    size_t at = 0;
    enum palloc_found f =
        palloc_sum_find(a->group_sums, ARENA_GROUPS, GROUP_PAGES, npages, &at);
    if (f == PALLOC_FOUND)
        return at;
    check(f == PALLOC_INSIDE,
          "pagealloc: arena has not the run its summary tells");
    size_t group = at;
    f = palloc_sum_find(&a->chunk_sums[group * GROUP_CHUNKS], GROUP_CHUNKS,
                        CHUNK_PAGES, npages, &at);
    if (f == PALLOC_FOUND)
        return group * GROUP_PAGES + at;
    check(f == PALLOC_INSIDE,
          "pagealloc: group has not the run its summary tells");
    size_t chunk = group * GROUP_CHUNKS + at;
    unsigned page = pallocbits_find(a->chunks[chunk].free, npages);
    check(page < CHUNK_PAGES,
          "pagealloc: chunk has not the run its summary tells");
    return chunk * CHUNK_PAGES + page;
}

// find_among_few is find where there is no tree.
static uintptr_t find_among_few(const struct pagealloc *pa, size_t npages) {
    size_t run = 0;     // free pages just before arena i
    uintptr_t next = 0; // where the arena before ends
    for (size_t i = 0; i < pa->narenas; i++) {
        const struct arena *a = pa->arenas[i];
        if (a->base != next)
            run = 0;
        if (run + a->sum.start >= npages)
            return a->base - (run << PAGE_SHIFT);
        if (a->sum.max >= npages)
            return a->base + (find_in_arena(a, npages) << PAGE_SHIFT);
        run = a->sum.max == ARENA_PAGES ? run + ARENA_PAGES : a->sum.end;
        next = a->base + ARENA_BYTES;
    }
    return 0;
}

// find returns the address of the lowest run of npages free pages, or 0.
static uintptr_t find(const struct pagealloc *pa, size_t npages) {
    if (!pagetree_is(&pa->tree))
        return find_among_few(pa, npages);
    uintptr_t addr = 0;
    if (pagetree_find(&pa->tree, npages, &addr) == PALLOC_INSIDE)
        addr += find_in_arena(pagemap_arena(pa->map, addr), npages)
                << PAGE_SHIFT;
    return addr;
}

uintptr_t pagealloc_alloc(struct pagealloc *pa, size_t npages, size_t align,
                          size_t *ret_nscavenged) {
    if (npages > pa->nfree)
        return 0;
    // A run beside an aligned block may be aligned by chance.
    uintptr_t addr = find(pa, npages);
    if (addr != 0 && addr % (align << PAGE_SHIFT) != 0)
        addr = find(pa, npages + align - 1);
    if (addr == 0)
        return 0;
    addr = align_up(addr, align << PAGE_SHIFT);
    *ret_nscavenged = pagebits_take(pa, addr, npages);
    return addr;
}

bool pagealloc_alloc_at(struct pagealloc *pa, uintptr_t addr, size_t npages,
                        size_t *ret_nscavenged) {
    if (npages > pa->nfree)
        return false;
    uintptr_t at = addr;
    for (size_t left = npages; left > 0;) {
        struct pagepart part = pagepart_at(pa, at, left);
        if (part.a == NULL || pallocbits_ones(part.a->chunks[part.chunk].free,
                                              part.page, part.n) < part.n)
            return false;
        left -= part.n;
        at += (uintptr_t)part.n << PAGE_SHIFT;
    }
    *ret_nscavenged = pagebits_take(pa, addr, npages);
    return true;
}

uint32_t pagealloc_backed_most(const struct pagealloc *pa) {
    uint32_t most = 0;
    if (pagetree_is(&pa->tree))
        return pagetree_backed_most(&pa->tree);
    for (size_t i = 0; i < pa->narenas; i++)
        most = (uint32_t)max_size(most, pa->arenas[i]->sum.backed);
    return most;
}

// backed_from returns the lowest arena at or above the one at base that may have a run
// of npages with memory, or NULL.
static struct arena *backed_from(const struct pagealloc *pa, uintptr_t base,
                                 size_t npages) {
    if (pagetree_is(&pa->tree)) {
        base = pagetree_backed_from(&pa->tree, base, npages);
        return base == 0 ? NULL : pagemap_arena(pa->map, base);
    }
    for (size_t i = 0; i < pa->narenas; i++)
        if (pa->arenas[i]->base >= base && pa->arenas[i]->sum.backed >= npages)
            return pa->arenas[i];
    return NULL;
}

uintptr_t pagealloc_alloc_backed(struct pagealloc *pa, size_t npages,
                                 unsigned nchunks) {
    struct arena *a = backed_from(pa, 0, npages);
    for (; a != NULL && nchunks > 0;
         a = backed_from(pa, a->base + ARENA_BYTES, npages))
        for (unsigned chunk = 0; chunk < ARENA_CHUNKS && nchunks > 0; chunk++) {
            uint64_t backed[CHUNK_WORDS];
            if (a->chunk_sums[chunk].backed < npages)
                continue;
            nchunks--;
            pagealloc_backed_bits(a, chunk, backed);
            unsigned page = pallocbits_find(backed, npages);
            if (page == CHUNK_PAGES) {
                pagealloc_backed_known(pa, a, chunk, backed);
                continue;
            }
            uintptr_t addr = a->base + (((uintptr_t)chunk * CHUNK_PAGES + page)
                                        << PAGE_SHIFT);
            pagebits_take(pa, addr, npages);
            return addr;
        }
    return 0;
}

size_t pagealloc_unbacked_run(struct pagealloc *pa, uintptr_t addr,
                              size_t most) {
    size_t total = 0;
    while (total < most) {
        struct pagepart part = pagepart_at(pa, addr, most - total);
        if (part.a == NULL)
            break;
        // scavenged implies free
        unsigned n = pallocbits_ones(part.a->chunks[part.chunk].scavenged,
                                     part.page, part.n);
        total += n;
        addr += (uintptr_t)n << PAGE_SHIFT;
        if (n < part.n)
            break;
    }
    return total;
}

uintptr_t pagealloc_take_run(struct pagealloc *pa, uintptr_t from, size_t min,
                             size_t *ret_npages) {
    for (size_t i = index_from(pa, from); i < pa->narenas; i++) {
        const struct arena *a = pa->arenas[i];
        size_t page = 0;
        if (a->sum.max < min)
            continue;
        if (a->base < from)
            page = arena_page(from);
        while (page < ARENA_PAGES) {
            // A run ends at the arena's end at the latest: good enough here.
            size_t n = 0;
            while (page + n < ARENA_PAGES) {
                unsigned in_chunk = (unsigned)((page + n) % CHUNK_PAGES);
                unsigned left = CHUNK_PAGES - in_chunk;
                unsigned here = pallocbits_ones(
                    a->chunks[(page + n) / CHUNK_PAGES].free, in_chunk, left);
                n += here;
                if (here < left)
                    break;
            }
            if (n >= min) {
                uintptr_t addr = a->base + ((uintptr_t)page << PAGE_SHIFT);
                pagebits_take(pa, addr, n);
                *ret_npages = n;
                return addr;
            }
            page += n + 1;
        }
    }
    return 0;
}

bool pagealloc_is_free(const struct pagealloc *pa, uintptr_t addr) {
    struct pagepart part = pagepart_at(pa, addr, 1);
    return part.a != NULL &&
           pallocbits_count(part.a->chunks[part.chunk].free, part.page, 1) == 1;
}
