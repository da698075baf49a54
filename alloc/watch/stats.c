// stats.c: see stats.h.
#include "watch/stats.h"

#include <string.h>

#include "base/str.h"
#include "mound.h"
#include "os/sys.h"
#include "out/outname.h"
#include "prof/memstats.h"
#include "prof/memstats_write.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

EXPORT void mound_read_memstats(struct mound_memstats *ret_stats, size_t size) {
    // 6 KiB: too much for small stacks. Guarded by the lock of the list.
    static struct mound_memstats reading;
    size_t known = size < sizeof reading ? size : sizeof reading;
    memset(ret_stats, 0, size);
    if (!thread_enter())
        return; // in a handler that interrupted a slow path: no locks
    runtime_enter();
    thread_lock_list();
    memstats_read_locked(&mound_heap, thread_list(), thread_count(), &reading);
    memcpy(ret_stats, &reading, known);
    thread_unlock_list();
    thread_leave();
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

int stats_write_table(int fd) {
    struct mound_memstats st;
    struct memstats_about about;
    fill(&st, &about);
    return memstats_write_table(&st, &about, fd);
}

int stats_write_json(int fd) {
    struct mound_memstats st;
    struct memstats_about about;
    mound_read_memstats(&st, sizeof st);
    fill_huge(&about);
    return memstats_write_json(&st, &about, fd);
}

EXPORT int mound_write_memstats(int fd) {
    return stats_write_table(fd) == 0 ? 0 : -1;
}
