// scavenger_visit.c: see scavenger_visit.h.
#include "heap/scavenger_visit.h"

#include "heap/hugepages.h"
#include "heap/memlimit.h"
#include "heap/scavenger_goal.h"
#include "heap/scavtrace.h"
#include "os/mem.h"

enum {
    SHORT_RANGES = 64, // that are shorter: of a free, in SYS_TICKS_STEP
    // What is taken under one lock: 50 to 300 us to release, of pages of 4 KiB.
    RELEASE_PAGES = CHUNK_PAGES,
    SCAVENGE_RANGES =
        16, // 40 bytes of stack each: handlers may have 2 KiB in all
    // A visit that has come to the end four times has seen every chunk in all three
    // ways, wherever it began.
    ALL_TURNS = 4,
    LOOK_CHUNKS = 128, // under one lock: 10 to 30 us
    REFUSED_AGE =
        200, // of PAGECURSOR_AGE_NS: a chunk of which a range was refused
    REFUSED_MAX = 64,   // such ranges in a row: then none is tried any more
    FORBID_RANGES = 16, // a batch ends when so many advices change
    // Of holes, at once.
    TRADE_LEAST_BYTES = 64 << 10,
    TRADE_MOST_BYTES = 512 << 10,
};

// struct batch is what is taken under one lock.
struct batch {
    size_t n;
    struct range {
        uintptr_t addr;
        size_t npages;
        bool tells; // see hugepages_tells_locked
    } ranges[SCAVENGE_RANGES];
    struct hugepages_range forbid[FORBID_RANGES];
    size_t nforbid;
};

static bool late(const struct scavenger_visit *v) {
    return v->budget_ticks != 0 &&
           sys_ticks() - v->begin_ticks > v->budget_ticks;
}

// turn_locked lets the cursor begin at the top, for shorter runs, or, after the
// shortest, for the longest.
static void turn_locked(struct mheap *h, size_t least) {
    if (h->sweep_min <= least)
        h->sweep_min = REGION_PAGES;
    else
        h->sweep_min = h->sweep_min == REGION_PAGES ? SCAVENGER_LONG_PAGES : 1;
    pagecursor_to_top(&h->sweep, &h->pages);
}

static void take_batch(struct mheap *h, struct scavenger_visit *v,
                       struct batch *ret) {
    size_t os_pages = max_size(1, sys_page_size() >> PAGE_SHIFT);
    size_t most = min_size(v->npages - v->released, RELEASE_PAGES);
    unsigned steps = LOOK_CHUNKS;
    ret->n = ret->nforbid = 0;
    mutex_lock(&h->lock);
    while (ret->n < SCAVENGE_RANGES && ret->nforbid < FORBID_RANGES &&
           most >= v->least) {
        if (h->sweep_min < v->least)
            turn_locked(h, v->least);
        size_t min = most < h->sweep_min ? v->least : h->sweep_min;
        size_t n;
        uintptr_t addr = pagecursor_take(&h->sweep, &h->pages, os_pages, min,
                                         most, v->age, &steps, &n);
        if (addr == 0 && steps == 0)
            break;
        if (addr == 0) {
            turn_locked(h, v->least);
            if (++v->nturns >= ALL_TURNS)
                break;
            continue;
        }
        bool tells = hugepages_tells_locked(h, addr, n);
        ret->ranges[ret->n++] = (struct range){addr, n, tells};
        most -= n;
        if (n < SCAVENGER_LONG_PAGES && --v->nshort == 0)
            v->least = SCAVENGER_LONG_PAGES;
        ret->forbid[ret->nforbid] = hugepages_released_locked(h, addr, n);
        ret->nforbid += ret->forbid[ret->nforbid].nbytes > 0;
    }
    mutex_unlock(&h->lock);
}

// refused_locked notes that a range could not be released (locked in memory, say):
// it stays as it is, and its chunk is left alone for a while. Only when all are
// refused is it for good; malloc_trim tries again.
static void refused_locked(struct mheap *h, uintptr_t addr) {
    pagecursor_spare(&h->pages, addr, REFUSED_AGE);
    if (++h->nrefused >= REFUSED_MAX)
        atomic_store_explicit(&h->release_refused, true, memory_order_relaxed);
}

