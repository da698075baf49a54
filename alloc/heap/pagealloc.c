// pagealloc.c: see pagealloc.h.
#include "heap/pagealloc.h"

#include <string.h>

#include "os/mem.h"
#include "os/sys.h"

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

static bool add_arena(struct pagealloc *pa, uintptr_t base) {
    if (!room_for_arena(pa))
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
    pa->first = 0;
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

static bool sum_equal(struct palloc_sum a, struct palloc_sum b) {
    return a.start == b.start && a.max == b.max && a.end == b.end;
}

// resum brings the summaries above a chunk up to date.
static void resum(struct arena *a, unsigned chunk) {
    struct palloc_sum sum = pallocbits_summarize(a->chunks[chunk].free);
    if (sum_equal(sum, a->chunk_sums[chunk]))
        return;
    a->chunk_sums[chunk] = sum;
    unsigned group = chunk / GROUP_CHUNKS;
    sum = palloc_sum_merge(&a->chunk_sums[group * GROUP_CHUNKS], GROUP_CHUNKS,
                           CHUNK_PAGES);
    if (sum_equal(sum, a->group_sums[group]))
        return;
    a->group_sums[group] = sum;
    a->sum = palloc_sum_merge(a->group_sums, ARENA_GROUPS, GROUP_PAGES);
}

struct arena *pagealloc_arena_from(const struct pagealloc *pa, uintptr_t addr) {
    size_t lo = 0;
    size_t hi = pa->narenas;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (pa->arenas[mid]->base + (ARENA_BYTES - 1) < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < pa->narenas ? pa->arenas[lo] : NULL;
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

// take marks a run of free pages allocated and returns how many of them were
// scavenged.
static size_t take(struct pagealloc *pa, uintptr_t addr, size_t npages) {
    size_t nscavenged = 0;
    pa->nfree -= npages;
    for (size_t left = npages; left > 0;) {
        struct part part = part_at(pa, addr, left);
        struct arena *a = part.a;
        unsigned n = pallocbits_count(a->chunks[part.chunk].scavenged,
                                      part.page, part.n);
        pallocbits_clear(a->chunks[part.chunk].free, part.page, part.n);
        pallocbits_clear(a->chunks[part.chunk].scavenged, part.page, part.n);
        a->taken[part.chunk] = pa->now;
        a->nbacked[part.chunk] =
            (uint16_t)(a->nbacked[part.chunk] - (part.n - n));
        a->nbacked_total -= part.n - n;
        pa->nbacked -= part.n - n;
        nscavenged += n;
        resum(a, part.chunk);
        left -= part.n;
        addr += (uintptr_t)part.n << PAGE_SHIFT;
    }
    while (pa->first < pa->narenas && pa->arenas[pa->first]->sum.max == 0)
        pa->first++;
    return nscavenged;
}

void pagealloc_free(struct pagealloc *pa, uintptr_t addr, size_t npages,
                    bool scavenged) {
    pa->nfree += npages;
    if (!scavenged)
        pa->nbacked += npages;
    while (npages > 0) {
        struct part part = part_at(pa, addr, npages);
        struct arena *a = part.a;
        debug_check(pallocbits_count(a->chunks[part.chunk].free, part.page,
                                     part.n) == 0,
                    "pagealloc: page freed twice");
        pallocbits_set(a->chunks[part.chunk].free, part.page, part.n);
        if (scavenged) {
            pallocbits_set(a->chunks[part.chunk].scavenged, part.page, part.n);
        } else {
            a->nbacked[part.chunk] =
                (uint16_t)(a->nbacked[part.chunk] + part.n);
            a->nbacked_total += part.n;
        }
        resum(a, part.chunk);
        while (pa->first > 0 && pa->arenas[pa->first - 1]->base >= a->base)
            pa->first--;
        npages -= part.n;
        addr += (uintptr_t)part.n << PAGE_SHIFT;
    }
}

// FOUND: *ret_at is the page, counted from the first part, where the run
// begins. INSIDE: it lies within part *ret_at.
enum found { NOT_FOUND, FOUND, INSIDE };

static enum found find_part(const struct palloc_sum *parts, unsigned nparts,
                            uint32_t unit, size_t npages, size_t *ret_at) {
    size_t run = 0;
    for (unsigned i = 0; i < nparts; i++) {
        if (run + parts[i].start >= npages) {
            *ret_at = (size_t)i * unit - run;
            return FOUND;
        }
        if (parts[i].max >= npages) {
            *ret_at = i;
            return INSIDE;
        }
        run = parts[i].max == unit ? run + unit : parts[i].end;
    }
    return NOT_FOUND;
}

// find_in_arena returns the first page of the lowest fitting run; the arena's
// summary says that there is one.
static size_t find_in_arena(const struct arena *a, size_t npages) {
    size_t at = 0;
    enum found f =
        find_part(a->group_sums, ARENA_GROUPS, GROUP_PAGES, npages, &at);
    if (f == FOUND)
        return at;
    check(f == INSIDE, "pagealloc: arena has not the run its summary tells");
    size_t group = at;
    f = find_part(&a->chunk_sums[group * GROUP_CHUNKS], GROUP_CHUNKS,
                  CHUNK_PAGES, npages, &at);
    if (f == FOUND)
        return group * GROUP_PAGES + at;
    check(f == INSIDE, "pagealloc: group has not the run its summary tells");
    size_t chunk = group * GROUP_CHUNKS + at;
    unsigned page = pallocbits_find(a->chunks[chunk].free, npages);
    check(page < CHUNK_PAGES,
          "pagealloc: chunk has not the run its summary tells");
    return chunk * CHUNK_PAGES + page;
}

// find returns the address of the lowest run of npages free pages, or 0.
static uintptr_t find(const struct pagealloc *pa, size_t npages) {
    size_t run = 0;     // free pages just before arena i
    uintptr_t next = 0; // where the arena before ends
    for (size_t i = pa->first; i < pa->narenas; i++) {
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

// backed_pages writes the bits of a chunk's free pages that have memory.
static void backed_pages(const struct arena *a, unsigned chunk,
                         uint64_t ret[CHUNK_WORDS]) {
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        ret[w] = a->chunks[chunk].free[w] & ~a->chunks[chunk].scavenged[w];
}

uintptr_t pagealloc_alloc_backed(struct pagealloc *pa, size_t npages,
                                 unsigned nchunks) {
    for (size_t i = pa->first; i < pa->narenas && nchunks > 0; i++) {
        const struct arena *a = pa->arenas[i];
        if (a->nbacked_total < npages || a->sum.max < npages)
            continue;
        for (unsigned chunk = 0; chunk < ARENA_CHUNKS && nchunks > 0; chunk++) {
            uint64_t backed[CHUNK_WORDS];
            if (a->nbacked[chunk] < npages || a->chunk_sums[chunk].max < npages)
                continue;
            nchunks--;
            backed_pages(a, chunk, backed);
            unsigned page = pallocbits_find(backed, npages);
            if (page == CHUNK_PAGES)
                continue;
            uintptr_t addr = a->base + (((uintptr_t)chunk * CHUNK_PAGES + page)
                                        << PAGE_SHIFT);
            take(pa, addr, npages);
            return addr;
        }
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
    for (size_t i = pa->first; i < pa->narenas; i++) {
        const struct arena *a = pa->arenas[i];
        size_t page = 0;
        if (a->base + ARENA_BYTES <= from || a->sum.max < min)
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

// highest_run finds, in the free backed pages of a chunk, the highest run of at
// least min pages that is aligned to align at both ends and has at most most
// pages. Returns its length, 0 if there is none.
static unsigned highest_run(const struct arena *a, unsigned chunk,
                            unsigned align, unsigned min, unsigned most,
                            unsigned *ret_page) {
    uint64_t backed[CHUNK_WORDS];
    backed_pages(a, chunk, backed);
    unsigned end = CHUNK_PAGES;
    while (end > 0) {
        while (end > 0 &&
               !(backed[(end - 1) / WORD_BITS] >> ((end - 1) % WORD_BITS) & 1))
            end--;
        unsigned start = end;
        while (start > 0 &&
               backed[(start - 1) / WORD_BITS] >> ((start - 1) % WORD_BITS) & 1)
            start--;
        unsigned top = (unsigned)align_down(end, align);
        unsigned bottom = (unsigned)align_up(start, align);
        if (top > bottom && top - bottom >= min) {
            unsigned n = top - bottom;
            if (n > most)
                n = most;
            *ret_page = top - n;
            return n;
        }
        end = start;
    }
    return 0;
}

void pagealloc_search_all(const struct pagealloc *pa, struct pagecursor *c) {
    c->narenas = pa->narenas;
    c->nchunks = ARENA_CHUNKS;
}

uintptr_t pagealloc_take_backed(struct pagealloc *pa, struct pagecursor *c,
                                size_t align, size_t min, size_t most,
                                int32_t age, unsigned *steps,
                                size_t *ret_npages) {
    unsigned unit = (unsigned)max_size(align, min);
    if (unit > CHUNK_PAGES)
        unit = CHUNK_PAGES; // larger pages than that are never split anyway
    unsigned cut = (unsigned)align_down(min_size(most, CHUNK_PAGES), unit);
    while (c->narenas > 0 && *steps > 0) {
        struct arena *a = pa->arenas[c->narenas - 1];
        (*steps)--;
        if (c->nchunks == 0 || a->nbacked_total < unit) {
            c->narenas--;
            c->nchunks = ARENA_CHUNKS;
            continue;
        }
        unsigned chunk = c->nchunks - 1;
        unsigned page = 0;
        unsigned n = 0;
        if (cut > 0 && a->nbacked[chunk] >= unit &&
            (int32_t)(pa->now - a->taken[chunk]) >= age)
            n = highest_run(a, chunk, unit, unit, cut, &page);
        if (n == 0) {
            c->nchunks--;
            continue;
        }
        uintptr_t addr =
            a->base + (((uintptr_t)chunk * CHUNK_PAGES + page) << PAGE_SHIFT);
        uint32_t taken = a->taken[chunk];
        take(pa, addr, n);
        a->taken[chunk] = taken; // not by a program
        *ret_npages = n;
        return addr;
    }
    return 0;
}

void pagealloc_spare(struct pagealloc *pa, uintptr_t addr, uint32_t age) {
    struct part part = part_at(pa, addr, 1);
    part.a->taken[part.chunk] = pa->now + age;
}

bool pagealloc_is_free(const struct pagealloc *pa, uintptr_t addr) {
    struct part part = part_at(pa, addr, 1);
    return part.a != NULL &&
           pallocbits_count(part.a->chunks[part.chunk].free, part.page, 1) == 1;
}

void pagealloc_rebuild(struct pagealloc *pa) {
    pa->first = 0;
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
            // Whatever a half made change left: compute all anew.
            a->chunk_sums[c].max = UINT32_MAX;
            a->group_sums[c / GROUP_CHUNKS].max = UINT32_MAX;
            resum(a, c);
        }
        pa->nbacked += a->nbacked_total;
    }
}

unsigned pagealloc_verify(const struct pagealloc *pa) {
    unsigned nwrong = 0;
    uint64_t nfree = 0;
    uint64_t nbacked = 0;
    for (size_t i = 0; i < pa->narenas; i++) {
        const struct arena *a = pa->arenas[i];
        uint64_t backed_here = 0;
        nwrong += i > 0 && pa->arenas[i - 1]->base >= a->base;
        nwrong += i < pa->first && a->sum.max > 0;
        for (unsigned c = 0; c < ARENA_CHUNKS; c++) {
            unsigned n = pallocbits_count(a->chunks[c].free, 0, CHUNK_PAGES);
            unsigned gone =
                pallocbits_count(a->chunks[c].scavenged, 0, CHUNK_PAGES);
            for (unsigned w = 0; w < CHUNK_WORDS; w++)
                nwrong +=
                    (a->chunks[c].scavenged[w] & ~a->chunks[c].free[w]) != 0;
            nwrong += a->nbacked[c] != n - gone;
            nwrong += !sum_equal(a->chunk_sums[c],
                                 pallocbits_summarize(a->chunks[c].free));
            nfree += n;
            backed_here += n - gone;
        }
        nwrong += a->nbacked_total != backed_here;
        nbacked += backed_here;
        for (unsigned g = 0; g < ARENA_GROUPS; g++)
            nwrong +=
                !sum_equal(a->group_sums[g],
                           palloc_sum_merge(&a->chunk_sums[g * GROUP_CHUNKS],
                                            GROUP_CHUNKS, CHUNK_PAGES));
        nwrong += !sum_equal(
            a->sum, palloc_sum_merge(a->group_sums, ARENA_GROUPS, GROUP_PAGES));
    }
    nwrong += nfree != pa->nfree;
    nwrong += nbacked != pa->nbacked;
    return nwrong;
}
