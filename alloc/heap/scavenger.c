// scavenger.c: see scavenger.h. After Go 1.19 runtime/mgcscavenge.go, with its
// goal replaced: Go keeps what its next heap goal will need, but malloc does not
// know the heap's future. Instead the peak of pages in use decays:
//
//   keep = max(FLOOR, peak + peak / 16 - inuse),  peak halves every second
//
// so that what was freed is kept for a while (the second use of a page must not
// fault again), and goes when it stays unused. A chunk of 4 MiB from which pages
// were taken in the last half second gives none back: what a program frees and
// takes in turn stays where it is.
//
// A free that leaves more than max(64 MiB, peak / 12) unused, or than max(4 MiB,
// peak / 64) if no unused page was used again in the last second, releases the excess
// at once, and 1/16 more, so that not each free has to: 1/12, so that a process
// that frees its whole heap and then only sleeps is within 10 % of the peak of
// where it was. But memory that is in use again a moment later is no excess: as
// many pages are kept as were taken of the free ones in the last 50 to 150 ms, as
// long as all memory is at most 5/4 of the peak in use; pages that were given back a
// moment before they were taken count as well. Twenty buffers of 5 to
// 25 MiB, replaced in turn and filled: 295 000 page faults before, 125 000 to 193 000
// since, of them 105 000 the first of a page; 423 to 429 MiB instead of 384.
//
// What small objects touch for the first time is paid for, 512 KiB at a time, with holes
// in spans of classes from which nobody took while the heap grew by a quarter (holes.h):
// a program that drops all but a few objects of one size and goes on with another would
// keep the memory of both. That ends for a while when more than 1/16 of what was given
// back is used again. 64-byte objects, 1 of 128 kept, then 300 MiB of 1 KiB: 544 MiB
// instead of 734 (glibc 523), in 0.13 s instead of 0.04 (glibc 0.10); bench-phases, which
// comes back to the sizes that it left, takes 12 % longer for it.
//
// A large object that takes memory from the system pays with free pages that have
// some and were of no use to it, as far as they were not used again lately: an
// array that grows leaves shorter ones behind that nobody needs.
//
// Slow paths do this work. When a program has threads they may all go to sleep
// after the last free, so that free starts a helper (os/helper.h), which looks
// every 100 ms and ends when a second has gone by with nothing to do. A program
// with one thread, or of which one is left, is never given another.
#include "heap/scavenger.h"

#include "heap/holes.h"
#include "heap/hugepages.h"
#include "heap/keptspans.h"
#include "heap/mcentral_drain.h"
#include "heap/memlimit.h"
#include "heap/scavtrace.h"
#include "os/mem.h"
#include "os/memwatch.h"
#include "os/sys.h"

enum {
    KEEP_SHARE = 12,
    REST_SHARE = 64,
    REST_STEPS = 64, // of SYS_TICKS_STEP without a reuse: about a second
    SLACK_SHARE = 16,
    TICK_NS = PAGECURSOR_AGE_NS,
    HUGE_PAGES = HUGE_BYTES / PAGE_SIZE,
    LONG_PAGES = (32 << 10) / PAGE_SIZE,
    SHORT_RANGES = 64, // that are shorter: of a free, in SYS_TICKS_STEP
    // What is taken under one lock: 50 to 300 us to release, of pages of 4 KiB.
    RELEASE_PAGES = CHUNK_PAGES,
    SCAVENGE_RANGES = 32,
    TICK_PAGES = 4 * CHUNK_PAGES,       // what one tick releases at most
    HELP_PAGES = (4 << 20) / PAGE_SIZE, // less is not worth a thread
    HELPER_NS = 100 * 1000 * 1000,
    HELPER_IDLE = 10, // looks with nothing to do, then the helper ends
    AGE_TICKS = 10,   // of TICK_NS: a chunk not taken from for so long
    REUSE_STEPS = 8,  // of SYS_TICKS_STEP: how long a reuse is remembered
    REUSE_SHARE = 4,  // what may be kept for it, beyond the peak: 1/4
    HYSTERESIS_SHARE = 16,
    HYSTERESIS_PAGES = (2 << 20) / PAGE_SIZE,
    TRADE_PAGES = (1 << 20) / PAGE_SIZE, // less than that is not traded
    // Of holes, at once.
    TRADE_LEAST_BYTES = 64 << 10,
    TRADE_MOST_BYTES = 512 << 10,
};
static const uint64_t KEEP_PAGES = (64 << 20) / PAGE_SIZE;
static const uint64_t REST_PAGES = (4 << 20) / PAGE_SIZE;
static const uint64_t FLOOR_PAGES = (512 << 10) / PAGE_SIZE;

