// largespans.c: see largespans.h.
//
// A large span is made in steps: use a kept span, or find pages and make a
// record; plan what to populate and to release in exchange; publish it. Then,
// without the lock, populate and release.
#include "heap/largespans.h"

#include "heap/growth.h"
#include "heap/hugepages.h"
#include "heap/keptspans.h"
#include "heap/pagecount.h"
#include "heap/populate.h"
#include "heap/scavenger_goal.h"
#include "heap/scavenger_visit.h"
#include "heap/spanfree.h"
#include "heap/spanrecord.h"
#include "heap/takeback.h"

// struct request is what one object needs.
struct request {
    size_t npages;
    size_t align;     // in pages
    bool may_reserve; // new address space
    size_t nmoved;    // pages that get their memory from elsewhere
};

static bool find_locked(struct mheap *h, const struct request *r,
                        enum run_source source, struct run *ret) {
    return run_find_locked(h, r->npages, r->align, source, /* large= */ true,
                           ret);
}

// find_again_locked takes the place of the last freed object if it fits.
static bool find_again_locked(struct mheap *h, const struct request *r,
                              struct run *ret) {
    if (r->align != 1)
        return false;
    uintptr_t addr = firstpages_again(&h->first_pages, &h->pages, r->npages);
    if (addr == 0)
        return false;
    *ret = (struct run){.addr = addr, .npages = r->npages};
    h->reused_pages += (int64_t)r->npages;
    pagecount_update_locked(h, (int64_t)r->npages);
    return true;
}

// find_pages_locked finds a run, in this order: the place of the last freed
// object; pages with memory; any pages, once classes have given up what they
// hold back (without the lock); pages got by unmapping free ones, at an address
// space limit.
static bool find_pages_locked(struct mheap *h, const struct request *r,
                              struct run *ret) {
    enum run_source source = r->may_reserve ? RUN_RESERVED : RUN_FRESH;
    if (find_again_locked(h, r, ret))
        return true;
    if (!growth_may_serve_locked(h, r->npages))
        return find_locked(h, r, source, ret);
    if (find_locked(h, r, RUN_BACKED, ret))
        return true;
    mutex_unlock(&h->lock);
    mheap_take_back(h);
    mutex_lock(&h->lock);
    return find_locked(h, r, source, ret) ||
           (r->may_reserve && growth_give_back_locked(h) &&
            find_locked(h, r, source, ret));
}

// make_locked returns a new record with its pages, or NULL.
static struct mspan *make_locked(struct mheap *h, const struct request *r,
                                 struct run *ret_run) {
    if (!find_pages_locked(h, r, ret_run))
        return NULL;
    struct mspan *s = spanrecord_alloc_locked(h, 1);
    if (s == NULL) {
        run_shorten_locked(h, ret_run, 0);
        return NULL;
    }
    atomic_store_explicit(&s->start, ret_run->addr, memory_order_relaxed);
    s->npages = r->npages;
    hugepages_large_locked(h, ret_run->addr, r->npages);
    return s;
}

// plan_locked decides what of a new run is populated, and returns how many idle
// pages to release in exchange for its fresh ones.
static size_t plan_locked(struct mheap *h, const struct request *r,
                          struct run *run) {
    if (run->nscavenged <= r->nmoved || populate_is_quiet_locked(h, run))
        return 0;
    size_t trade = scavenger_trade_locked(h, run->nscavenged - r->nmoved);
    if (r->nmoved == 0)
        populate_plan_large_locked(h, run);
    return trade;
}

// publish_locked makes a span with pages a live object, and counts it.
static void publish_locked(struct mheap *h, struct mspan *s, bool needzero) {
    struct largestats *stats = &h->stats->large;
    s->sizeclass = 0;
    s->elemsize = 0;
    s->nelems = 1;
    s->nfree = 0;
    s->samples = NULL;
    s->moved = false;
    s->needzero = needzero;
    atomic_store_explicit(&s->home, NULL, memory_order_relaxed);
    pagemap_set(&h->pagemap, s);
    atomic_store_explicit(&s->sample, NULL, memory_order_relaxed);
    stats->nmallocs++;
    stats->alloc_bytes += s->npages << PAGE_SHIFT;
    stats->total_alloc_bytes += s->npages << PAGE_SHIFT;
    // release: partner in mspan_state
    atomic_store_explicit(&s->state, MSPAN_LARGE, memory_order_release);
}

static struct mspan *alloc(struct mheap *h, const struct request *r) {
    if (r->npages + r->align < r->npages)
        return NULL;
    struct run run = {0};
    struct mspan *s = NULL;
    size_t trade = 0;
    mutex_lock(&h->lock);
    if (r->align == 1)
        s = keptspans_use_locked(h, r->npages, 1, /* large= */ true);
    if (s == NULL) {
        s = make_locked(h, r, &run);
        trade = s == NULL ? 0 : plan_locked(h, r, &run);
    }
    if (s != NULL)
        publish_locked(h, s, /* needzero= */ run.nscavenged < r->npages);
    mutex_unlock(&h->lock);
    if (s == NULL)
        return NULL;
    populate_wish_large(h, &run);
    populate_run(h, &run);
    if (trade > 0)
        scavenger_release_excess(h, trade, trade);
    return s;
}

struct mspan *mheap_alloc_large(struct mheap *h, size_t npages, size_t align,
                                bool may_reserve) {
    return alloc(h, &(struct request){.npages = npages,
                                      .align = align,
                                      .may_reserve = may_reserve});
}

