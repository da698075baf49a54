// publish.c: see publish.h.
#include "watch/publish.h"

#include <string.h>

#include "heap/memlimit.h"
#include "os/filter.h"
#include "prof/ranges.h"
#include "prof/reading.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/snapshot.h"

enum {
    PERIOD_NS = 100 * 1000 * 1000,
    MOVED_SHARE = 64,
    MOVED_MIN = 1 << 20,
    COST_SHARE = 100,
    PART_TICKS = SYS_TICKS_STEP / 1024, // some 10 us
    PATIENCE_STEPS = 5,                 // of SYS_TICKS_STEP: 1 to 100 ms
};

// Whatever is not atomic is guarded by the lock of the page, or by mheap.lock.
static struct reading reading;
static uint64_t spent_ticks; // on the reading so far

// Relaxed: written with mheap.lock, read without.
static _Atomic uint64_t peak_bytes, given_bytes;

// The figures that were written last, and when. Relaxed: written with the lock of the
// page, read without.
static _Atomic uint64_t last_inuse, last_idle;
static _Atomic uint64_t last_ns;
static _Atomic uint64_t last_ticks;
static _Atomic uint64_t pause_ticks; // until the next time

// A section that is being written has an odd seq.
static void begin_section(uint32_t *seq) {
    __atomic_store_n(seq, *seq | 1, __ATOMIC_RELAXED);
    // release: a reader that sees a changed field sees the odd number
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_section(uint32_t *seq) {
    // release: a reader that sees the number sees the fields
    __atomic_store_n(seq, *seq + 1, __ATOMIC_RELEASE);
}

static uint64_t apart(uint64_t a, uint64_t b) {
    return a > b ? a - b : b - a;
}

static uint64_t load(const _Atomic uint64_t *word) {
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t n) {
    atomic_store_explicit(word, n, memory_order_relaxed);
}

// may_be_written says whether 100 times the duration of the last write has passed.
static bool may_be_written(void) {
    return sys_ticks() - load(&last_ticks) >= load(&pause_ticks);
}

static bool moved(uint64_t inuse, uint64_t idle) {
    uint64_t distance =
        apart(inuse, load(&last_inuse)) + apart(idle, load(&last_idle));
    return distance > MOVED_MIN && distance > (inuse + idle) / MOVED_SHARE &&
           may_be_written();
}

// write_ranges writes the ranges if the heap or its metadata has grown.
static void write_ranges(struct mound_page *page, struct mheap *h) {
    static struct mound_page_ranges ranges; // (mheap.lock)
    static uint64_t written;                // (mheap.lock) the version
    uint64_t version = ranges_version_locked(h);
    if (version == written && page->ranges.seq != 0)
        return;
    written = version;
    ranges_read_locked(h, &ranges);
    begin_section(&page->ranges.seq);
    page->ranges.overflow = ranges.overflow;
    memcpy(page->ranges.ranges, ranges.ranges, sizeof ranges.ranges);
    end_section(&page->ranges.seq);
}

// pages_changed is called with mheap.lock.
static void pages_changed(struct mheap *h) {
    struct mound_page *page = runtime_page_now();
    if (page == NULL)
        return;
    struct mound_page_now *now = &page->now;
    uint64_t inuse = h->stats->inuse_pages << PAGE_SHIFT;
    uint64_t sys = h->stats->sys_pages << PAGE_SHIFT;
    uint64_t released = h->stats->released_pages << PAGE_SHIFT;
    uint64_t idle = sys - inuse - released;
    // Released bytes that are not fresh address space were given back.
    if (released > now->released && released - now->released > sys - now->sys)
        store(&given_bytes,
              load(&given_bytes) + released - now->released - (sys - now->sys));
    begin_section(&now->seq);
    now->inuse = inuse;
    now->idle = idle;
    now->released = released;
    now->sys = sys;
    end_section(&now->seq);
    write_ranges(page, h);
    if (inuse > load(&peak_bytes))
        store(&peak_bytes, inuse);
    if (UNLIKELY(moved(inuse, idle)))
        runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

// Publication.

static void add_process(struct mound_page_stats *ret, bool whole) {
    static char text[SNAPSHOT_TEXT_BYTES]; // too large for small stacks
    if (!filter_noted())
        snapshot_read_status(ret, text);
    if (whole && !filter_noted())
        snapshot_read_rollup(ret);
    snapshot_read_profile(ret);
    ret->published_ns = whole ? ret->huge_ns : sys_now_ns();
    ret->published_unix_ns = sys_unix_ns();
    ret->npublished++;
}

static void write_stats(struct mound_page *page,
                        const struct mound_page_stats *stats) {
    enum { FIRST = offsetof(struct mound_page_stats, published_ns) };
    begin_section(&page->stats.seq);
    memcpy((char *)&page->stats + FIRST, (const char *)stats + FIRST,
           sizeof *stats - FIRST);
    end_section(&page->stats.seq);
}

// read_locked continues the reading for some 10 us and says whether it is complete. With
// all set it reads everything, however many caches there are. It does not wait for locks
// of the heap: a fork in a signal handler takes the locks of the page and of the list
// while its thread may hold one of the heap.
static bool read_locked(bool all) {
    uint64_t begin = sys_ticks();
    thread_lock_list();
    size_t n = thread_count() + mound_stats.norphans;
    bool last = (!all && n > READING_CACHES_MAX) ||
                reading_step_locked(&reading, &mound_heap, thread_list(),
                                    begin + PART_TICKS);
    last = last && reading_end_locked(&reading, &mound_heap, thread_list(),
                                      thread_count());
    thread_unlock_list();
    if (last) {
        snapshot_read_rounding(&reading.stats);
        reading.stats.inuse_peak = load(&peak_bytes);
        reading.stats.given_back = load(&given_bytes);
    }
    spent_ticks += sys_ticks() - begin;
    return last;
}

// write_locked writes the complete reading.
static void write_locked(struct mound_page *page, bool whole) {
    uint64_t begin = sys_ticks();
    struct mound_page_stats *stats = &reading.stats;
    add_process(stats, whole);
    write_stats(page, stats);
    // By now the malloc in front may have called mound.
    __atomic_store_n(&page->identity.serves, snapshot_serves(),
                     __ATOMIC_RELAXED);
    store(&last_inuse, stats->inuse);
    store(&last_idle, stats->idle);
    store(&last_ns, stats->published_ns);
    uint64_t now = sys_ticks();
    spent_ticks += now - begin;
    store(&last_ticks, now);
    store(&pause_ticks, spent_ticks * COST_SHARE);
    spent_ticks = 0;
}

void publish_tick(const struct mound_page *page) {
    if (!may_be_written())
        return;
    if (sys_now_ns() - load(&last_ns) >= PERIOD_NS ||
        moved(page->now.inuse, page->now.idle))
        runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

void publish_part_locked(struct mound_page *page) {
    // Other threads do nothing meanwhile.
    runtime_set_chore(RUNTIME_CHORE_PAGE, false);
    if (read_locked(/* all= */ false))
        write_locked(page, /* whole= */ false);
    else
        runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

// add_walks copies the results of walks over the heap into the reading.
static void add_walks(const struct mound_page_stats *walks) {
    struct mound_page_stats *stats = &reading.stats;
    stats->heap_huge = walks->heap_huge;
    stats->heap_huge_unused = walks->heap_huge_unused;
    stats->huge_ns = walks->huge_ns;
    stats->resident_ns = walks->resident_ns;
    stats->resident_small = walks->resident_small;
    stats->resident_large = walks->resident_large;
    stats->resident_idle = walks->resident_idle;
    stats->resident_records = walks->resident_records;
}

void publish_all_locked(struct mound_page *page,
                        const struct mound_page_stats *walks) {
    reading.next = 0; // drop an unfinished reading
    uint64_t begin = sys_ticks();
    // Only a handler that forks can make a thread hold a lock for longer. Then the last
    // reading remains.
    while (!read_locked(/* all= */ true) &&
           sys_ticks() - begin < PATIENCE_STEPS * (uint64_t)SYS_TICKS_STEP)
        sys_spin();
    if (walks != NULL)
        add_walks(walks);
    write_locked(page, /* whole= */ walks != NULL);
}

void publish_begin(void) {
    store(&last_ns, sys_now_ns());
    memlimit_watch(&mound_heap, pages_changed);
}

void publish_forked(void) {
    reading.next = 0;
    reading.stats.npublished = 0;
}
