// pagealloc.c: see pagealloc.h.
#include "heap/pagealloc.h"

#include <string.h>

#include "os/mem.h"
#include "os/sys.h"

// So many arenas, 2 GiB, are looked at one by one: most processes need no tree.
enum { FEW_ARENAS = 8 };

void pagealloc_init(struct pagealloc *pa, struct pagemap *map,
                    struct persistent *source) {
    pa->map = map;
    pa->source = source;
}

// room_for_arena makes the array of arenas longer if it is full. The old array
// is left: they double, so all of them together are no longer than the last.
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

// resum_chunk makes sum the summary of a chunk and says whether that changed. backed is
// what is known of its runs with memory: none is longer.
static bool resum_chunk(struct arena *a, unsigned chunk, struct palloc_sum sum,
                        uint32_t backed) {
    sum.backed =
        (uint32_t)min_size(min_size(backed, sum.max), a->nbacked[chunk]);
    if (palloc_sum_equal(sum, a->chunk_sums[chunk]))
        return false;
    a->chunk_sums[chunk] = sum;
    return true;
}

// resum_above does so with what is above some chunks of an arena, from first to last.
static void resum_above(struct pagealloc *pa, struct arena *a, unsigned first,
                        unsigned last) {
    bool changed = false;
    for (unsigned g = first / GROUP_CHUNKS; g <= last / GROUP_CHUNKS; g++) {
        struct palloc_sum sum = palloc_sum_merge(
            &a->chunk_sums[g * GROUP_CHUNKS], GROUP_CHUNKS, CHUNK_PAGES);
        changed |= !palloc_sum_equal(sum, a->group_sums[g]);
        a->group_sums[g] = sum;
    }
    if (!changed)
        return;
    a->sum = palloc_sum_merge(a->group_sums, ARENA_GROUPS, GROUP_PAGES);
    if (pagetree_is(&pa->tree))
        pagetree_set(&pa->tree, a->base, a->sum, /* anew= */ false);
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

// struct part is the part of a page range that lies in one chunk.
struct part {
    struct arena *a;
    unsigned chunk;
    unsigned page; // in the chunk
    unsigned n;    // pages
};

static struct part part_at(const struct pagealloc *pa, uintptr_t addr,
                           size_t npages) {
    size_t page = arena_page(addr);
    unsigned in_chunk = (unsigned)(page % CHUNK_PAGES);
    return (struct part){
        .a = pagemap_arena(pa->map, addr),
        .chunk = (unsigned)(page / CHUNK_PAGES),
        .page = in_chunk,
        .n = (unsigned)min_size(npages, CHUNK_PAGES - in_chunk),
    };
}

// take_part marks the free pages of a part allocated and returns how many of them were
// scavenged.
static unsigned take_part(struct pagealloc *pa, const struct part *part) {
    struct arena *a = part->a;
    unsigned n =
        pallocbits_count(a->chunks[part->chunk].scavenged, part->page, part->n);
    pallocbits_clear(a->chunks[part->chunk].free, part->page, part->n);
    pallocbits_clear(a->chunks[part->chunk].scavenged, part->page, part->n);
    a->taken[part->chunk] = pa->now;
    a->nbacked[part->chunk] =
        (uint16_t)(a->nbacked[part->chunk] - (part->n - n));
    a->nbacked_total -= part->n - n;
    pa->nbacked -= part->n - n;
    return n;
}

// take marks a run of free pages allocated and returns how many of them were
// scavenged.
static size_t take(struct pagealloc *pa, uintptr_t addr, size_t npages) {
    size_t nscavenged = 0;
    pa->nfree -= npages;
    for (size_t left = npages; left > 0;) {
        struct part part = part_at(pa, addr, left);
        struct arena *a = part.a;
        unsigned first = part.chunk;
        bool changed = false;
        for (;;) {
            nscavenged += take_part(pa, &part);
            struct palloc_sum sum = a->chunk_sums[part.chunk];
            changed |=
                resum_chunk(a, part.chunk,
                            pallocbits_sum_clear(a->chunks[part.chunk].free,
                                                 sum, part.page, part.n),
                            sum.backed); // no run becomes longer
            left -= part.n;
            addr += (uintptr_t)part.n << PAGE_SHIFT;
            if (left == 0 || part.chunk == ARENA_CHUNKS - 1)
                break;
            part = part_at(pa, addr, left);
        }
        if (changed)
            resum_above(pa, a, first, part.chunk);
    }
    return nscavenged;
}

static void free_part(struct pagealloc *pa, const struct part *part,
                      bool scavenged) {
    struct arena *a = part->a;
    debug_check(
        pallocbits_count(a->chunks[part->chunk].free, part->page, part->n) == 0,
        "pagealloc: page freed twice");
    pallocbits_set(a->chunks[part->chunk].free, part->page, part->n);
    if (scavenged) {
        pallocbits_set(a->chunks[part->chunk].scavenged, part->page, part->n);
    } else {
        a->nbacked[part->chunk] = (uint16_t)(a->nbacked[part->chunk] + part->n);
        a->nbacked_total += part->n;
        pa->nbacked += part->n;
    }
}

void pagealloc_free(struct pagealloc *pa, uintptr_t addr, size_t npages,
                    bool scavenged) {
    pa->nfree += npages;
    while (npages > 0) {
        struct part part = part_at(pa, addr, npages);
        struct arena *a = part.a;
        unsigned first = part.chunk;
        bool changed = false;
        for (;;) {
            free_part(pa, &part, scavenged);
            struct palloc_sum sum = a->chunk_sums[part.chunk];
            changed |=
                resum_chunk(a, part.chunk,
                            pallocbits_sum_set(a->chunks[part.chunk].free, sum,
                                               part.page, part.n),
                            scavenged ? sum.backed : CHUNK_PAGES);
            npages -= part.n;
            addr += (uintptr_t)part.n << PAGE_SHIFT;
            if (npages == 0 || part.chunk == ARENA_CHUNKS - 1)
                break;
            part = part_at(pa, addr, npages);
        }
        if (changed)
            resum_above(pa, a, first, part.chunk);
    }
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
    // A run that an aligned block left may be aligned as it is.
    uintptr_t addr = find(pa, npages);
    if (addr != 0 && addr % (align << PAGE_SHIFT) != 0)
        addr = find(pa, npages + align - 1);
    if (addr == 0)
        return 0;
    addr = align_up(addr, align << PAGE_SHIFT);
    *ret_nscavenged = take(pa, addr, npages);
    return addr;
}

bool pagealloc_alloc_at(struct pagealloc *pa, uintptr_t addr, size_t npages,
                        size_t *ret_nscavenged) {
    if (npages > pa->nfree)
        return false;
    uintptr_t at = addr;
    for (size_t left = npages; left > 0;) {
        struct part part = part_at(pa, at, left);
        if (part.a == NULL || pallocbits_ones(part.a->chunks[part.chunk].free,
                                              part.page, part.n) < part.n)
            return false;
        left -= part.n;
        at += (uintptr_t)part.n << PAGE_SHIFT;
    }
    *ret_nscavenged = take(pa, addr, npages);
    return true;
}

void pagealloc_backed_known(struct pagealloc *pa, struct arena *a,
                            unsigned chunk, const uint64_t bits[CHUNK_WORDS]) {
    if (resum_chunk(a, chunk, a->chunk_sums[chunk],
                    pallocbits_summarize(bits).max))
        resum_above(pa, a, chunk, chunk);
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
            take(pa, addr, npages);
            return addr;
        }
    return 0;
}

