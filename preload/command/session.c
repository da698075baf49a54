// session.c: see session.h.
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "pprof_read.h"
#include "process.h"
#include "request.h"
#include "symbolize.h"

static const uint64_t SECOND_NS = 1000 * 1000 * 1000;
static volatile sig_atomic_t interrupted;

static void interrupt(int sig) {
    (void)sig;
    interrupted = 1;
}

// catch_interrupts keeps a signal that is ignored (nohup) ignored.
static void catch_interrupts(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt}, old;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

bool session_open(const char *what, struct session *ret) {
    *ret = (struct session){.own = false};
    if (!target_open(what, &ret->target))
        return false;
    if (!ret->target.alive) {
        message_error("%s: it has ended; a profile that it wrote can be shown "
                      "by its name",
                      what);
        target_close(&ret->target);
        return false;
    }
    struct process p;
    snprintf(ret->name, sizeof ret->name, "%s",
             process_read(ret->target.pid, &p)
                 ? p.name
                 : ret->target.page.identity.program);
    ret->rate = ret->target.page.stats.profile_rate;
    ret->running = ret->rate != 0;
    ret->sampled = ret->target.page.stats.profile_start_unix_ns != 0;
    return true;
}

bool session_start(struct session *s, uint64_t rate) {
    catch_interrupts();
    int64_t result = request_do(&s->target, MOUND_PAGE_PROFILE_START, rate,
                                REQUEST_TIMEOUT_MS);
    if (result < 0)
        return false;
    s->own = result == 0;
    if (!s->running)
        s->rate = rate;
    s->running = true;
    return true;
}

bool session_stop(struct session *s) {
    if (!s->own || !s->running)
        return true;
    s->running = false;
    int64_t result =
        request_do(&s->target, MOUND_PAGE_PROFILE_STOP, 0, REQUEST_TIMEOUT_MS);
    s->goes_on = result > 0;
    return result >= 0;
}

static uint64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

static bool is_alive(const struct session *s) {
    struct process p;
    return process_read(s->target.pid, &p) && process_runs(&p) &&
           p.start_ticks == s->target.page.identity.start_ticks;
}

bool session_wait(struct session *s, uint64_t *ns) {
    const uint64_t step_ns = SECOND_NS / 20;
    catch_interrupts();
    uint64_t begin = now_ns();
    uint64_t gone = 0;
    for (; gone < *ns && !interrupted; gone = now_ns() - begin) {
        uint64_t left = *ns - gone < step_ns ? *ns - gone : step_ns;
        nanosleep(&(struct timespec){0, (long)left}, NULL);
        if (!is_alive(s)) {
            message_error("%d (%s): it has ended", (int)s->target.pid,
                          s->target.page.identity.program);
            s->own = false; // nothing to stop
            return false;
        }
    }
    if (gone < *ns)
        *ns = gone;
    return true;
}

bool session_interrupted(void) {
    return interrupted;
}

bool session_take(struct session *s, enum mound_page_op op, struct pprof *ret) {
    char *path = request_profile(&s->target, op, REQUEST_TIMEOUT_MS);
    if (path == NULL)
        return false;
    bool ok = pprof_read(path, ret);
    if (unlink(path) != 0 && errno != ENOENT)
        message_error("%s: %s", path, strerror(errno));
    free(path);
    if (ok)
        symbolize_profile(ret, s->target.pid);
    return ok;
}

void session_close(struct session *s) {
    session_stop(s);
    target_close(&s->target);
}
