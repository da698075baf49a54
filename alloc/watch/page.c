// page.c: see page.h.
#include "watch/page.h"

#include <errno.h>
#include <string.h>

#include "base/mutex.h"
#include "base/print.h"
#include "heap/memlimit.h"
#include "os/exitstatus.h"
#include "os/file.h"
#include "os/filter.h"
#include "os/pagefile.h"
#include "prof/ranges.h"
#include "prof/reading.h"
#include "runtime/options.h"
#include "runtime/thread.h"
#include "watch/control.h"
#include "watch/snapshot.h"

enum {
    PERIOD_NS = 100 * 1000 * 1000,
    CHILD_NS = 20 * 1000 * 1000,
    MOVED_SHARE = 64,
    MOVED_MIN = 1 << 20,
    COST_SHARE = 100,
    STEP_TICKS = SYS_TICKS_STEP / 1024, // some 10 us
    NAMES_MAX = 100,                    // pid namespaces with the same number
};

AT_START bool page_watched;

// The lock is for who reads and writes stats; also a file is open meanwhile, which a
// child of fork would inherit.
static struct mutex lock = {.rank = LOCKRANK_PAGE};
static struct pagefile file;   // (lock)
static void *mapping;          // (lock) of it, or of the parent's
static struct reading reading; // (lock)
static uint64_t spent_ticks;   // (lock) by what was read so far
static bool child;             // there is no page yet
static uint64_t forked_ns;     // when that began

// What was written last, and when the next time may be. Relaxed: written with the lock,
// read under mheap.lock.
static _Atomic uint64_t last_inuse, last_idle;
static _Atomic uint64_t last_ns;
static _Atomic uint64_t not_before_ticks;

// (mheap.lock)
static uint64_t peak_bytes, given_bytes;

struct mound_page *page_here(void) {
    struct mound_page *_Atomic *here = runtime_page();
    // acquire: sees the page filled in; partner: release in make
    return here == NULL ? NULL
                        : atomic_load_explicit(here, memory_order_acquire);
}