size_t pagealloc_unbacked_run(struct pagealloc *pa, uintptr_t addr,
                              size_t most) {
    size_t total = 0;
    while (total < most) {
        struct part part = part_at(pa, addr, most - total);
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
                take(pa, addr, n);
                *ret_npages = n;
                return addr;
            }
            page += n + 1;
        }
    }
    return 0;
}

bool pagealloc_is_free(const struct pagealloc *pa, uintptr_t addr) {
    struct part part = part_at(pa, addr, 1);
    return part.a != NULL &&
           pallocbits_count(part.a->chunks[part.chunk].free, part.page, 1) == 1;
}

void pagealloc_rebuild(struct pagealloc *pa) {
    pa->nfree = 0;
    pa->nbacked = 0;
    for (size_t i = 0; i < pa->narenas; i++) {
        struct arena *a = pa->arenas[i];
        a->nbacked_total = 0;
        for (unsigned c = 0; c < ARENA_CHUNKS; c++) {
            for (unsigned w = 0; w < CHUNK_WORDS; w++)
                a->chunks[c].scavenged[w] &= a->chunks[c].free[w];
            unsigned n = pallocbits_count(a->chunks[c].free, 0, CHUNK_PAGES);
            unsigned gone =
                pallocbits_count(a->chunks[c].scavenged, 0, CHUNK_PAGES);
            a->nbacked[c] = (uint16_t)(n - gone);
            a->nbacked_total += n - gone;
            pa->nfree += n;
            resum_chunk(a, c, pallocbits_summarize(a->chunks[c].free),
                        CHUNK_PAGES);
        }
        // Whatever a half made change left: compute all anew.
        a->group_sums[0].max = UINT32_MAX;
        resum_above(pa, a, 0, ARENA_CHUNKS - 1);
        if (pagetree_is(&pa->tree))
            pagetree_set(&pa->tree, a->base, a->sum, /* anew= */ true);
        pa->nbacked += a->nbacked_total;
    }
}

