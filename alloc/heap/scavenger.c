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
// A free that leaves more than max(64 MiB, peak / 12) unused releases the excess at
// once, and 1/16 more, so that not each free has to: 1/12, so that a process
// that frees its whole heap and then only sleeps is within 10 % of the peak of
// where it was. But memory that is in use again a moment later is no excess: as
// many pages are kept as were taken of the free ones in the last 50 to 150 ms, as
// long as all memory is at most 5/4 of the peak in use. Twenty buffers of 5 to
// 25 MiB, replaced in turn and filled: 295 000 page faults before, 146 000 since,
// of them 105 000 the first of a page; 414 MiB instead of 384.
//
// Slow paths do this work. When a program has threads they may all go to sleep
// after the last free, so that free starts a helper (os/helper.h), which looks
// every 100 ms and ends when a second has gone by with nothing to do. A program
// with one thread is never given another.
#include "heap/scavenger.h"

#include "heap/hugepages.h"
#include "os/mem.h"
#include "os/memwatch.h"
#include "os/sys.h"

enum {
    KEEP_SHARE = 12,
    SLACK_SHARE = 16,
    TICK_NS = 50 * 1000 * 1000,
    HUGE_PAGES = HUGE_BYTES / PAGE_SIZE,
    // One madvise: a few hundred microseconds at 0.3 us a page of 4 KiB.
    RELEASE_PAGES = CHUNK_PAGES,
    TICK_PAGES = 4 * CHUNK_PAGES,       // what one tick releases at most
    HELP_PAGES = (4 << 20) / PAGE_SIZE, // less is not worth a thread
    HELPER_NS = 100 * 1000 * 1000,
    HELPER_IDLE = 10, // looks with nothing to do, then the helper ends
    AGE_TICKS = 10,   // of TICK_NS: a chunk not taken from for so long
    REUSE_STEPS = 8,  // of SYS_TICKS_STEP: how long a reuse is remembered
    REUSE_SHARE = 4,  // what may be kept for it, beyond the peak: 1/4
    HYSTERESIS_SHARE = 16,
};
static const uint64_t KEEP_PAGES = (64 << 20) / PAGE_SIZE;
static const uint64_t FLOOR_PAGES = (512 << 10) / PAGE_SIZE;
static const uint64_t HALF_LIFE_NS = 1000 * 1000 * 1000;

// reused_locked returns how many pages with memory were taken of the free ones in
// the last one to two windows. It reads a counter, no clock: see sys_ticks.
static uint64_t reused_locked(struct mheap *h) {
    const uint64_t window = REUSE_STEPS * (uint64_t)SYS_TICKS_STEP;
    uint64_t now = sys_ticks();
    uint64_t past = now - h->reuse_ticks;
    if (past > window) {
        h->reused_before = past > 2 * window ? 0 : h->reused_pages;
        h->reused_pages = 0;
        h->reuse_ticks = now;
    }
    int64_t n = h->reused_pages + h->reused_before;
    return n > 0 ? (uint64_t)n : 0;
}

// keep_now_locked returns how many unused pages a heap may keep even for a moment.
static uint64_t keep_now_locked(struct mheap *h, uint64_t idle) {
    uint64_t keep = max_size(h->peak_pages / KEEP_SHARE, KEEP_PAGES);
    if (idle <= keep)
        return keep;
    uint64_t most = h->peak_pages + h->peak_pages / REUSE_SHARE;
    uint64_t inuse = h->stats->inuse_pages;
    most = most > inuse ? most - inuse : 0;
    return max_size(keep, min_size(reused_locked(h), most));
}

size_t scavenger_excess_locked(struct mheap *h) {
    uint64_t idle = h->pages.nbacked + h->kept_pages + h->first_pages.n;
    uint64_t keep = keep_now_locked(h, idle);
    if (idle <= keep)
        return 0;
    return min_size(idle - keep + keep / HYSTERESIS_SHARE, h->pages.nbacked);
}

// take_locked picks the pages to release next, of chunks that were not taken from
// in the last age ticks: the highest whole huge pages, and only when there are
// none, the highest of any.
static uintptr_t take_locked(struct mheap *h, size_t most, uint32_t age,
                             size_t *ret_npages) {
    size_t os_pages = max_size(1, sys_page_size() >> PAGE_SHIFT);
    uintptr_t addr = pagealloc_take_backed(&h->pages, os_pages, HUGE_PAGES,
                                           most, age, ret_npages);
    if (addr == 0)
        addr = pagealloc_take_backed(&h->pages, os_pages, 1, most, age,
                                     ret_npages);
    return addr;
}