// reused_locked returns how many pages with memory were taken of the free ones in
// the last one to two windows, or would have had it if they had not been given back. It reads a counter, no clock: see sys_ticks.
static uint64_t reused_locked(struct mheap *h) {
    const uint64_t window = REUSE_STEPS * (uint64_t)SYS_TICKS_STEP;
    uint64_t now = sys_ticks();
    uint64_t past = now - h->reuse_ticks;
    if (past > window) {
        h->reused_before = past > 2 * window ? 0 : h->reused_pages;
        h->reused_pages = 0;
        h->given_before = past > 2 * window ? 0 : h->given_pages;
        h->given_pages = 0;
        h->reuse_ticks = now;
    }
    int64_t n = h->reused_pages + h->reused_before;
    return n > 0 ? (uint64_t)n : 0;
}

// rest_pages is the goal when the peak has decayed.
static uint64_t rest_pages(const struct mheap *h) {
    uint64_t slack = h->stats->inuse_pages / SLACK_SHARE;
    if (h->half_life_ns == SCAVENGE_NEVER)
        return UINT64_MAX / 2;
    return slack > FLOOR_PAGES ? slack : FLOOR_PAGES;
}

bool scavenger_reuses_locked(const struct mheap *h) {
    return sys_ticks() - h->reuse_seen <= REST_STEPS * (uint64_t)SYS_TICKS_STEP;
}

// keep_now_locked returns how many unused pages a heap may keep even for a moment.
static uint64_t keep_now_locked(struct mheap *h, uint64_t idle) {
    uint64_t keep = max_size(h->peak_pages / KEEP_SHARE, KEEP_PAGES);
    if (memlimit_near_locked(h) && memlimit_may_spend(h))
        return max_size(memlimit_idle_locked(h), h->kept_pages);
    // A shorter half-life keeps as much less at once: with 0 only what a heap at
    // rest does.
    if (h->half_life_ns < SCAVENGE_HALF_LIFE_NS) {
        uint64_t rest = rest_pages(h);
        uint64_t more = keep > rest ? keep - rest : 0;
        return rest + more * h->half_life_ns / SCAVENGE_HALF_LIFE_NS +
               h->kept_pages;
    }
    uint64_t reused = reused_locked(h);
    if (reused > FLOOR_PAGES)
        h->reuse_seen = sys_ticks();
    // Where nothing was taken for long, nothing is going to be soon.
    else if (!scavenger_reuses_locked(h))
        // Kept spans go by a tick: a free would release its own pages for them.
        return max_size(h->peak_pages / REST_SHARE, REST_PAGES) + h->kept_pages;
    if (idle <= keep)
        return keep;
    uint64_t most = h->peak_pages + h->peak_pages / REUSE_SHARE;
    uint64_t inuse = h->stats->inuse_pages;
    most = most > inuse ? most - inuse : 0;
    return max_size(keep, min_size(reused, most));
}

// at_once_locked says whether all that is too much goes back at once, whatever that
// costs.
static bool at_once_locked(const struct mheap *h) {
    return h->half_life_ns == 0 || memlimit_near_locked(h);
}

// short_due_locked says whether a free may give short runs back: not so soon again.
static bool short_due_locked(const struct mheap *h) {
    return at_once_locked(h) || sys_ticks() - h->short_ticks > SYS_TICKS_STEP;
}

size_t scavenger_excess_locked(struct mheap *h) {
    if (h->half_life_ns == SCAVENGE_NEVER && !memlimit_near_locked(h))
        return 0;
    uint64_t idle = h->pages.nbacked + h->kept_pages + h->first_pages.n;
    uint64_t keep = keep_now_locked(h, idle);
    if (idle <= keep ||
        (pagealloc_backed_most(&h->pages) < LONG_PAGES && !short_due_locked(h)))
        return 0;
    uint64_t more = max_size(keep / HYSTERESIS_SHARE, HYSTERESIS_PAGES);
    return min_size(idle - keep + more, h->pages.nbacked);
}

size_t scavenger_trade_locked(struct mheap *h, size_t nfresh) {
    if (memlimit_near_locked(h) && memlimit_may_spend(h))
        return min_size(h->pages.nbacked, nfresh);
    if (nfresh < TRADE_PAGES || h->pages.nbacked < TRADE_PAGES ||
        h->half_life_ns == SCAVENGE_NEVER)
        return 0;
    uint64_t keep = max_size(reused_locked(h), FLOOR_PAGES);
    uint64_t idle = h->pages.nbacked;
    return idle > keep ? min_size(idle - keep, nfresh) : 0;
}

