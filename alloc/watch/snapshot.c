// snapshot.c: see snapshot.h.
#include "watch/snapshot.h"

#include <string.h>

#include "base/str.h"
#include "os/helper.h"
#include "os/sys.h"
#include "out/outname.h"
#include "prof/hugeuse.h"
#include "prof/memstats.h"
#include "prof/resident.h"
#include "runtime/mode.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/sizes.h"
#include "runtime/thread.h"
#include "watch/profile.h"

static const uint64_t SECOND_NS = 1000 * 1000 * 1000;

static uint64_t start_unix_ns; // 0: not noted
static bool is_forked;

// What the kernel says of the process.

enum { PROC_BYTES = SNAPSHOT_TEXT_BYTES };

// read_text reads the beginning of a file of /proc, after a newline.
static void read_text(const char *path, char text[PROC_BYTES]) {
    long n = 0;
    int fd = sys_open_read(path);
    text[0] = '\n';
    if (fd >= 0) {
        n = sys_read(fd, text + 1, PROC_BYTES - 2);
        sys_close(fd);
    }
    text[n > 0 ? n + 1 : 1] = '\0';
}

static uint64_t number_at(const char *s) {
    uint64_t n = 0;
    for (; *s == ' ' || *s == '\t'; s++)
        ;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    return n;
}

// kib_after returns the number of KiB behind name in text, in bytes; or 0.
static uint64_t kib_after(const char *text, const char *name) {
    const char *s = NULL;
    for (; s == NULL && *text != '\0'; text++)
        s = str_after(text, name);
    return s == NULL ? 0 : number_at(s) << 10;
}

void snapshot_read_status(struct mound_page_stats *ret, char text[PROC_BYTES]) {
    // In the order of the file.
    const struct {
        char name[12];
        uint64_t *ret_bytes;
    } lines[] = {
        {"\nVmHWM:", &ret->rss_peak},     {"\nVmRSS:", &ret->rss},
        {"\nRssAnon:", &ret->rss_anon},   {"\nRssFile:", &ret->rss_file},
        {"\nRssShmem:", &ret->rss_shmem}, {"\nVmSwap:", &ret->swap},
    };
    enum { NLINES = sizeof lines / sizeof lines[0] };
    read_text(helper_path_status, text);
    const char *s = text;
    for (int i = 0; i < NLINES; i++) {
        const char *value = NULL;
        for (; value == NULL && *s != '\0'; s++)
            if (*s == '\n')
                value = str_after(s, lines[i].name);
        *lines[i].ret_bytes = value != NULL ? number_at(value) << 10 : 0;
    }
}

// snapshot_read_rollup replaces RSS by the sum over all pages: the kernel's counters
// lag by some pages for each thread.
void snapshot_read_rollup(struct mound_page_stats *ret) {
    char text[PROC_BYTES];
    read_text(helper_path_rollup, text);
    uint64_t rss = kib_after(text, "\nRss:");
    uint64_t anon = kib_after(text, "\nAnonymous:");
    if (rss == 0 || anon + ret->rss_shmem > rss)
        return;
    ret->rss = rss;
    ret->rss_anon = anon;
    ret->rss_file = rss - anon - ret->rss_shmem;
    if (ret->rss_peak < rss)
        ret->rss_peak = rss;
    ret->huge = kib_after(text, "\nAnonHugePages:");
}

// What the heap counts.

void snapshot_read_rounding(struct mound_page_stats *ret) {
    uint64_t sum = 0;
    bool any = false;
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        struct mound_page_class *c = &ret->classes[i];
        c->rounding = sizes_rounding(i, c->live);
        if (c->rounding == MOUND_PAGE_UNKNOWN)
            continue;
        if (c->rounding > c->live_bytes)
            c->rounding = c->live_bytes;
        sum += c->rounding;
        any = true;
    }
    ret->rounding = any ? sum : MOUND_PAGE_UNKNOWN;
}

// read_heap_locked holds the lock of the thread list. The lock also guards its static
// buffers, which are too large for small stacks.
static void read_heap_locked(struct mound_page_stats *ret,
                             struct mound_memstats *ret_memstats) {
    static struct mound_memstats st;
    static struct memstats_class classes[NUM_SIZECLASSES];
    memstats_read_locked(&mound_heap, thread_list(), thread_count(), &st,
                         classes);
    ret->inuse = st.heap_inuse;
    ret->idle = st.heap_idle - st.heap_released;
    ret->released = st.heap_released;
    ret->holes = st.heap_holes;
    ret->live = st.heap_alloc;
    ret->cached = st.cache_bytes + st.transfer_bytes;
    ret->records = st.sys - st.heap_sys;
    ret->total_alloc = st.total_alloc;
    ret->mallocs = st.mallocs;
    ret->frees = st.frees;
    ret->threads = st.nthreads;
    ret->spans = st.nspans;
    ret->huge_stalls = st.huge_stalls;
    ret->memlimit = st.mem_limit;
    ret->memlimit_exceeded = st.mem_limit_exceeded;
    ret->release_refused = st.release_refused;
    for (unsigned c = 0; c < NUM_SIZECLASSES; c++) {
        struct mound_page_class *to = &ret->classes[c];
        const struct mound_bysize *by = &st.by_size[c];
        to->size = by->size;
        to->mallocs = by->mallocs;
        to->frees = by->frees;
        to->live = by->mallocs - by->frees;
        to->live_bytes = c == 0 ? st.large_alloc : to->live * by->size;
        to->spans = c == 0 ? to->live : classes[c].nspans;
        to->slots = c == 0 ? to->live : classes[c].nslots;
        to->cached = classes[c].ncached;
        to->transfer = classes[c].ntransfer;
        to->holes = classes[c].hole_bytes;
    }
    snapshot_read_rounding(ret);
    if (ret_memstats != NULL)
        *ret_memstats = st;
}

