// request.c: see request.h.
#include "request.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "process.h"

enum {
    STEP_MS = 50, // between two checks whether the process still exists
    OWNER_STEP_MS = 2,
    FILES_MAX = 64, // to look for: the page's number may be forged
    MS_NS = 1000 * 1000,
};

static const char *const names[] = {
    [MOUND_PAGE_PUBLISH] = "publish its figures",
    [MOUND_PAGE_RELEASE] = "give memory back",
    [MOUND_PAGE_PROFILE_START] = "start a profile",
    [MOUND_PAGE_PROFILE_STOP] = "end the profile",
    [MOUND_PAGE_PROFILE_WRITE] = "write its profile",
    [MOUND_PAGE_PROFILE_PEAK] = "write the profile of its peak",
};

// struct waiting is a request and its deadline.
struct waiting {
    struct target *t;
    struct mound_page_control *box;
    const char *what;
    uint64_t end_ms;
    int timeout_ms;
};

static uint64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / MS_NS;
}

// A reason, after the process's number and name.
static int fail(const struct waiting *w, int error, const char *why) {
    message_error("%d (%s): %s", (int)w->t->pid, w->t->page.identity.program,
                  why);
    return -error;
}

static int fail_late(const struct waiting *w, const char *why) {
    char text[128];
    snprintf(text, sizeof text, "cannot %s: %s in %g s", w->what, why,
             w->timeout_ms / 1000.0);
    return fail(w, ETIMEDOUT, text);
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * MS_NS}, NULL);
}

// wait_change waits until a word of the page has another value, for STEP_MS at most.
static void wait_change(const uint32_t *word, uint32_t value) {
    const struct timespec step = {0, STEP_MS * MS_NS};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &step, NULL, 0);
}

static bool late(const struct waiting *w) {
    return now_ms() >= w->end_ms;
}

static bool ended(const struct waiting *w) {
    struct process p;
    return !process_read(w->t->pid, &p) || !process_runs(&p) ||
           p.start_ticks != w->t->page.identity.start_ticks;
}

