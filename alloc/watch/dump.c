// dump.c: see dump.h.
#include "watch/dump.h"

#include "base/stdfd.h"
#include "out/outfile.h"
#include "runtime/options.h"
#include "watch/snapshot.h"
#include "watch/stats.h"

static const struct stats_end end = {.ended = true};
static int said; // why it cannot be written; at the start

void dump_init(void) {
    if (options->stats == STATS_OFF)
        return;
    outname_init(); // at its end the process may see no /proc
    snapshot_start(/* forked= */ false);
    if (options->stats == STATS_STDERR)
        stdfd_keep(2, /* waiters= */ true);
    else
        outfile_look(&(struct outfile){.variable = "MOUND_STATS",
                                       .path = options->stats_path,
                                       .said = &said});
}

static void dump_to_stderr(void) {
    int fd = stdfd_err();
    if (fd >= 0)
        stats_write_summary(fd, &end, false);
}

static int dump_for_path(int fd) {
    return outname_ends_in(options->stats_path, ".json")
               ? stats_write_json(fd, &end)
               : stats_write_summary(fd, &end, true);
}

void dump_at_exit(void) {
    const struct outfile file = {.variable = "MOUND_STATS",
                                 .path = options->stats_path,
                                 .write = dump_for_path,
                                 .said = &said};
    if (options->stats == STATS_STDERR)
        dump_to_stderr();
    else if (options->stats == STATS_FILE)
        outfile_write(&file, 0);
}
