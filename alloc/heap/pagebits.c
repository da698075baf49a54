// pagebits.c: see pagebits.h.
#include "heap/pagebits.h"

// resum_chunk computes the summary of a chunk and says whether it changed.
// backed is an upper bound of its runs with memory.
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

// take_part marks the free pages of a part allocated and returns how many of them were
// scavenged.
static unsigned take_part(struct pagealloc *pa, const struct pagepart *part) {
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

size_t pagebits_take(struct pagealloc *pa, uintptr_t addr, size_t npages) {
    size_t nscavenged = 0;
    pa->nfree -= npages;
    for (size_t left = npages; left > 0;) {
        struct pagepart part = pagepart_at(pa, addr, left);
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
            part = pagepart_at(pa, addr, left);
        }
        if (changed)
            resum_above(pa, a, first, part.chunk);
    }
    return nscavenged;
}

static void free_part(struct pagealloc *pa, const struct pagepart *part,
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
        struct pagepart part = pagepart_at(pa, addr, npages);
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
            part = pagepart_at(pa, addr, npages);
        }
        if (changed)
            resum_above(pa, a, first, part.chunk);
    }
}

void pagealloc_backed_known(struct pagealloc *pa, struct arena *a,
                            unsigned chunk, const uint64_t bits[CHUNK_WORDS]) {
    if (resum_chunk(a, chunk, a->chunk_sums[chunk],
                    pallocbits_summarize(bits).max))
        resum_above(pa, a, chunk, chunk);
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
        // A half-made change may have left anything above: compute all of it.
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
