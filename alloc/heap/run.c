// run.c: see run.h.
#include "heap/run.h"

#include "heap/growth.h"
#include "heap/keptspans.h"
#include "heap/pagecount.h"

enum { LOOK_CHUNKS = 64 }; // for a run with memory

// is_fresh says whether a run has no memory, or is none.
static bool is_fresh(const struct run *run) {
    return run->addr == 0 || run->nscavenged == run->npages;
}

// first_fit_locked takes the lowest run there is.
static void first_fit_locked(struct mheap *h, struct run *run, size_t align) {
    run->addr =
        pagealloc_alloc(&h->pages, run->npages, align, &run->nscavenged);
}

// put_back_locked gives a fresh run back, which may be none.
static void put_back_locked(struct mheap *h, struct run *run) {
    if (run->addr != 0)
        pagealloc_free(&h->pages, run->addr, run->npages,
                       /* scavenged= */ true);
    run->addr = 0;
    run->nscavenged = 0;
}

// may_drop_locked says whether kept spans, and for a large object first pages, could make
// room for a run of npages.
static bool may_drop_locked(const struct mheap *h, size_t npages, bool large) {
    return growth_may_serve_locked(h, npages) &&
           (h->kept_pages > 0 || (large && h->first_pages.n > 0));
}

// find_among_kept_locked takes a run once kept spans are free pages, and for a large
// object first pages: those are held back from small objects only (firstpages.h).
static void find_among_kept_locked(struct mheap *h, struct run *run,
                                   size_t align, bool large) {
    if (large)
        keptspans_drop_held_locked(h);
    else
        keptspans_drop_locked(h);
    first_fit_locked(h, run, align);
}

// find_backed_locked takes a run with memory above the first fit, if one is in
// the first LOOK_CHUNKS chunks that may have one.
static void find_backed_locked(struct mheap *h, struct run *run, size_t align) {
    if (align == 1 && run->npages <= CHUNK_PAGES)
        run->addr = pagealloc_alloc_backed(&h->pages, run->npages, LOOK_CHUNKS);
}

// find_new_locked grows the heap; at the end of address space it uses held
// pages.
static void find_new_locked(struct mheap *h, struct run *run, size_t align,
                            bool may_reserve) {
    if (growth_commit_locked(h, run->npages + align - 1, may_reserve))
        first_fit_locked(h, run, align);
    if (run->addr == 0 && may_reserve && keptspans_drop_held_locked(h))
        first_fit_locked(h, run, align);
}

// note_reuse_locked counts the pages of a run that are used again, or would be
// if they had not been released in the last two windows of the scavenger.
static void note_reuse_locked(struct mheap *h, const struct run *run) {
    uint64_t given = h->given_before + h->given_pages;
    uint64_t n = min_size(run->nscavenged, given);
    uint64_t before = min_size(n, h->given_before);
    h->given_before -= before;
    h->given_pages -= n - before;
    h->reused_pages += (int64_t)(run->npages - run->nscavenged + n);
}

bool run_find_locked(struct mheap *h, size_t npages, size_t align,
                     enum run_source source, bool large, struct run *ret) {
    *ret = (struct run){.npages = npages};
    first_fit_locked(h, ret, align);
    if (is_fresh(ret) && may_drop_locked(h, npages, large)) {
        put_back_locked(h, ret);
        find_among_kept_locked(h, ret, align, large);
    }
    if (is_fresh(ret) && source == RUN_BACKED) {
        put_back_locked(h, ret);
        find_backed_locked(h, ret, align);
    }
    if (ret->addr == 0 && source != RUN_BACKED)
        find_new_locked(h, ret, align, source == RUN_RESERVED);
    if (ret->addr == 0)
        return false;
    note_reuse_locked(h, ret);
    pagecount_update_locked(h, (int64_t)npages);
    return true;
}

void run_shorten_locked(struct mheap *h, struct run *run, size_t npages) {
    size_t less = run->npages - npages;
    pagealloc_free(&h->pages, run->addr + (npages << PAGE_SHIFT), less,
                   /* scavenged= */ false);
    pagecount_update_locked(h, -(int64_t)less);
    run->npages = npages;
    run->nscavenged = min_size(run->nscavenged, npages);
}