// release_range gives memory back. Where moved objects have left many mappings the range
// is mapped anew, as one.
static bool release_range(const struct mheap *h, uintptr_t addr,
                          size_t nbytes) {
    return (mheap_is_crowded(h) && mem_renew(addr, nbytes)) ||
           mem_release(addr, nbytes);
}

// release_batch gives a batch to the system, up to the end of the budget.
static void release_batch(struct mheap *h, const struct batch *b,
                          struct scavenger_visit *v) {
    bool ok[SCAVENGE_RANGES];
    uint64_t ticks[SCAVENGE_RANGES + 1]; // before each, and after the last
    for (size_t i = 0; i < b->nforbid; i++)
        hugepages_forbid(b->forbid[i]);
    size_t ntried = 0;
    ticks[0] = sys_ticks();
    for (; ntried < b->n && !late(v); ntried++) {
        ok[ntried] = release_range(h, b->ranges[ntried].addr,
                                   b->ranges[ntried].npages << PAGE_SHIFT);
        ticks[ntried + 1] = sys_ticks();
    }
    mutex_lock(&h->lock);
    for (size_t i = 0; i < b->n; i++) {
        const struct range *r = &b->ranges[i];
        bool gone = i < ntried && ok[i];
        pagealloc_free(&h->pages, r->addr, r->npages, gone);
        if (gone) {
            v->released += r->npages;
            h->given_pages += r->npages;
            if (r->tells)
                residency_note(&h->residency, r->npages,
                               ticks[i + 1] - ticks[i], ticks[i + 1]);
            v->nranges++;
            h->nrefused = 0;
        } else if (i < ntried && mem_can_release()) {
            refused_locked(h, r->addr);
        }
    }
    h->stats->free_pages = h->pages.nbacked;
    h->stats->released_pages = h->pages.nfree - h->pages.nbacked;
    memlimit_note_locked(h);
    mutex_unlock(&h->lock);
}

static bool can_release(const struct mheap *h) {
    return mem_can_release() &&
           !atomic_load_explicit(&h->release_refused, memory_order_relaxed);
}

// enter makes the calling thread the one that returns memory, or returns false: for
// another there is nothing to do. Fork waits for it, or the child would lose what
// is on its way; but not where functions of the program watch releases,
// which take no time that we know of.
static bool enter(struct mheap *h, bool *ret_quick) {
    // acquire: sees what the last one left; partner: release in leave
    if (!can_release(h) ||
        atomic_exchange_explicit(&h->scavenging, true, memory_order_acquire))
        return false;
    *ret_quick = !mem_release_is_told();
    if (*ret_quick)
        mutex_lock(&h->scavenger);
    return true;
}

static void leave(struct mheap *h, bool quick) {
    if (quick)
        mutex_unlock(&h->scavenger);
    atomic_store_explicit(&h->scavenging, false, memory_order_release);
}

size_t scavenger_visit(struct mheap *h, struct scavenger_visit v) {
    bool quick;
    if (!enter(h, &quick))
        return 0;
    if (v.begin_ticks == 0)
        v.begin_ticks = sys_ticks();
    uint64_t begin_ns = scavtrace_now_ns(h);
    do {
        struct batch b;
        take_batch(h, &v, &b);
        release_batch(h, &b, &v);
    } while (v.npages - v.released >= v.least && v.nturns < ALL_TURNS &&
             can_release(h) && !late(&v));
    leave(h, quick);
    if (UNLIKELY(h->memlimit.pages != 0))
        memlimit_spent(h, sys_ticks() - v.begin_ticks, v.released);
    scavtrace_print(h,
                    &(struct scavtrace){"run", v.who, begin_ns,
                                        v.released << PAGE_SHIFT, v.nranges});
    return v.released;
}