struct mspan *mheap_alloc_large_moved(struct mheap *h, size_t npages,
                                      size_t nmoved) {
    struct request r = {.npages = npages, .nmoved = nmoved};
    struct mspan *s = NULL;
    // From the start of a region: the rest of a filled region would lose its
    // memory unused.
    if (npages >= REGION_PAGES && h->thp != THP_NEVER) {
        r.align = REGION_PAGES;
        r.may_reserve = h->address_limit == SIZE_MAX;
        s = alloc(h, &r);
    }
    if (s == NULL) {
        r.align = 1;
        r.may_reserve = true;
        s = alloc(h, &r);
    }
    return s;
}

// drop_large_locked takes a large object out of the heap, and says whether its
// pages were kept.
static bool drop_large_locked(struct mheap *h, struct mspan *s,
                              bool scavenged) {
    h->stats->large.alloc_bytes -= s->npages << PAGE_SHIFT;
    __atomic_store_n(&h->nmoved_live, h->nmoved_live - s->moved,
                     __ATOMIC_RELAXED);
    atomic_store_explicit(&s->state, MSPAN_DEAD, memory_order_relaxed);
    return keptspans_retire_locked(h, s, scavenged);
}

bool mheap_free_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      bool scavenged, void **ret_sample) {
    void *sample = NULL;
    mutex_lock(&h->lock);
    bool live = mspan_state(s) == MSPAN_LARGE && mspan_start(s) == addr;
    struct leftover left = {0};
    if (live) {
        size_t npages = s->npages;
        h->stats->large.nfrees++;
        sample = atomic_load_explicit(&s->sample, memory_order_relaxed);
        // If it was kept, there is nothing to release.
        if (!drop_large_locked(h, s, scavenged))
            left = leftover_locked(h, npages);
    }
    mutex_unlock(&h->lock);
    if (ret_sample != NULL)
        *ret_sample = sample;
    leftover_do(h, left);
    return live;
}

bool mheap_keep_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      void **ret_sample) {
    mutex_lock(&h->lock);
    bool live = mspan_state(s) == MSPAN_LARGE && mspan_start(s) == addr;
    if (live) {
        *ret_sample = atomic_load_explicit(&s->sample, memory_order_relaxed);
        atomic_store_explicit(&s->sample, NULL, memory_order_relaxed);
        atomic_store_explicit(&s->state, MSPAN_KEPT, memory_order_relaxed);
    }
    mutex_unlock(&h->lock);
    return live;
}

void mheap_free_kept(struct mheap *h, struct mspan *s, bool scavenged) {
    struct leftover left = {0};
    mutex_lock(&h->lock);
    h->stats->large.nfrees++;
    size_t npages = s->npages;
    if (!drop_large_locked(h, s, scavenged))
        left = leftover_locked(h, npages);
    mutex_unlock(&h->lock);
    leftover_do(h, left);
}

void mheap_abandon_large(struct mheap *h, struct mspan *s) {
    struct largestats *stats = &h->stats->large;
    mutex_lock(&h->lock);
    stats->nmallocs--;
    stats->total_alloc_bytes -= s->npages << PAGE_SHIFT;
    drop_large_locked(h, s, /* scavenged= */ false);
    mutex_unlock(&h->lock);
}

void mheap_lose_large(struct mheap *h, struct mspan *s) {
    struct largestats *stats = &h->stats->large;
    size_t npages = s->npages;
    mutex_lock(&h->lock);
    stats->nmallocs--;
    stats->total_alloc_bytes -= npages << PAGE_SHIFT;
    stats->alloc_bytes -= npages << PAGE_SHIFT;
    atomic_store_explicit(&s->state, MSPAN_DEAD, memory_order_relaxed);
    hugepages_unmapped_locked(h, mspan_start(s), npages);
    h->stats->sys_pages -= npages;
    pagecount_update_locked(h, -(int64_t)npages);
    spanrecord_free_locked(h, s);
    mutex_unlock(&h->lock);
}

bool mheap_resize_large(struct mheap *h, struct mspan *s, size_t npages) {
    bool done = true;
    struct leftover left = {0};
    struct run more = {0};
    mutex_lock(&h->lock);
    size_t old = s->npages;
    uintptr_t old_end = mspan_start(s) + (old << PAGE_SHIFT);
    struct largestats *stats = &h->stats->large;
    if (npages > old) {
        more.addr = old_end;
        more.npages = npages - old;
        done = pagealloc_alloc_at(&h->pages, old_end, more.npages,
                                  &more.nscavenged) ||
               (keptspans_drop_held_locked(h) &&
                pagealloc_alloc_at(&h->pages, old_end, more.npages,
                                   &more.nscavenged)) ||
               (growth_extend_locked(h, old_end, more.npages) &&
                pagealloc_alloc_at(&h->pages, old_end, more.npages,
                                   &more.nscavenged));
        if (done)
            pagecount_update_locked(h, (int64_t)more.npages);
    } else if (npages < old) {
        size_t less = old - npages;
        pagealloc_free(&h->pages, old_end - (less << PAGE_SHIFT), less,
                       /* scavenged= */ false);
        pagecount_update_locked(h, -(int64_t)less);
        left = leftover_locked(h, less);
    }
    if (done) {
        s->npages = npages;
        stats->alloc_bytes += (npages - old) << PAGE_SHIFT;
    }
    mutex_unlock(&h->lock);
    if (done && h->thp == THP_ALWAYS && more.nscavenged > 0)
        hugepages_wish(h, more.addr, more.npages);
    else if (done && more.nscavenged > 0)
        hugepages_grown(h, s, old, npages);
    leftover_do(h, left);
    return done;
}
