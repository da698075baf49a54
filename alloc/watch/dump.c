// dump.c: see dump.h. Everything here is done by raw system calls: stdio may be
// closed, locked or replaced by now.
#include "watch/dump.h"

#include <string.h>

#include "base/print.h"
#include "base/stdfd.h"
#include "base/str.h"
#include "mound.h"
#include "runtime/options.h"
#include "os/sys.h"
#include "out/outfile.h"
#include "prof/memstats_write.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

static int said; // why it cannot be written; at the start

void dump_init(void) {
    if (options->stats == STATS_OFF)
        return;
    outname_init(); // at its end the process may see no /proc
    if (options->stats == STATS_STDERR)
        stdfd_keep(2, /* waiters= */ true);
    else
        outfile_look(
            &(struct outfile){"MOUND_STATS", options->stats_path, NULL, &said});
}

static const char *option_text(void) {
    if (options->hardened > 0)
        return options->hardened > 1 ? "hardened 2" : "hardened";
    return "";
}

// number_after returns the number of KiB behind name in text, in bytes; or 0.
static uint64_t number_after(const char *text, const char *name) {
    const char *s = NULL;
    uint64_t n = 0;
    for (; s == NULL && *text != '\0'; text++)
        s = str_after(text, name);
    if (s == NULL)
        return 0;
    for (; *s == ' '; s++)
        ;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    return n << 10;
}

static void fill_process(struct memstats_about *about) {
    char text[1024];
    about->rss_bytes = about->huge_bytes = 0;
    int fd = sys_open_read("/proc/self/smaps_rollup");
    if (fd < 0)
        return;
    long n = sys_read(fd, text, sizeof text - 1);
    sys_close(fd);
    text[n > 0 ? n : 0] = '\0';
    about->rss_bytes = number_after(text, "\nRss:");
    about->huge_bytes = number_after(text, "\nAnonHugePages:");
}

static void fill_huge(struct memstats_about *about) {
    about->huge = (struct hugeuse){0, 0};
    if (!thread_enter())
        return; // in a handler that interrupted a slow path: no locks
    runtime_enter();
    about->huge = hugeuse_read(&mound_heap);
    thread_leave();
}

static void fill(struct mound_memstats *st, struct memstats_about *about) {
    mound_read_memstats(st, sizeof *st);
    fill_huge(about);
    about->program = outname_program();
    about->pid = sys_pid();
    about->options = option_text();
    fill_process(about);
}

int dump_table(int fd) {
    struct mound_memstats st;
    struct memstats_about about;
    fill(&st, &about);
    return memstats_write_table(&st, &about, fd);
}

static int dump_json(int fd) {
    struct mound_memstats st;
    struct memstats_about about;
    mound_read_memstats(&st, sizeof st);
    fill_huge(&about);
    return memstats_write_json(&st, &about, fd);
}

static void dump_to_stderr(void) {
    int fd = stdfd_err();
    if (fd >= 0)
        dump_table(fd);
}

static int dump_for_path(int fd) {
    return outname_ends_in(options->stats_path, ".json") ? dump_json(fd)
                                                         : dump_table(fd);
}

void dump_at_exit(void) {
    const struct outfile file = {"MOUND_STATS", options->stats_path,
                                 dump_for_path, &said};
    if (options->stats == STATS_STDERR)
        dump_to_stderr();
    else if (options->stats == STATS_FILE)
        outfile_write(&file, 0);
}