void snapshot_read_profile(struct mound_page_stats *ret) {
    bool on = sampling_on();
    ret->profile_rate =
        on ? atomic_load_explicit(&profile_table.rate, memory_order_relaxed)
           : 0;
    ret->profile_start_unix_ns = atomic_load_explicit(
        &profile_table.start_unix_ns, memory_order_relaxed);
    ret->profile_stacks =
        atomic_load_explicit(&profile_table.nbuckets, memory_order_relaxed);
}

void snapshot_read_walks(struct mound_page_stats *ret, uint64_t now) {
    struct hugeuse huge = hugeuse_read(&mound_heap);
    ret->heap_huge = huge.bytes;
    ret->heap_huge_unused = huge.unused;
    ret->huge_ns = now;
    struct resident there;
    if (!resident_read(&mound_heap, &there))
        return;
    // Blocks of signal handlers and guarded objects are in no span.
    uint64_t beside =
        __atomic_load_n(&mound_stats.emergency_bytes, __ATOMIC_RELAXED);
    ret->resident_small = there.small;
    ret->resident_large = there.large + beside;
    ret->resident_idle = there.idle;
    ret->resident_records = ret->records > there.absent_records
                                ? ret->records - there.absent_records
                                : 0;
    ret->resident_ns = now;
}

static void take_inside(struct mound_page_stats *ret,
                        struct mound_memstats *ret_memstats, bool whole) {
    char text[PROC_BYTES];
    uint64_t now = sys_now_ns();
    ret->published_ns = now;
    ret->published_unix_ns = sys_unix_ns();
    ret->half_life_ns = mound_heap.half_life_ns;
    thread_lock_list();
    read_heap_locked(ret, ret_memstats);
    thread_unlock_list();
    snapshot_read_profile(ret);
    if (whole)
        snapshot_read_walks(ret, now);
    snapshot_read_status(ret, text);
    if (whole)
        snapshot_read_rollup(ret);
}

void snapshot_take_inside(struct mound_page_stats *ret, bool whole) {
    take_inside(ret, NULL, whole);
}

bool snapshot_take_with(struct mound_page_stats *ret,
                        struct mound_memstats *ret_memstats, bool whole) {
    if (!thread_enter())
        return false; // in a handler that interrupted a slow path: no locks
    runtime_enter();
    take_inside(ret, ret_memstats, whole);
    thread_leave();
    return true;
}

bool snapshot_take(struct mound_page_stats *ret, bool whole) {
    return snapshot_take_with(ret, NULL, whole);
}

// Identity.

// start_ticks returns field 22 of /proc/self/stat. The name in field 2 may contain
// anything, so the fields are counted from the last ')'.
static uint64_t start_ticks(char text[PROC_BYTES]) {
    enum { AFTER_NAME = 20 };
    read_text("/proc/self/stat", text);
    const char *s = str_find_last(text, ')');
    for (int i = 0; s != NULL && i < AFTER_NAME; i++) {
        s = str_find(s, ' ');
        s = s != NULL ? s + 1 : NULL;
    }
    return s != NULL ? number_at(s) : 0;
}

// start_of converts a start time in ticks since boot to Unix time.
static uint64_t start_of(uint64_t ticks, char text[PROC_BYTES]) {
    enum { TICKS = 100 }; // a second: the unit of times in /proc
    read_text("/proc/uptime", text);
    uint64_t up_ns = number_at(text + 1) * SECOND_NS;
    uint64_t began_ns = ticks * (SECOND_NS / TICKS);
    uint64_t now = sys_unix_ns();
    return ticks != 0 && up_ns > began_ns ? now - (up_ns - began_ns) : now;
}

uint32_t snapshot_serves(void) {
    switch (runtime_mode_now()) {
    case RUNTIME_ALONE:
        return MOUND_PAGE_SERVES;
    case RUNTIME_BEHIND:
        return MOUND_PAGE_BEHIND;
    case RUNTIME_UNCALLED:
        return MOUND_PAGE_FRONT;
    case RUNTIME_PASSIVE:
        break;
    }
    return options->off ? MOUND_PAGE_OFF : MOUND_PAGE_SANITIZER;
}

void snapshot_start(bool forked) {
    start_unix_ns = sys_unix_ns();
    is_forked = forked;
}

void snapshot_identity_by(struct mound_page_identity *ret,
                          char text[PROC_BYTES]) {
    memset(ret, 0, sizeof *ret);
    int pid = runtime_pid();
    ret->pid = (uint32_t)(pid != 0 ? pid : sys_pid());
    ret->uid = is_forked ? sys_euid() : sys_start_uid();
    ret->pid_namespace = sys_inode_of("/proc/self/ns/pid");
    ret->start_ticks = start_ticks(text);
    ret->start_unix_ns =
        start_unix_ns != 0 ? start_unix_ns : start_of(ret->start_ticks, text);
    ret->parent_page = is_forked;
    ret->library = MOUND_VERSION_MAJOR * 10000 + MOUND_VERSION_MINOR * 100 +
                   MOUND_VERSION_PATCH;
    const char *program = outname_program();
    size_t n = str_len(program);
    memcpy(ret->program, program,
           n < sizeof ret->program ? n : sizeof ret->program - 1);
    ret->serves = snapshot_serves();
    ret->status = -1;
}

void snapshot_identity(struct mound_page_identity *ret) {
    char text[PROC_BYTES];
    snapshot_identity_by(ret, text);
}
