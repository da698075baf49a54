// scavenger_goal.c: see scavenger_goal.h. After Go 1.19 runtime/mgcscavenge.go,
// with another goal: Go keeps what its next heap goal will need, but malloc
// does not know the heap's future. Instead the peak of pages in use decays:
//
//   keep = max(FLOOR, peak + peak / 16 - inuse),  peak halves every second
//
// Freed memory is thus kept for a while, because reusing a released page faults
// again, and released when it stays unused. A chunk of 4 MiB from which pages
// were taken in the last half second is not released: it serves programs that
// free and allocate in turns.
//
// A free that leaves more than max(64 MiB, peak / 12) unused, or more than
// max(4 MiB, peak / 64) if no unused page was reused in the last second,
// releases the excess at once, plus 1/16, so that not every free must. 1/12, so
// that a process that frees its whole heap and then sleeps is within 10 % of
// the peak above its size before. Memory that is soon reused is no excess: as
// many pages are kept as were taken from the free ones in the last 50 to 150
// ms, as long as all memory is at most 5/4 of the peak in use; pages released
// shortly before they were needed count too. Twenty buffers of 5 to 25 MiB,
// replaced in turn and filled: 295 000 page faults before, 125 000 to 193 000
// since, 105 000 of them first touches; 423 to 429 MiB instead of 384.
//
// When a large object takes memory from the system, free pages with memory that
// it could not use are released in exchange, except those reused lately: an
// array that grows leaves shorter runs that nothing needs.
#include "heap/scavenger_goal.h"

#include "heap/memlimit.h"
#include "os/sys.h"

enum {
    KEEP_SHARE = 12,
    REST_SHARE = 64,
    REST_STEPS = 64, // of SYS_TICKS_STEP without a reuse: about a second
    SLACK_SHARE = 16,
    REUSE_STEPS = 8, // of SYS_TICKS_STEP: how long a reuse is remembered
    REUSE_SHARE = 4, // what may be kept for it, beyond the peak: 1/4
    HYSTERESIS_SHARE = 16,
    HYSTERESIS_PAGES = (2 << 20) / PAGE_SIZE,
    TRADE_PAGES = (1 << 20) / PAGE_SIZE, // less than that is not traded
    KEEP_PAGES = (64 << 20) / PAGE_SIZE,
    HELP_PAGES = (4 << 20) / PAGE_SIZE, // less is not worth a thread
    REST_PAGES = (4 << 20) / PAGE_SIZE,
};

// reused_locked returns how many pages with memory were taken from the free
// ones in the last one to two windows, including pages that lost their memory
// by a release. It reads a counter, not a clock: see sys_ticks.
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

uint64_t scavenger_rest_pages(const struct mheap *h) {
    uint64_t slack = h->stats->inuse_pages / SLACK_SHARE;
    if (h->half_life_ns == SCAVENGE_NEVER)
        return UINT64_MAX / 2;
    return slack > SCAVENGER_FLOOR_PAGES ? slack : SCAVENGER_FLOOR_PAGES;
}

bool scavenger_reuses_locked(const struct mheap *h) {
    return sys_ticks() - h->reuse_seen <= REST_STEPS * (uint64_t)SYS_TICKS_STEP;
}

// keep_now_locked returns how many unused pages a heap may keep even for a moment.
static uint64_t keep_now_locked(struct mheap *h, uint64_t idle) {
    uint64_t keep = max_size(h->peak_pages / KEEP_SHARE, KEEP_PAGES);
    uint64_t room = UINT64_MAX; // that a limit leaves
    if (memlimit_near_locked(h) && memlimit_may_spend(h))
        room = max_size(memlimit_idle_locked(h), h->kept_pages);
    // A shorter half-life keeps proportionally less at once, even if a limit
    // leaves room for more; with 0 only what a heap at rest keeps.
    if (h->half_life_ns < SCAVENGE_HALF_LIFE_NS) {
        uint64_t rest = scavenger_rest_pages(h);
        uint64_t more = keep > rest ? keep - rest : 0;
        keep = rest + more * h->half_life_ns / SCAVENGE_HALF_LIFE_NS +
               h->kept_pages;
        return min_size(keep, room);
    }
    if (room != UINT64_MAX)
        return room;
    uint64_t reused = reused_locked(h);
    if (reused > SCAVENGER_FLOOR_PAGES)
        h->reuse_seen = sys_ticks();
    // If nothing was reused for a second, little will be soon.
    else if (!scavenger_reuses_locked(h))
        // Kept spans are released by a tick: a free would release its own pages.
        return max_size(h->peak_pages / REST_SHARE, REST_PAGES) + h->kept_pages;
    if (idle <= keep)
        return keep;
    uint64_t most = h->peak_pages + h->peak_pages / REUSE_SHARE;
    uint64_t inuse = h->stats->inuse_pages;
    most = most > inuse ? most - inuse : 0;
    return max_size(keep, min_size(reused, most));
}

bool scavenger_at_once_locked(const struct mheap *h) {
    return h->half_life_ns == 0 || memlimit_near_locked(h);
}

bool scavenger_short_due_locked(const struct mheap *h) {
    return scavenger_at_once_locked(h) ||
           sys_ticks() - h->short_ticks > SYS_TICKS_STEP;
}

size_t scavenger_excess_locked(struct mheap *h) {
    if (h->half_life_ns == SCAVENGE_NEVER && !memlimit_near_locked(h))
        return 0;
    uint64_t idle = h->pages.nbacked + h->kept_pages + h->first_pages.n;
    uint64_t keep = keep_now_locked(h, idle);
    if (idle <= keep ||
        (pagealloc_backed_most(&h->pages) < SCAVENGER_LONG_PAGES &&
         !scavenger_short_due_locked(h)))
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
    uint64_t keep = max_size(reused_locked(h), SCAVENGER_FLOOR_PAGES);
    uint64_t idle = h->pages.nbacked;
    return idle > keep ? min_size(idle - keep, nfresh) : 0;
}

uint64_t scavenger_goal_locked(struct mheap *h, uint64_t now_ns) {
    uint64_t inuse = h->stats->inuse_pages;
    uint64_t past = h->peak_ns == 0 ? 0 : now_ns - h->peak_ns;
    h->peak_ns = now_ns;
    uint64_t half_life = h->half_life_ns;
    if (half_life == SCAVENGE_NEVER)
        return scavenger_rest_pages(h);
    // peak * 2^-(past / half life), to first order between whole half lives
    uint64_t halves = half_life == 0 ? 64 : past / half_life;
    uint64_t peak = halves >= 64 ? 0 : h->peak_pages >> halves;
    if (peak > 0)
        peak -= (uint64_t)((double)(peak / 2) * (double)(past % half_life) /
                           (double)half_life);
    h->peak_pages = peak > inuse ? peak : inuse;
    uint64_t goal = h->peak_pages + h->peak_pages / SLACK_SHARE - inuse;
    return goal > SCAVENGER_FLOOR_PAGES ? goal : SCAVENGER_FLOOR_PAGES;
}

bool scavenger_much_locked(const struct mheap *h) {
    return h->pages.nbacked + h->kept_pages >
           scavenger_rest_pages(h) + HELP_PAGES;
}

void scavenger_look_after_locked(struct mheap *h) {
    if (scavenger_much_locked(h))
        atomic_store_explicit(&h->restless, true, memory_order_relaxed);
}
