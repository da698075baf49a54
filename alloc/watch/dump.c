// dump.c: see dump.h.
#include "watch/dump.h"

#include <stdatomic.h>

#include "base/print.h"
#include "base/stdfd.h"
#include "os/filter.h"
#include "os/sys.h"
#include "out/outfile.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "watch/snapshot.h"
#include "watch/stats.h"

static const struct stats_end running = {.ended = false};
static struct stats_end
    last;        // written once, by the thread that ends the process
static int said; // why it cannot be written; at the start
static _Atomic uint64_t nwritten; // dumps that were not the last

// The descriptor N of MOUND_STATS=fd:N, as it was at the start.
static struct {
    bool known;
    int copy; // 0: none
    struct sys_file file;
} kept;

static void complain_closed(void) {
    struct print out = print_to(2);
    print_str(&out, "mound: MOUND_STATS=fd:");
    print_u64(&out, (uint64_t)options->stats_fd);
    print_str(&out, ": the descriptor is not open\n");
    print_flush(&out);
}

static void keep_descriptor(void) {
    kept.known = sys_file_of(options->stats_fd, &kept.file);
    if (!kept.known) {
        complain_closed();
        return;
    }
    int copy = sys_dup_high(options->stats_fd);
    kept.copy = copy > 0 ? copy : 0;
}

static bool is_kept(int fd) {
    struct sys_file now;
    return kept.known && sys_file_of(fd, &now) &&
           sys_file_same(&now, &kept.file);
}

// kept_descriptor returns a descriptor of the file that fd:N was at the start, or -1.
static int kept_descriptor(void) {
    if (is_kept(options->stats_fd))
        return options->stats_fd;
    return kept.copy != 0 && is_kept(kept.copy) ? kept.copy : -1;
}

void dump_forked(void) {
    if (kept.copy != 0 && !filter_noted() && is_kept(kept.copy))
        sys_close(kept.copy);
    kept.copy = 0;
}

COLD void dump_init(void) {
    if (!options_write_stats(options))
        return;
    outname_init(); // /proc may not be readable at the end
    snapshot_start(/* forked= */ false);
    switch (options->stats) {
    case STATS_OFF:
    case STATS_STDERR:
        stdfd_keep(2, /* waiters= */ true);
        break;
    case STATS_STDOUT:
        stdfd_keep(1, /* waiters= */ true);
        break;
    case STATS_FD:
        keep_descriptor();
        break;
    case STATS_FILE:
        outfile_look(&(struct outfile){.variable = "MOUND_STATS",
                                       .path = options->stats_path,
                                       .said = &said});
        break;
    }
}

static int write_to(int fd, const struct stats_end *end) {
    return options->stats_json
               ? stats_write_json(fd, end)
               : stats_write_summary(fd, end, options->stats_classes);
}

static int write_last(int fd) {
    return write_to(fd, &last);
}

static int write_running(int fd) {
    return write_to(fd, &running);
}

static int descriptor(void) {
    switch (options->stats) {
    case STATS_STDOUT:
        return stdfd_of(1);
    case STATS_FD:
        return kept_descriptor();
    case STATS_OFF:
    case STATS_STDERR:
    case STATS_FILE:
        break;
    }
    return stdfd_err();
}

// dump writes by one of the functions above; number is outfile_write's.
static void dump(int (*write)(int fd), uint64_t number) {
    if (options->stats == STATS_FILE) {
        const struct outfile file = {.variable = "MOUND_STATS",
                                     .path = options->stats_path,
                                     .write = write,
                                     .said = &said};
        outfile_write(&file, number);
        return;
    }
    int fd = descriptor();
    if (fd >= 0)
        write(fd);
}

void dump_at_exit(const struct stats_end *end) {
    last = *end;
    if (options->stats != STATS_OFF || end->signal != 0)
        dump(write_last, 0);
}

void dump_now(void) {
    if (filter_came() || runtime_is_borrowed())
        return;
    dump(write_running,
         1 + atomic_fetch_add_explicit(&nwritten, 1, memory_order_relaxed));
}
