// stats.c: see stats.h.
#include "watch/stats.h"

#include <errno.h>
#include <string.h>

#include "base/turn.h"
#include "out/outfile.h"
#include "prof/memstats.h"
#include "prof/memstats_write.h"
#include "prof/summary.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/snapshot.h"

EXPORT void mound_read_memstats(struct mound_memstats *ret_stats, size_t size) {
    // 6 KiB: too much for small stacks. Guarded by the lock of the list.
    static struct mound_memstats reading;
    size_t known = size < sizeof reading ? size : sizeof reading;
    memset(ret_stats, 0, size);
    if (!thread_enter())
        return; // in a handler that interrupted a slow path: no locks
    runtime_enter();
    thread_lock_list();
    memstats_read_locked(&mound_heap, thread_list(), thread_count(), &reading,
                         NULL);
    memcpy(ret_stats, &reading, known);
    thread_unlock_list();
    thread_leave();
}

// The figures to write, for one thread at a time; too large for small stacks.
static struct turn turn;
static struct mound_page page;
static struct mound_memstats memstats;

// take fills page and memstats; if it returns 0, turn_give follows.
static int take(const struct stats_end *end) {
    int error = turn_take(&turn, OUTFILE_WAIT_NS);
    if (error != 0)
        return -EBUSY;
    memset(&page, 0, sizeof page);
    snapshot_identity(&page.identity);
    if (end->signal != 0) {
        page.identity.state = MOUND_PAGE_SIGNALLED;
        page.identity.status = end->signal;
    } else if (end->ended) {
        page.identity.state = MOUND_PAGE_EXITED;
        page.identity.status = end->status;
    }
    bool inside = thread_tls.depth > 0;
    if (inside || !snapshot_take_with(&page.stats, &memstats, true)) {
        turn_give(&turn);
        return -EBUSY;
    }
    return 0;
}

int stats_write_summary(int fd, const struct stats_end *end, bool classes) {
    int error = take(end);
    if (error != 0)
        return error;
    error = summary_write(&page, fd);
    if (error == 0 && classes)
        error = summary_write_classes(&page, fd);
    turn_give(&turn);
    return error;
}

int stats_write_json(int fd, const struct stats_end *end) {
    int error = take(end);
    if (error != 0)
        return error;
    error = memstats_write_json(&memstats, &page, 0, fd);
    turn_give(&turn);
    return error;
}

EXPORT int mound_write_memstats(int fd) {
    static const struct stats_end runs = {.ended = false};
    return stats_write_summary(fd, &runs, /* classes= */ true) == 0 ? 0 : -1;
}
