// smallspans.c: see smallspans.h.
//
// New spans are made in steps: find pages, make records, plan what is populated, all
// under the lock; then populate, and cut the pages into slots, without it.
#include "heap/smallspans.h"

#include "heap/hugepages.h"
#include "heap/keptspans.h"
#include "heap/populate.h"
#include "heap/scavenger_visit.h"
#include "heap/spanrecord.h"
#include "heap/takeback.h"

// struct making is the spans of one mheap_alloc_spans.
struct making {
    size_t npages;   // of each
    unsigned nelems; // of each
    size_t n;        // how many
    struct run run;  // their pages
};

// find_halving_locked finds a run for n spans, or for half as many, and so on.
static bool find_halving_locked(struct mheap *h, struct making *m,
                                enum run_source source) {
    for (size_t n = m->n; n > 0; n /= 2)
        if (run_find_locked(h, m->npages * n, 1, source, /* large= */ false,
                            &m->run)) {
            m->n = n;
            return true;
        }
    return false;
}

// find_pages_locked finds a run for up to n spans: pages with memory; again,
// after classes have given up what they hold back (without the lock); then
// fresh pages. It returns false, with no run, if there is no memory.
static bool find_pages_locked(struct mheap *h, struct making *m) {
    if (find_halving_locked(h, m, RUN_BACKED))
        return true;
    mutex_unlock(&h->lock);
    mheap_take_back(h);
    mutex_lock(&h->lock);
    return find_halving_locked(h, m, RUN_BACKED) ||
           find_halving_locked(h, m, RUN_RESERVED);
}

// make_records_locked makes a record for each span. If memory for records runs
// out, there are fewer spans, and the pages of the others are freed.
static void make_records_locked(struct mheap *h, struct making *m,
                                struct mspan **ret) {
    size_t n = 0;
    while (n < m->n && (ret[n] = spanrecord_alloc_locked(h, m->nelems)) != NULL)
        n++;
    if (n < m->n)
        run_shorten_locked(h, &m->run, n * m->npages);
    m->n = n;
}

// use_kept_locked makes the one span of a kept one of its length, if there is one.
static bool use_kept_locked(struct mheap *h, struct making *m,
                            struct mspan **ret) {
    ret[0] = keptspans_use_locked(h, m->npages, m->nelems, /* large= */ false);
    if (ret[0] == NULL)
        return false;
    m->run = (struct run){.addr = mspan_start(ret[0]), .npages = m->npages};
    return true;
}

// make_new_locked makes up to n spans, or 0.
static void make_new_locked(struct mheap *h, struct making *m,
                            struct mspan **ret) {
    if (!find_pages_locked(h, m)) {
        m->n = 0;
        return;
    }
    make_records_locked(h, m, ret);
    if (m->n == 0)
        return;
    hugepages_small_locked(h, m->run.addr, m->run.npages);
    populate_plan_locked(h, &m->run);
}

size_t mheap_alloc_spans(struct mheap *h, unsigned sizeclass, size_t npages,
                         size_t want, struct mspan **ret) {
    struct making m = {
        .npages = npages,
        .nelems =
            (unsigned)((npages << PAGE_SHIFT) / sizeclass_bytes[sizeclass]),
        .n = want,
    };
    mutex_lock(&h->lock);
    if (want != 1 || !use_kept_locked(h, &m, ret))
        make_new_locked(h, &m, ret);
    mutex_unlock(&h->lock);
    if (m.n == 0)
        return 0;
    const struct run *run = &m.run;
    populate_run(h, run);
    scavenger_trade_holes(
        h, max_size(run->npopulate + run->nahead, run->nscavenged)
               << PAGE_SHIFT);
    for (size_t i = 0; i < m.n; i++) {
        uintptr_t start = run->addr + (i * npages << PAGE_SHIFT);
        mspan_init_slots(ret[i], start, npages, sizeclass);
        ret[i]->needzero = run->nscavenged < run->npages;
    }
    return m.n;
}

void mheap_publish_small(struct mheap *h, struct mspan *s,
                         struct mcentral *home) {
    atomic_store_explicit(&s->home, home, memory_order_relaxed);
    // release: partner in mspan_state
    atomic_store_explicit(&s->state, MSPAN_SMALL, memory_order_release);
    pagemap_set(&h->pagemap, s);
}