// release_aged is scavenger_release for chunks not taken from in age ticks.
static size_t release_aged(struct mheap *h, size_t npages, uint32_t age) {
    size_t released = 0;
    if (atomic_load_explicit(&h->release_refused, memory_order_relaxed))
        return 0;
    while (released < npages && mem_can_release()) {
        size_t n = 0;
        struct hugepages_range range = {0, 0};
        mutex_lock(&h->lock);
        uintptr_t addr =
            take_locked(h, min_size(npages - released, RELEASE_PAGES), age, &n);
        if (addr != 0)
            range = hugepages_released_locked(h, addr, n);
        mutex_unlock(&h->lock);
        if (addr == 0)
            break;
        // The pages are allocated meanwhile: nobody else can have them.
        hugepages_forbid(range);
        bool ok = mem_release(addr, n << PAGE_SHIFT);
        mutex_lock(&h->lock);
        pagealloc_free(&h->pages, addr, n, /* scavenged= */ ok);
        h->stats->free_pages = h->pages.nbacked;
        h->stats->released_pages = h->pages.nfree - h->pages.nbacked;
        mutex_unlock(&h->lock);
        if (!ok && mem_can_release()) {
            // Locked in memory, or forbidden: it will not be otherwise soon,
            // and asking at every free would cost what it should save.
            atomic_store_explicit(&h->release_refused, true,
                                  memory_order_relaxed);
            break;
        }
        released += n;
    }
    return released;
}

size_t scavenger_release(struct mheap *h, size_t npages) {
    return release_aged(h, npages, 0);
}

uint32_t scavenger_age(uint64_t now_ns) {
    return (uint32_t)(now_ns / TICK_NS);
}

// rest_pages is the goal when the peak has decayed.
static uint64_t rest_pages(const struct mheap *h) {
    uint64_t slack = h->stats->inuse_pages / SLACK_SHARE;
    return slack > FLOOR_PAGES ? slack : FLOOR_PAGES;
}

uint64_t scavenger_goal_locked(struct mheap *h, uint64_t now_ns) {
    uint64_t inuse = h->stats->inuse_pages;
    uint64_t past = h->peak_ns == 0 ? 0 : now_ns - h->peak_ns;
    h->peak_ns = now_ns;
    // peak * 2^-(past / half life), to first order between whole half lives
    uint64_t halves = past / HALF_LIFE_NS;
    uint64_t peak = halves >= 64 ? 0 : h->peak_pages >> halves;
    peak -= peak / 2 * (past % HALF_LIFE_NS) / HALF_LIFE_NS;
    h->peak_pages = peak > inuse ? peak : inuse;
    uint64_t goal = h->peak_pages + h->peak_pages / SLACK_SHARE - inuse;
    return goal > FLOOR_PAGES ? goal : FLOOR_PAGES;
}

// look does what is due at now_ns, and returns how many pages are above what a
// heap at rest keeps.
static uint64_t look(struct mheap *h, uint64_t now_ns) {
    for (unsigned i = 0; i < mheap_ncentrals(h); i++)
        mcentral_drain_idle(mheap_central(h, i));
    mheap_drop_kept(h); // some may not have been asked for in a while
    mutex_lock(&h->lock);
    uint64_t goal = scavenger_goal_locked(h, now_ns);
    h->pages.now = scavenger_age(now_ns);
    uint64_t nbacked = h->pages.nbacked;
    uint64_t rest = rest_pages(h);
    mutex_unlock(&h->lock);
    if (nbacked > goal)
        nbacked -=
            release_aged(h, min_size(nbacked - goal, TICK_PAGES), AGE_TICKS);
    atomic_store_explicit(&h->restless, nbacked > rest, memory_order_relaxed);
    return nbacked > rest ? nbacked - rest : 0;
}

void scavenger_tick(struct mheap *h) {
    // The clock is a system call; the counter of cycles says when to ask it.
    uint64_t ticks = sys_ticks();
    uint64_t last = atomic_load_explicit(&h->tick_ticks, memory_order_relaxed);
    if (ticks - last < SYS_TICKS_STEP)
        return;
    atomic_store_explicit(&h->tick_ticks, ticks, memory_order_relaxed);
    uint64_t now = sys_now_ns();
    uint64_t due = atomic_load_explicit(&h->tick_ns, memory_order_relaxed);
    if (now < due)
        return;
    // Two threads may both find it due; both then look, and no harm is done.
    atomic_store_explicit(&h->tick_ns, now + TICK_NS, memory_order_relaxed);
    if (atomic_load_explicit(&h->quiet_pages, memory_order_relaxed) <= 0)
        look(h, now);
}

void scavenger_look_after_locked(struct mheap *h) {
    if (h->pages.nbacked + h->kept_pages > rest_pages(h) + HELP_PAGES)
        atomic_store_explicit(&h->restless, true, memory_order_relaxed);
}

bool scavenger_help_locked(struct mheap *h) {
    return !sys_single_threaded() && !memwatch_watched() &&
           h->pages.nbacked > rest_pages(h) + HELP_PAGES &&
           atomic_load_explicit(&h->helper.tid, memory_order_relaxed) == 0 &&
           !atomic_load_explicit(&h->release_refused, memory_order_relaxed) &&
           atomic_load_explicit(&h->quiet_pages, memory_order_relaxed) <= 0;
}

// help is the helper thread: it ends once there was nothing to do for a while.
static void help(void *arg) {
    struct mheap *h = arg;
    for (int nidle = 0; nidle < HELPER_IDLE; nidle++) {
        sys_sleep_ns(HELPER_NS);
        if (look(h, sys_now_ns()) > 0 &&
            !atomic_load_explicit(&h->release_refused, memory_order_relaxed))
            nidle = 0;
    }
}

void scavenger_help(struct mheap *h) {
    helper_start(&h->helper, help, h);
}
