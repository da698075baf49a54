// profilefile.c: see profilefile.h.
#include "watch/profilefile.h"

#include <errno.h>

#include "os/filter.h"
#include "out/outfile.h"
#include "prof/mprof_write.h"
#include "runtime/mode.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "watch/profile.h"

static _Atomic uint64_t next_growth; // bytes in use at which one is due
static _Atomic uint64_t nwritten;    // profiles that were not the last
static int said;                     // why none can be written; at the start

static int write_waiting(int fd, uint64_t wait_ns) {
    const char *path = options->profile_path;
    bool text = outname_ends_in(path, ".heap") || outname_ends_in(path, ".txt");
    return mprof_write_waiting(&profile_table,
                               text ? MPROF_HEAP_V2 : MPROF_PPROF, fd, wait_ns);
}

static int write_now(int fd) {
    return write_waiting(fd, 0);
}

// The program may be writing one by mound_memprofile_write.
static int write_last(int fd) {
    return write_waiting(fd, OUTFILE_WAIT_NS);
}

static struct outfile file_written_by(int (*write)(int fd)) {
    return (struct outfile){"MOUND_PROFILE", options->profile_path, write,
                            &said};
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

void profilefile_look_at_growth(void) {
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
    if (profilefile_is_due_at_exit() && profile_begin())
        outfile_write(&file, 0);
}
