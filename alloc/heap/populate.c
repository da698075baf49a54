// populate.c: see populate.h.
#include "heap/populate.h"

#include "heap/hugepages.h"
#include "heap/memlimit.h"
#include "heap/pagecount.h"

enum {
    // A step is 1/64 of what is in use, at most 4 MiB. With less than 16 KiB, in heaps
    // below 1 MiB, there is none.
    POPULATE_MIN = 16 << 10,
    POPULATE_MAX = 4 << 20,
    POPULATE_SHARE = 64,
};

bool populate_is_quiet_locked(struct mheap *h, const struct run *run) {
    int64_t quiet = atomic_load_explicit(&h->quiet_pages, memory_order_relaxed);
    if (quiet <= 0)
        return false;
    atomic_store_explicit(&h->quiet_pages, quiet - (int64_t)run->npages,
                          memory_order_relaxed);
    return true;
}

// populate_step returns how many pages to make Ready at once, or 0: a small heap
// touches few of the pages of its first spans.
static size_t populate_step(const struct mheap *h) {
    size_t inuse = h->stats->inuse_pages << PAGE_SHIFT;
    size_t step = min_size(inuse / POPULATE_SHARE, POPULATE_MAX);
    if (memlimit_near_locked(h))
        return 0;
    return step < POPULATE_MIN ? 0 : step >> PAGE_SHIFT;
}

// plan_fill_locked has a run fill the region of huge pages that it begins, if it
// does.
static bool plan_fill_locked(struct mheap *h, struct run *run) {
    uintptr_t end = run->addr + (run->npages << PAGE_SHIFT);
    uintptr_t first = align_up(run->addr, HUGE_BYTES);
    if (first >= end || run->nscavenged < (end - first) >> PAGE_SHIFT ||
        !hugepages_ahead_locked(h, run->addr, run->npages, &run->nahead))
        return false;
    run->npopulate = (end - first) >> PAGE_SHIFT;
    run->fills = true;
    return true;
}

void populate_plan_locked(struct mheap *h, struct run *run) {
    if (run->nscavenged == 0 || populate_is_quiet_locked(h, run) ||
        plan_fill_locked(h, run))
        return;
    size_t step = populate_step(h);
    run->npopulate = min_size(run->npages, step);
    if (run->npages >= step)
        return;
    uintptr_t behind = run->addr + (run->npages << PAGE_SHIFT);
    size_t ahead =
        pagealloc_unbacked_run(&h->pages, behind, step - run->npages);
    size_t nscavenged;
    if (ahead > 0 && pagealloc_alloc_at(&h->pages, behind, ahead, &nscavenged))
        run->nahead = ahead;
}

void populate_plan_large_locked(struct mheap *h, struct run *run) {
    uintptr_t end = run->addr + (run->npages << PAGE_SHIFT);
    uintptr_t first = align_up(run->addr, HUGE_BYTES);
    uintptr_t last = align_down(end, HUGE_BYTES);
    if (first >= end || !hugepages_growing_locked(h))
        return;
    run->nguessed = hugepages_guess_locked(h, first, end, run->npages);
    bool fresh = run->nscavenged >= (end - first) >> PAGE_SHIFT;
    if (fresh && last < end && run->nguessed > (last - first) / HUGE_BYTES &&
        hugepages_ahead_locked(h, last, (end - last) >> PAGE_SHIFT,
                               &run->nahead)) {
        run->npopulate = (end - last) >> PAGE_SHIFT;
        run->fills = true;
    }
}

void populate_run(struct mheap *h, const struct run *run) {
    if (run->npopulate == 0)
        return;
    uintptr_t end = run->addr + (run->npages << PAGE_SHIFT);
    uintptr_t start =
        run->fills ? end - (run->npopulate << PAGE_SHIFT) : run->addr;
    bool ok = hugepages_populate(h, start, run->npopulate + run->nahead);
    if (run->nahead == 0)
        return;
    mutex_lock(&h->lock);
    pagealloc_free(&h->pages, end, run->nahead, /* scavenged= */ !ok);
    pagecount_update_locked(h, 0);
    h->reused_pages -= (int64_t)run->nahead; // the first use is still to come
    // It is for later growth: keep it as if it had been in use.
    h->peak_pages =
        max_size(h->peak_pages, h->stats->inuse_pages + run->nahead);
    mutex_unlock(&h->lock);
}

// wished_pages returns how many pages of a run come before the end of what is guessed.
static size_t wished_pages(const struct run *run) {
    uintptr_t end =
        align_up(run->addr, HUGE_BYTES) + run->nguessed * HUGE_BYTES;
    return (end - run->addr) >> PAGE_SHIFT;
}

void populate_wish_large(struct mheap *h, const struct run *run) {
    if (run->nscavenged > 0 && h->thp == THP_ALWAYS)
        hugepages_wish(h, run->addr, run->npages);
    else if (run->nguessed > 0)
        hugepages_wish(h, run->addr, min_size(run->npages, wished_pages(run)));
}