static uint32_t load(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

// look_whether_it_hears returns 0 once the helper answers requests, or a reason.
static int look_whether_it_hears(struct waiting *w) {
    for (;;) {
        switch (load(&w->box->listening)) {
        case MOUND_PAGE_LISTENS:
            return 0;
        case MOUND_PAGE_PAUSED:
            break;
        case MOUND_PAGE_FILTERED:
            return fail(w, EPERM,
                        "a filter of system calls (seccomp) forbids requests");
        default:
            return fail(w, ENOTSUP,
                        "was started without MOUND_CONTROL=1, which mound run "
                        "sets");
        }
        if (ended(w))
            return fail(w, ESRCH, "it has ended");
        if (late(w))
            return fail_late(
                w, "its control thread is absent (as during setuid or fork)");
        pause_ms(OWNER_STEP_MS);
    }
}

static bool thread_exists(uint32_t tid) {
    return tid <= INT32_MAX && (kill((pid_t)tid, 0) == 0 || errno != ESRCH);
}

// take waits until this thread may make a request: it becomes the page's owner.
static int take(struct waiting *w, uint32_t self) {
    for (;;) {
        uint32_t owner = 0;
        if (__atomic_compare_exchange_n(&w->box->owner, &owner, self, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return 0;
        if (!thread_exists(owner) &&
            __atomic_compare_exchange_n(&w->box->owner, &owner, self, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return 0;
        if (late(w)) {
            char text[96];
            snprintf(text, sizeof text,
                     "the request of process %" PRIu32 " has not ended", owner);
            return fail_late(w, text);
        }
        pause_ms(OWNER_STEP_MS);
    }
}

static void give(struct waiting *w, uint32_t self) {
    __atomic_compare_exchange_n(&w->box->owner, &self, 0, false,
                                __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static int64_t refused(const struct waiting *w, int64_t result) {
    char text[160];
    const char *why =
        result == -ENODATA ? "it takes no samples"
        : result == -ENOTSUP
            ? "another malloc serves it, or a library watches its memory"
        : result < INT32_MIN / 2 ? "its answer is not valid"
                                 : strerror((int)-result);
    snprintf(text, sizeof text, "cannot %s: %s", w->what, why);
    fail(w, (int)-result, text);
    return result;
}

// send writes the request and waits until it is done.
static int64_t send(struct waiting *w, enum mound_page_op op, uint64_t arg) {
    struct mound_page_control *box = w->box;
    __atomic_store_n(&box->op, (uint32_t)op, __ATOMIC_RELAXED);
    __atomic_store_n(&box->arg, arg, __ATOMIC_RELAXED);
    // release: a reader of the number sees the request
    uint32_t number = __atomic_add_fetch(&box->requested, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&box->bell, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &box->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    uint32_t done;
    while ((done = load(&box->done)) != number) {
        if (load(&box->listening) == MOUND_PAGE_FILTERED)
            return look_whether_it_hears(w);
        if (ended(w))
            return fail(w, ESRCH, "it has ended");
        if (late(w))
            return fail_late(w, "no answer");
        wait_change(&box->done, done);
    }
    int64_t result = __atomic_load_n(&box->result, __ATOMIC_RELAXED);
    return result < 0 ? refused(w, result) : result;
}

static int64_t begin(struct waiting *w, struct target *t, enum mound_page_op op,
                     int timeout_ms) {
    *w = (struct waiting){.t = t,
                          .what = names[op],
                          .end_ms = now_ms() + (uint64_t)timeout_ms,
                          .timeout_ms = timeout_ms};
    if (!t->alive)
        return fail(w, ESRCH, "it has ended");
    if (t->source != TARGET_PAGE)
        return fail(
            w, ENOTSUP,
            "was started without MOUND_CONTROL=1, which mound run sets");
    struct mound_page *page = target_map(t);
    if (page == NULL)
        return -ENOENT;
    w->box = &page->control;
    return look_whether_it_hears(w);
}

static int64_t send_alone(struct waiting *w, enum mound_page_op op,
                          uint64_t arg) {
    uint32_t self = (uint32_t)syscall(SYS_gettid);
    int64_t result = take(w, self);
    if (result != 0)
        return result;
    result = send(w, op, arg);
    give(w, self);
    return result;
}

int64_t request_do(struct target *t, enum mound_page_op op, uint64_t arg,
                   int timeout_ms) {
    struct waiting w;
    int64_t error = begin(&w, t, op, timeout_ms);
    return error != 0 ? error : send_alone(&w, op, arg);
}

static uint64_t written(const struct mound_page_control *box) {
    return __atomic_load_n(&box->profile_done, __ATOMIC_ACQUIRE);
}

// path_of returns the path of a profile beside the page. taker: the thread that has
// claimed it by renaming it, or 0.
static char *path_of(const struct target *t, uint64_t number, pid_t taker) {
    const struct mound_page_identity *id = &t->page.identity;
    const char *slash = strrchr(t->path, '/');
    int nfolder = slash != NULL ? (int)(slash + 1 - t->path) : 0;
    char whose[16] = "";
    char *path;
    if (taker != 0)
        snprintf(whose, sizeof whose, ".%d", (int)taker);
    if (asprintf(&path, "%.*s%" PRIu32 "-%" PRIu64 ".%" PRIu64 "%s.pb.gz",
                 nfolder, t->path, id->pid, id->start_ticks, number, whose) < 0)
        return NULL;
    return path;
}

// wait_written waits until a profile with a number above before was written. It returns
// 0, or -errno after a complaint.
static int64_t wait_written(struct waiting *w, uint64_t before) {
    while (written(w->box) == before) {
        if (ended(w))
            return fail(w, ESRCH, "it has ended");
        if (late(w))
            return fail_late(w,
                             "no thread of it has allocated or freed memory");
        wait_change((const uint32_t *)&w->box->profile_done, (uint32_t)before);
    }
    int64_t error = __atomic_load_n(&w->box->profile_result, __ATOMIC_RELAXED);
    return error == 0 ? 0 : refused(w, error < 0 ? error : -EIO);
}

// take_written claims one of the files numbered from first to last by renaming it, and
// returns its path; NULL with errno: none of them exists any more.
static char *take_written(const struct target *t, uint64_t first,
                          uint64_t last) {
    if (last - first >= FILES_MAX)
        first = last - (FILES_MAX - 1);
    errno = ENOENT;
    for (uint64_t number = first; number != last + 1; number++) {
        char *path = path_of(t, number, 0);
        char *own = path_of(t, number, (pid_t)syscall(SYS_gettid));
        bool taken = path != NULL && own != NULL && rename(path, own) == 0;
        int error = errno;
        free(path);
        if (taken)
            return own;
        free(own);
        errno = error;
        if (error != ENOENT)
            break;
    }
    return NULL;
}

char *request_profile(struct target *t, enum mound_page_op op, int timeout_ms) {
    struct waiting w;
    if (begin(&w, t, op, timeout_ms) != 0)
        return NULL;
    // Commands that request at the same time each claim one file: the oldest one left of
    // those written since their request, so that no file is left over. If one file was
    // written for several requests, the other commands request again.
    const uint64_t before = written(w.box);
    for (uint64_t seen = before;;) {
        if (send_alone(&w, op, 0) != 0 || wait_written(&w, seen) != 0)
            return NULL;
        seen = written(w.box);
        char *path = take_written(t, before + 1, seen);
        if (path != NULL)
            return path;
        if (errno != ENOENT || late(&w)) {
            fail(&w, errno, strerror(errno));
            return NULL;
        }
    }
}