// A visit gives back what it finds on its way down over all chunks, first in runs of
// whole huge pages, then of 32 KiB or more, then any; the next visit goes on where it
// ended. Under the
// lock it takes a few ranges, out of a few chunks; it returns them without it. They
// are allocated meanwhile: nobody else can have them.
//
// A visit to the holes in spans (holes.h) is another kind; they take turns in being
// the first at a tick, for both share its budget.
//
// struct visit is what one may do, and has done.
struct visit {
    size_t npages;         // to be given back
    size_t least;          // in runs of so many pages or more
    size_t nshort;         // and of the short ones no more than so many
    int32_t age;           // of chunks: see pagecursor_take
    uint64_t budget_ticks; // 0: no limit
    uint64_t begin_ticks;
    const char *who; // for traces
    size_t nranges;
    size_t released;
    unsigned nturns; // times that the cursor went back to the top
};

enum {
    // A visit that has come to the end four times has seen every chunk in all three
    // ways, wherever it began.
    ALL_TURNS = 4,
    LOOK_CHUNKS = 128, // under one lock: 10 to 30 us
    VISIT_TICKS = SYS_TICKS_STEP / 64,
    HELPER_TICKS = SYS_TICKS_STEP / 4, // of a thread that nobody waits for
    // When a walk over holes goes on in a tick: by so many ticks, and ns.
    SOON_TICKS = SYS_TICKS_STEP / 4,
    SOON_NS = 4 * 1000 * 1000,
    REFUSED_AGE = 200,  // of TICK_NS: a chunk of which a range was refused
    REFUSED_MAX = 64,   // such ranges in a row: then none is tried any more
    FORBID_RANGES = 16, // a batch ends when so many advices change
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

static bool late(const struct visit *v) {
    return v->budget_ticks != 0 &&
           sys_ticks() - v->begin_ticks > v->budget_ticks;
}

// turn_locked lets the cursor begin at the top, for shorter runs, or, after the
// shortest, for the longest.
static void turn_locked(struct mheap *h, size_t least) {
    if (h->sweep_min <= least)
        h->sweep_min = HUGE_PAGES;
    else
        h->sweep_min = h->sweep_min == HUGE_PAGES ? LONG_PAGES : 1;
    pagecursor_to_top(&h->sweep, &h->pages);
}

static void take_batch(struct mheap *h, struct visit *v, struct batch *ret) {
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
        if (n < LONG_PAGES && --v->nshort == 0)
            v->least = LONG_PAGES;
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
                          struct visit *v) {
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

// enter makes the calling thread the one that is at it, or returns false: for
// another there is nothing to do. Fork waits for it, or the child would lose what
// is on its way; but not where functions of the program are told of a release,
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

// visit does what v says and returns how many pages it gave back.
static size_t visit(struct mheap *h, struct visit v) {
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
                    &(struct scavtrace){"runs", v.who, begin_ns,
                                        v.released << PAGE_SHIFT, v.nranges});
    return v.released;
}

// visit_holes goes on with the walk that is due at now_ns, or makes a whole one of
// its own, and returns how many bytes it gave back.
static size_t visit_holes(struct mheap *h, uint64_t now_ns,
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
    return visit_holes(
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
    // Threads that meet here lose some of it: that is no matter.
    size_t owed =
        nfresh + atomic_load_explicit(&h->trade_owed, memory_order_relaxed);
    uint64_t past =
        fresh - atomic_load_explicit(&h->trades_from, memory_order_relaxed);
    if (owed >= TRADE_LEAST_BYTES && past >= mheap_unused_bytes(h) &&
        holes_pay(h))
        owed -= min_size(
            owed, visit_holes(h, 0,
                              (struct holes_visit){
                                  .kind = HOLD_UNUSED,
                                  .most = min_size(owed, TRADE_MOST_BYTES),
                                  .begin_ticks = sys_ticks(),
                                  .budget_ticks = VISIT_TICKS,
                              }));
    atomic_store_explicit(&h->trade_owed, owed, memory_order_relaxed);
}

size_t scavenger_release(struct mheap *h, size_t npages) {
    mutex_lock(&h->lock);
    h->pages.now = pagecursor_age(sys_now_ns());
    mutex_unlock(&h->lock);
    // Of chunks that are left alone only those of which a range was refused just
    // now: the same visit would come to it again.
    return visit(h, (struct visit){.npages = npages,
                                   .least = 1,
                                   .nshort = SIZE_MAX,
                                   .age = 1 - REFUSED_AGE,
                                   .who = "trim"});
}

void scavenger_release_excess(struct mheap *h, size_t excess, size_t freed) {
    bool own = excess <= 2 * freed;
    struct visit v = {
        .npages = excess,
        .least = LONG_PAGES,
        .who = "free",
        .budget_ticks = own ? 0 : VISIT_TICKS,
    };
    mutex_lock(&h->lock);
    if (short_due_locked(h)) {
        v.least = 1;
        v.nshort = at_once_locked(h) ? SIZE_MAX : SHORT_RANGES;
        h->short_ticks = sys_ticks();
    }
    mutex_unlock(&h->lock);
    visit(h, v);
}

void scavenger_forked(struct mheap *h) {
    // A handler that interrupted a visit has forked: it goes on.
    if (mutex_held(&h->scavenger))
        return;
    holes_forked(h);
    atomic_store_explicit(&h->scavenging, false, memory_order_relaxed);
}

uint64_t scavenger_goal_locked(struct mheap *h, uint64_t now_ns) {
    uint64_t inuse = h->stats->inuse_pages;
    uint64_t past = h->peak_ns == 0 ? 0 : now_ns - h->peak_ns;
    h->peak_ns = now_ns;
    uint64_t half_life = h->half_life_ns;
    if (half_life == SCAVENGE_NEVER)
        return rest_pages(h);
    // peak * 2^-(past / half life), to first order between whole half lives
    uint64_t halves = half_life == 0 ? 64 : past / half_life;
    uint64_t peak = halves >= 64 ? 0 : h->peak_pages >> halves;
    if (peak > 0)
        peak -= (uint64_t)((double)(peak / 2) * (double)(past % half_life) /
                           (double)half_life);
    h->peak_pages = peak > inuse ? peak : inuse;
    uint64_t goal = h->peak_pages + h->peak_pages / SLACK_SHARE - inuse;
    return goal > FLOOR_PAGES ? goal : FLOOR_PAGES;
}

// collect_idle makes free pages of what classes and the heap keep and nobody asked
// for since the last time, for as long as a visit may take. The next one goes on
// with the class where this one ended.
static void collect_idle(struct mheap *h) {
    uint64_t begin = sys_ticks();
    unsigned n = mheap_ncentrals(h);
    unsigned at = atomic_load_explicit(&h->collect_at, memory_order_relaxed);
    bool late = false;
    for (unsigned i = 0; i < n && !late; i++, at++) {
        if (!mheap_is_used(h, at % n))
            continue;
        while (!late && mcentral_drain_idle(mheap_central(h, at % n)))
            late = sys_ticks() - begin > VISIT_TICKS;
        late = late || sys_ticks() - begin > VISIT_TICKS;
    }
    atomic_store_explicit(&h->collect_at, at % n, memory_order_relaxed);
    while (!late && mheap_drop_kept(h))
        late = sys_ticks() - begin > VISIT_TICKS;
}

// give_back gives back what is due at now_ns, for as long as the budget lasts.
// Returns how many free pages with memory are left.
static uint64_t give_back(struct mheap *h, uint64_t now_ns, uint64_t goal,
                          uint64_t nbacked, uint64_t budget_ticks) {
    uint64_t begin = sys_ticks();
    bool turn = atomic_load_explicit(&h->holes_first, memory_order_relaxed);
    atomic_store_explicit(&h->holes_first, !turn, memory_order_relaxed);
    struct holes_visit holes = {
        .most = SIZE_MAX, .begin_ticks = begin, .budget_ticks = budget_ticks};
    if (turn)
        visit_holes(h, now_ns, holes);
    if (nbacked > goal)
        nbacked -= visit(h, (struct visit){
                                .npages = min_size(nbacked - goal, TICK_PAGES),
                                .least = 1,
                                .nshort = SIZE_MAX,
                                .age = AGE_TICKS,
                                .who = "tick",
                                .begin_ticks = begin,
                                .budget_ticks = budget_ticks,
                            });
    if (!turn)
        visit_holes(h, now_ns, holes);
    return nbacked;
}

// look does what is due at now_ns, and says whether there is more than what a heap
// at rest keeps.
static bool look(struct mheap *h, uint64_t now_ns, uint64_t budget_ticks) {
    collect_idle(h);
    mutex_lock(&h->lock);
    uint64_t goal = scavenger_goal_locked(h, now_ns);
    if (memlimit_near_locked(h) && memlimit_may_spend(h))
        goal = FLOOR_PAGES;
    h->pages.now = pagecursor_age(now_ns);
    uint64_t nbacked = h->pages.nbacked;
    uint64_t rest = rest_pages(h);
    mutex_unlock(&h->lock);
    nbacked = give_back(h, now_ns, goal, nbacked, budget_ticks);
    bool more = nbacked > rest ||
                atomic_load_explicit(&h->holes_left, memory_order_relaxed) !=
                    HOLES_NONE;
    atomic_store_explicit(&h->restless, more, memory_order_relaxed);
    return more;
}

void scavenger_tick(struct mheap *h) {
    // The clock is a system call; the counter of cycles says when to ask it.
    uint64_t ticks = sys_ticks();
    uint64_t last = atomic_load_explicit(&h->tick_ticks, memory_order_relaxed);
    if (ticks - last < (scavenger_walking(h) ? SOON_TICKS : SYS_TICKS_STEP))
        return;
    atomic_store_explicit(&h->tick_ticks, ticks, memory_order_relaxed);
    uint64_t now = sys_now_ns();
    uint64_t due = atomic_load_explicit(&h->tick_ns, memory_order_relaxed);
    if (now < due)
        return;
    // Two threads may both find it due; both then look, and no harm is done.
    atomic_store_explicit(&h->tick_ns, now + TICK_NS, memory_order_relaxed);
    if (atomic_load_explicit(&h->quiet_pages, memory_order_relaxed) > 0)
        return;
    look(h, now, VISIT_TICKS);
    if (scavenger_walking(h))
        atomic_store_explicit(&h->tick_ns, now + SOON_NS, memory_order_relaxed);
}

void scavenger_look_after_locked(struct mheap *h) {
    if (h->pages.nbacked + h->kept_pages > rest_pages(h) + HELP_PAGES)
        atomic_store_explicit(&h->restless, true, memory_order_relaxed);
}

// alone_locked says whether no other thread uses the heap now: the C library's word
// stays at "several" when they have ended. So threads that never allocated count as
// gone, and get no helper: the C library tells nobody that they are there, and one that
// is wrongly started makes setns of a program with one thread left fail. Where no thread
// has a cache (hardened mode) that word is all there is.
static bool alone_locked(const struct mheap *h) {
    size_t norphans = __atomic_load_n(&h->stats->norphans, __ATOMIC_RELAXED);
    return !h->help_always &&
           (sys_single_threaded() || h->caches.ninuse - norphans == 1);
}

// may_help says whether a helper may be started that is not there, if this program
// has other threads.
static bool may_help(struct mheap *h) {
    return (h->help_always || !sys_single_threaded()) && !memwatch_watched() &&
           atomic_load_explicit(&h->helper.tid, memory_order_relaxed) == 0 &&
           !atomic_load_explicit(&h->release_refused, memory_order_relaxed) &&
           atomic_load_explicit(&h->quiet_pages, memory_order_relaxed) <= 0;
}

bool scavenger_help_locked(struct mheap *h) {
    bool much = h->pages.nbacked + h->kept_pages > rest_pages(h) + HELP_PAGES ||
                atomic_load_explicit(&h->holes_left, memory_order_relaxed) !=
                    HOLES_NONE;
    return much && may_help(h) && !alone_locked(h);
}

void scavenger_holes_made(struct mheap *h) {
    if (h->holes.off || h->half_life_ns == SCAVENGE_NEVER)
        return;
    if (!atomic_load_explicit(&h->restless, memory_order_relaxed))
        atomic_store_explicit(&h->restless, true, memory_order_relaxed);
    if (!atomic_load_explicit(&h->trades, memory_order_relaxed)) {
        atomic_store_explicit(
            &h->trades_from,
            atomic_load_explicit(&h->fresh_bytes, memory_order_relaxed),
            memory_order_relaxed);
        atomic_store_explicit(&h->trade_owed, 0, memory_order_relaxed);
        atomic_store_explicit(&h->trades, true, memory_order_relaxed);
    }
    if (!may_help(h))
        return;
    mutex_lock(&h->lock);
    bool alone = alone_locked(h);
    mutex_unlock(&h->lock);
    if (!alone)
        scavenger_help(h);
}

// help is the helper thread: it ends once there was nothing to do for a while.
static void help(void *arg) {
    struct mheap *h = arg;
    for (int nidle = 0; nidle < HELPER_IDLE; nidle++) {
        if (!helper_sleep_ns(&h->helper, HELPER_NS))
            return;
        if (look(h, sys_now_ns(), HELPER_TICKS) &&
            !atomic_load_explicit(&h->release_refused, memory_order_relaxed))
            nidle = 0;
    }
}

void scavenger_help(struct mheap *h) {
    helper_start(&h->helper, help, h);
}

void scavenger_resume(struct mheap *h) {
    mutex_lock(&h->lock);
    bool help = scavenger_help_locked(h);
    mutex_unlock(&h->lock);
    if (help)
        scavenger_help(h);
}
