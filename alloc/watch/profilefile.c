// profilefile.c: see profilefile.h.
#include "watch/profilefile.h"

#include <errno.h>

#include "heap/memlimit.h"
#include "os/filter.h"
#include "out/outfile.h"
#include "prof/mprof_write.h"
#include "prof/peak.h"
#include "runtime/mode.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "watch/profile.h"

static _Atomic uint64_t next_growth; // bytes in use at which one is due
static _Atomic uint64_t nwritten;    // profiles that were not the last
static uint64_t peak_which; // struct outfile.which, for the peak's file
static int said;            // the error that the start complained of

static enum mprof_format format(void) {
    const char *path = options->profile_path;
    bool text = outname_ends_in(path, ".heap") || outname_ends_in(path, ".txt");
    return text ? MPROF_HEAP_V2 : MPROF_PPROF;
}

static int write_waiting(int fd, uint64_t wait_ns) {
    return mprof_write_waiting(&profile_table, format(), fd, wait_ns);
}

static int write_now(int fd) {
    return write_waiting(fd, 0);
}

static int write_peak(int fd) {
    return mprof_write_peak(&profile_table, format(), fd, 0);
}

static int write_last_peak(int fd) {
    return mprof_write_peak(&profile_table, format(), fd, OUTFILE_WAIT_NS);
}

// The program may be writing a profile itself (mound_memprofile_write).
static int write_last(int fd) {
    return write_waiting(fd, OUTFILE_WAIT_NS);
}

static struct outfile file_written_by(int (*write)(int fd)) {
    return (struct outfile){.variable = "MOUND_PROFILE",
                            .path = options->profile_path,
                            .write = write,
                            .said = &said};
}

void profilefile_look(void) {
    const struct outfile file = file_written_by(NULL);
    if (options->profile_path[0] != '\0')
        outfile_look(&file);
}

static void write_numbered(void) {
    const struct outfile file = file_written_by(write_now);
    if (filter_came() || runtime_is_borrowed())
        return;
    outfile_write(&file, 1 + atomic_fetch_add_explicit(&nwritten, 1,
                                                       memory_order_relaxed));
}

void profilefile_on_signal(int signal) {
    (void)signal;
    write_numbered();
}

// The peak, rewritten to one file.

static struct outfile peak_written_by(int (*write)(int fd)) {
    struct outfile file = file_written_by(write);
    file.tag = "peak";
    file.which = &peak_which;
    return file;
}

void profilefile_start(void) {
    if (options->profile_peak || options->control)
        peak_keep(&profile_table);
}

void profilefile_look_at_fall(void) {
    if (LIKELY(!options->profile_peak) || !peak_is_kept(&profile_table) ||
        !peak_fell(&profile_table) || filter_came() || runtime_is_borrowed())
        return;
    const struct outfile file = peak_written_by(write_peak);
    if (file.path[0] != '\0')
        outfile_write(&file, 0);
}

void profilefile_forked(void) {
    peak_which = 0;
}

// The limit.

// passed says whether the heap is above the percentage of the limit.
static bool passed(void) {
    struct mheap *h = &mound_heap;
    mutex_lock(&h->lock);
    bool above = memlimit_above_locked(h, options->profile_percent);
    mutex_unlock(&h->lock);
    return above;
}

static void look_at_limit(void) {
    static _Atomic bool done;
    if (LIKELY(options->profile_percent == 0) || options->memlimit == 0 ||
        options->profile_path[0] == '\0' ||
        atomic_load_explicit(&done, memory_order_relaxed) || !passed() ||
        atomic_exchange_explicit(&done, true, memory_order_relaxed) ||
        filter_came() || runtime_is_borrowed())
        return;
    struct outfile file = file_written_by(write_now);
    file.tag = "limit";
    outfile_write(&file, 0);
}

void profilefile_look_at_growth(void) {
    look_at_limit();
    uint64_t every = options->profile_every;
    if (every == 0 || options->profile_path[0] == '\0')
        return;
    uint64_t inuse = __atomic_load_n(&mound_stats.inuse_pages, __ATOMIC_RELAXED)
                     << PAGE_SHIFT;
    uint64_t due = atomic_load_explicit(&next_growth, memory_order_relaxed);
    if (inuse < due)
        return;
    uint64_t next = (inuse / every + 1) * every;
    if (atomic_compare_exchange_strong_explicit(&next_growth, &due, next,
                                                memory_order_relaxed,
                                                memory_order_relaxed) &&
        due != 0)
        write_numbered();
}

bool profilefile_is_due_at_exit(void) {
    return !runtime_passive() && options->profile_path[0] != '\0' &&
           profile_wanted();
}

void profilefile_at_exit(void) {
    const struct outfile file = file_written_by(write_last);
    if (!profilefile_is_due_at_exit() || !profile_begin())
        return;
    outfile_write(&file, 0);
    const struct outfile peak = peak_written_by(write_last_peak);
    if (peak_is_kept(&profile_table))
        outfile_write(&peak, 0);
}