// verify_sum returns the number of contradictions in the summary of a chunk.
static unsigned verify_sum(const struct arena *a, unsigned chunk) {
    uint64_t backed[CHUNK_WORDS];
    pagealloc_backed_bits(a, chunk, backed);
    struct palloc_sum have = a->chunk_sums[chunk];
    struct palloc_sum want = pallocbits_summarize(a->chunks[chunk].free);
    want.backed = have.backed;
    return !palloc_sum_equal(have, want) + (have.backed > have.max) +
           (have.backed > a->nbacked[chunk]) +
           (have.backed < pallocbits_summarize(backed).max);
}

unsigned pagealloc_verify(const struct pagealloc *pa) {
    unsigned nwrong = 0;
    uint64_t nfree = 0;
    uint64_t nbacked = 0;
    for (size_t i = 0; i < pa->narenas; i++) {
        const struct arena *a = pa->arenas[i];
        uint64_t backed_here = 0;
        nwrong += i > 0 && pa->arenas[i - 1]->base >= a->base;
        nwrong += pagetree_is(&pa->tree)
                      ? pagetree_verify(&pa->tree, a->base, a->sum)
                      : pa->narenas > FEW_ARENAS;
        for (unsigned c = 0; c < ARENA_CHUNKS; c++) {
            unsigned n = pallocbits_count(a->chunks[c].free, 0, CHUNK_PAGES);
            unsigned gone =
                pallocbits_count(a->chunks[c].scavenged, 0, CHUNK_PAGES);
            for (unsigned w = 0; w < CHUNK_WORDS; w++)
                nwrong +=
                    (a->chunks[c].scavenged[w] & ~a->chunks[c].free[w]) != 0;
            nwrong += a->nbacked[c] != n - gone;
            nwrong += verify_sum(a, c);
            nfree += n;
            backed_here += n - gone;
        }
        nwrong += a->nbacked_total != backed_here;
        nbacked += backed_here;
        for (unsigned g = 0; g < ARENA_GROUPS; g++)
            nwrong += !palloc_sum_equal(
                a->group_sums[g],
                palloc_sum_merge(&a->chunk_sums[g * GROUP_CHUNKS], GROUP_CHUNKS,
                                 CHUNK_PAGES));
        nwrong += !palloc_sum_equal(
            a->sum, palloc_sum_merge(a->group_sums, ARENA_GROUPS, GROUP_PAGES));
    }
    nwrong += nfree != pa->nfree;
    nwrong += nbacked != pa->nbacked;
    return nwrong;
}