// A section that is being written has an odd number in front.
static void begin_section(uint32_t *seq) {
    __atomic_store_n(seq, *seq | 1, __ATOMIC_RELAXED);
    // release: no field is seen changed before
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_section(uint32_t *seq) {
    // release: sees the fields who sees this
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

static bool moved(uint64_t inuse, uint64_t idle) {
    uint64_t distance =
        apart(inuse, load(&last_inuse)) + apart(idle, load(&last_idle));
    return distance > MOVED_MIN && distance > (inuse + idle) / MOVED_SHARE &&
           sys_ticks() >= load(&not_before_ticks);
}

// write_ranges writes them if they have changed: the heap grew, or what records take.
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
    struct mound_page *page = page_here();
    if (page == NULL)
        return;
    struct mound_page_now *now = &page->now;
    uint64_t inuse = h->stats->inuse_pages << PAGE_SHIFT;
    uint64_t sys = h->stats->sys_pages << PAGE_SHIFT;
    uint64_t released = h->stats->released_pages << PAGE_SHIFT;
    uint64_t idle = sys - inuse - released;
    // What was released and is not fresh was given back.
    if (released > now->released && released - now->released > sys - now->sys)
        given_bytes += released - now->released - (sys - now->sys);
    begin_section(&now->seq);
    now->inuse = inuse;
    now->idle = idle;
    now->released = released;
    now->sys = sys;
    end_section(&now->seq);
    write_ranges(page, h);
    if (inuse > peak_bytes)
        peak_bytes = inuse;
    if (UNLIKELY(moved(inuse, idle)))
        runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

// Publication.

static void add_process(struct mound_page_stats *ret, bool whole) {
    if (!filter_noted())
        snapshot_read_status(ret);
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

// read_step_locked goes on with the reading, for STEP_TICKS or to its end, and says
// whether it is there.
static bool read_step_locked(bool all) {
    uint64_t begin = sys_ticks();
    thread_lock_list();
    bool last = reading_step_locked(&reading, &mound_heap, thread_list(),
                                    all ? UINT64_MAX : begin + STEP_TICKS);
    if (last) {
        reading_end_locked(&reading, &mound_heap, thread_list(),
                           thread_count());
        snapshot_read_rounding(&reading.stats);
        mutex_lock(&mound_heap.lock);
        reading.stats.inuse_peak = peak_bytes;
        reading.stats.given_back = given_bytes;
        mutex_unlock(&mound_heap.lock);
    }
    thread_unlock_list();
    spent_ticks += sys_ticks() - begin;
    return last;
}

// publish_locked writes what was read.
static void publish_locked(struct mound_page *page, bool whole) {
    uint64_t begin = sys_ticks();
    struct mound_page_stats *stats = &reading.stats;
    add_process(stats, whole);
    write_stats(page, stats);
    page_mode_changed(); // by a malloc in front, which passes on to us now
    runtime_set_chore(RUNTIME_CHORE_PAGE, false);
    store(&last_inuse, stats->inuse);
    store(&last_idle, stats->idle);
    store(&last_ns, stats->published_ns);
    uint64_t now = sys_ticks();
    spent_ticks += now - begin;
    store(&not_before_ticks, now + spent_ticks * COST_SHARE);
    spent_ticks = 0;
}

void page_mode_changed(void) {
    struct mound_page *page = page_here();
    if (page != NULL)
        __atomic_store_n(&page->identity.serves, snapshot_serves(),
                         __ATOMIC_RELAXED);
}

void page_tick(void) {
    const struct mound_page *page = page_here();
    if (page == NULL || sys_ticks() < load(&not_before_ticks))
        return;
    if (sys_now_ns() - load(&last_ns) >= PERIOD_NS ||
        moved(page->now.inuse, page->now.idle))
        runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

static void publish_all_locked(struct mound_page *page, bool whole) {
    while (!read_step_locked(/* all= */ true))
        continue;
    publish_locked(page, whole);
}

// add_walks adds what walks over the heap found.
static void add_walks_locked(const struct mound_page_stats *walks) {
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

void page_publish(bool whole) {
    static struct mound_page_stats walks; // too large for small stacks
    struct mound_page *page = page_here();
    if (page == NULL)
        return;
    if (whole) {
        // Long ones, so without the lock, which a fork waits for.
        walks.records = page->stats.records;
        snapshot_read_walks(&walks, sys_now_ns());
    }
    mutex_lock(&lock);
    if (whole)
        add_walks_locked(&walks);
    publish_all_locked(page, whole);
    mutex_unlock(&lock);
}

// Making it.

// is_ours says whether the file is a page of this very process: of the program that was
// replaced by exec.
static bool is_ours(const struct mound_page_identity *id) {
    struct {
        uint64_t magic;
        uint32_t version, nbytes;
        struct mound_page_identity identity;
    } old;
    return pagefile_peek(&file, &old, sizeof old) == 0 &&
           old.magic == MOUND_PAGE_MAGIC && id->pid_namespace != 0 &&
           old.identity.pid_namespace == id->pid_namespace &&
           old.identity.start_ticks == id->start_ticks;
}

// map_file maps a new file; a name that another namespace's process has is left alone.
static int map_file(const struct mound_page_identity *id) {
    int error;
    file = (struct pagefile){
        .uid = id->uid, .pid = id->pid, .start_ticks = id->start_ticks};
    do {
        pagefile_name(&file);
        error =
            pagefile_map(&file, sizeof(struct mound_page), mapping, &mapping);
        if (error == -EEXIST && is_ours(id)) {
            pagefile_remove(&file);
            error = pagefile_map(&file, sizeof(struct mound_page), mapping,
                                 &mapping);
        }
    } while (error == -EEXIST && ++file.number < NAMES_MAX);
    return error;
}

// make makes the page, or returns why it cannot, and of what file or folder.
static const char *make_locked(const char **ret_what) {
    struct mound_page_identity id = {.pid = 0};
    snapshot_identity(&id);
    file = (struct pagefile){.uid = id.uid};
    pagefile_name(&file);
    *ret_what = file.folder;
    const char *why = pagefile_folder(&file);
    if (why != NULL)
        return why;
    int error = map_file(&id);
    *ret_what = file.path;
    if (error != 0)
        return file_error_text(error);
    struct mound_page *page = mapping;
    page->version = MOUND_PAGE_VERSION;
    page->nbytes = sizeof *page;
    page->identity = id;
    store(&last_ns, sys_now_ns());
    // release: partner in page_here
    atomic_store_explicit(runtime_page(), page, memory_order_release);
    memlimit_watch(&mound_heap, pages_changed);
    // release: who sees it sees all that was written before
    __atomic_store_n(&page->magic, MOUND_PAGE_MAGIC, __ATOMIC_RELEASE);
    return NULL;
}

// let_control is called without the lock, after a page was made.
static void let_control(void) {
    struct mound_page *page = page_here();
    if (options->control && page != NULL)
        control_start(page, page_publish);
}

static void complain(const char *what, const char *why) {
    struct print out = print_to(2);
    print_str(&out, "mound: MOUND_WATCH: ");
    print_str(&out, what);
    print_str(&out, ": ");
    print_str(&out, why);
    print_str(&out, "; nobody sees this process from outside\n");
    print_flush(&out);
}

// exited fills in what was not known when the end was noted: the handlers of exit run
// after our destructor, and destructors are not told the status.
static void exited(int status) {
    struct mound_page *page = page_here();
    if (page != NULL && page->identity.state == MOUND_PAGE_EXITED &&
        !runtime_is_borrowed())
        page->identity.status = status & 0xff;
}

COLD void page_start(void) {
    const char *what, *why;
    if (options->watch == WATCH_OFF || options->off || !thread_enter())
        return;
    runtime_enter();
    snapshot_start(/* forked= */ false);
    if (runtime_page() == NULL) {
        complain("madvise", "the kernel knows no MADV_WIPEONFORK");
    } else {
        mutex_lock(&lock);
        why = make_locked(&what);
        page_watched = why == NULL;
        mutex_unlock(&lock);
        if (page_watched && options->watch == WATCH_KEEP)
            exitstatus_tell(exited);
        if (why != NULL)
            complain(what, why);
        let_control();
    }
    thread_leave();
}

// make_child_locked makes the page of a child that lives. Where it cannot, it has none.
static bool make_child_locked(void) {
    const char *what;
    if (sys_now_ns() - forked_ns < CHILD_NS || runtime_is_borrowed())
        return false;
    page_watched = !filter_came() && make_locked(&what) == NULL;
    child = false;
    if (!page_watched)
        runtime_set_chore(RUNTIME_CHORE_PAGE, false);
    return page_watched;
}

void page_due(void) {
    // Where another thread is at it, or this one forks, this is not waited for.
    if (!mutex_trylock(&lock))
        return;
    bool made = child && make_child_locked();
    struct mound_page *page = page_here();
    if (page != NULL && read_step_locked(/* all= */ false))
        publish_locked(page, /* whole= */ false);
    mutex_unlock(&lock);
    if (made)
        let_control();
}

void page_thread_ends(void) {
    page_tick();
    if (runtime_chores_now() & RUNTIME_CHORE_PAGE)
        page_due();
}

// Forks.

void page_lock(void) {
    mutex_lock(&lock);
}

void page_unlock(void) {
    mutex_unlock(&lock);
}

void page_repair(void) {
    mutex_reset(&lock);
    reading.next = 0;
}

void page_forked(void) {
    if (!page_watched)
        return;
    snapshot_start(/* forked= */ true);
    child = true;
    forked_ns = sys_now_ns();
    reading.stats.npublished = 0;
    runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

// Ends.

// publish_last writes the last figures, unless this is a handler that interrupted who
// does so.
static void publish_last(struct mound_page *page) {
    if (!thread_enter())
        return;
    runtime_enter();
    if (mutex_trylock(&lock)) {
        publish_all_locked(page, /* whole= */ false);
        mutex_unlock(&lock);
    }
    thread_leave();
}

static void note_end(struct mound_page *page, enum mound_page_state state,
                     int status) {
    page->identity.status = status;
    page->identity.end_unix_ns = sys_unix_ns();
    // release: who sees the state sees the rest
    __atomic_store_n(&page->identity.state, (uint32_t)state, __ATOMIC_RELEASE);
}

void page_exiting(int status) {
    struct mound_page *page = page_here();
    if (page == NULL)
        return;
    if (options->watch == WATCH_KEEP)
        publish_last(page);
    note_end(page, MOUND_PAGE_EXITED, status);
    if (options->watch != WATCH_KEEP)
        pagefile_remove(&file);
}

void page_note_signal(int signal) {
    struct mound_page *page = page_here();
    if (page == NULL)
        return;
    publish_last(page);
    note_end(page, MOUND_PAGE_SIGNALLED, signal);
}
