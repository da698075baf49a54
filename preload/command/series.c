// series.c: see series.h.
#include "series.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "live.h"
#include "process.h"
#include "store.h"
#include "target.h"

enum { STEP_MS = 20, STEPS = 200, KILL_MS = 10 * 1000, MS_NS = 1000 * 1000 };

static double seconds_of(uint64_t ns) {
    return (double)ns / 1e9;
}

static uint64_t age_ns(const struct launched *l) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec -
           l->begin_ns;
}

// is_ready says whether the program has loaded mound: the child executes it only after
// some milliseconds.
static bool is_ready(const struct launched *l) {
    struct process p;
    struct live_why why;
    struct mound_page page = {0};
    return process_read(l->pid, &p) && process_runs(&p) &&
           live_read(&p, &page, &why) == LIVE_READ;
}

static void add_point(struct series *s, const struct mound_page *page,
                      uint64_t ns) {
    struct series_point point = {.seconds = seconds_of(ns),
                                 .mallocs = page->stats.mallocs,
                                 .frees = page->stats.frees};
    parts_of(page, &point.parts);
    s->points = store_grow(s->points, s->n, &s->capacity, sizeof s->points[0]);
    s->points[s->n++] = point;
    s->page = *page;
    if (s->each != NULL)
        s->each(s->argument, &point, page);
}

// struct watching is a program, and the readings of it once it has mound.
struct watching {
    struct launched *l;
    struct target target;
    bool opened;
};

static void look(struct series *s, struct watching *w) {
    if (!w->opened) {
        if (!is_ready(w->l))
            return;
        w->opened = target_open_pid(w->l->pid, &w->target);
        if (!w->opened)
            return;
    } else if (!target_refresh(&w->target)) {
        return;
    }
    // While a process exits, the kernel reports an RSS of 0.
    if (w->target.alive && w->target.page.stats.rss > 0)
        add_point(s, &w->target.page, age_ns(w->l));
}

void series_watch(struct series *s, struct launched *l, uint64_t for_ns) {
    struct watching w = {.l = l};
    uint64_t asked_ns = 0; // when SIGTERM was sent
    for (;;) {
        uint64_t now = age_ns(l);
        uint64_t step_ms = now / MS_NS / STEPS;
        if (step_ms < STEP_MS)
            step_ms = STEP_MS;
        if (launch_wait(l, (int)step_ms))
            break;
        look(s, &w);
        now = age_ns(l);
        if (for_ns != 0 && now >= for_ns && asked_ns == 0) {
            kill(l->pid, SIGTERM);
            s->stopped = true;
            asked_ns = now;
        } else if (asked_ns != 0 &&
                   now - asked_ns >= (uint64_t)KILL_MS * MS_NS) {
            kill(l->pid, SIGKILL);
        }
    }
    if (w.opened)
        target_close(&w.target);
    // The page of a killed process may be older than the last reading.
    struct mound_page last;
    if (launch_page(l, &last) && last.stats.mallocs >= s->page.stats.mallocs)
        s->page = last;
}

void series_free(struct series *s) {
    free(s->points);
    *s = (struct series){0};
}