size_t scavenger_visit_holes(struct mheap *h, uint64_t now_ns,
                             struct holes_visit v) {
    static const char *const whos[] = {
        [HOLD_IDLE] = "tick", [HOLD_UNUSED] = "fresh", [HOLD_ANY] = "trim"};
    bool quick;
    bool never = h->half_life_ns == SCAVENGE_NEVER && v.kind != HOLD_ANY;
    if (never || mem_release_is_told() || !enter(h, &quick))
        return 0;
    uint64_t begin_ns = scavtrace_now_ns(h);
    bool more = v.kind == HOLD_ANY      ? holes_restart(h)
                : v.kind == HOLD_UNUSED ? holes_trade(h)
                                        : holes_begin(h, now_ns);
    while (more && quick && v.nbytes < v.most && can_release(h)) {
        unsigned nrefused = v.nrefused;
        size_t nbytes = v.nbytes;
        more = holes_batch(h, &v);
        h->nrefused =
            v.nbytes > nbytes ? 0 : h->nrefused + (v.nrefused - nrefused);
        if (h->nrefused >= REFUSED_MAX)
            atomic_store_explicit(&h->release_refused, true,
                                  memory_order_relaxed);
        if (v.budget_ticks != 0 && sys_ticks() - v.begin_ticks > v.budget_ticks)
            break;
    }
    atomic_store_explicit(&h->holes_left, (uint8_t)holes_left(h),
                          memory_order_relaxed);
    if (v.kind == HOLD_UNUSED && !holes_traded(h))
        atomic_store_explicit(&h->trades, false, memory_order_relaxed);
    leave(h, quick);
    scavtrace_print(
        h, &(struct scavtrace){"holes", whos[v.kind], begin_ns, v.nbytes, 0});
    return v.nbytes;
}

size_t scavenger_release_holes(struct mheap *h) {
    return scavenger_visit_holes(
        h, 0, (struct holes_visit){.kind = HOLD_ANY, .most = SIZE_MAX});
}

void scavenger_trade_holes(struct mheap *h, size_t nfresh) {
    uint64_t fresh =
        atomic_load_explicit(&h->fresh_bytes, memory_order_relaxed);
    if (nfresh > 0)
        fresh = nfresh + atomic_fetch_add_explicit(&h->fresh_bytes, nfresh,
                                                   memory_order_relaxed);
    if (LIKELY(!atomic_load_explicit(&h->trades, memory_order_relaxed)))
        return;
    // Threads that race here lose a part of it, which is harmless.
    size_t owed =
        nfresh + atomic_load_explicit(&h->trade_owed, memory_order_relaxed);
    uint64_t past =
        fresh - atomic_load_explicit(&h->trades_from, memory_order_relaxed);
    if (owed >= TRADE_LEAST_BYTES && past >= mheap_unused_bytes(h) &&
        holes_pay(h))
        owed -= min_size(owed, scavenger_visit_holes(
                                   h, 0,
                                   (struct holes_visit){
                                       .kind = HOLD_UNUSED,
                                       .most = min_size(owed, TRADE_MOST_BYTES),
                                       .begin_ticks = sys_ticks(),
                                       .budget_ticks = SCAVENGER_VISIT_TICKS,
                                   }));
    atomic_store_explicit(&h->trade_owed, owed, memory_order_relaxed);
}

size_t scavenger_release(struct mheap *h, size_t npages) {
    mutex_lock(&h->lock);
    h->pages.now = pagecursor_age(sys_now_ns());
    mutex_unlock(&h->lock);
    // Of chunks that are left alone only those of which a range was refused just
    // now: the same visit would come to it again.
    return scavenger_visit(h, (struct scavenger_visit){.npages = npages,
                                                       .least = 1,
                                                       .nshort = SIZE_MAX,
                                                       .age = 1 - REFUSED_AGE,
                                                       .who = "trim"});
}

void scavenger_release_excess(struct mheap *h, size_t excess, size_t freed) {
    bool own = excess <= 2 * freed;
    struct scavenger_visit v = {
        .npages = excess,
        .least = SCAVENGER_LONG_PAGES,
        .who = "free",
        .budget_ticks = own ? 0 : SCAVENGER_VISIT_TICKS,
    };
    mutex_lock(&h->lock);
    if (scavenger_short_due_locked(h)) {
        v.least = 1;
        v.nshort = scavenger_at_once_locked(h) ? SIZE_MAX : SHORT_RANGES;
        h->short_ticks = sys_ticks();
    }
    mutex_unlock(&h->lock);
    scavenger_visit(h, v);
}

void scavenger_forked(struct mheap *h) {
    // A handler that interrupted a visit has forked: it goes on.
    if (mutex_held(&h->scavenger))
        return;
    holes_forked(h);
    atomic_store_explicit(&h->scavenging, false, memory_order_relaxed);
}
