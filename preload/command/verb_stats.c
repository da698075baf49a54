// verb_stats.c: mound stats, what the memory of one process is made of.
#include <argp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "explain.h"
#include "lastmoment.h"
#include "message.h"
#include "openmetrics.h"
#include "prof/summary.h"
#include "request.h"
#include "target.h"
#include "units.h"
#include "verb.h"

struct options {
    const char *what;
    bool json, openmetrics, classes, whole;
    uint64_t during_ns;
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'j':
        o->json = true;
        return 0;
    case 'o':
        o->openmetrics = true;
        return 0;
    case 'c':
        o->classes = true;
        return 0;
    case 'w':
        o->whole = true;
        return 0;
    case 'd':
        if (!units_read_duration(value, &o->during_ns))
            argp_error(state, "--during %s: not a time, such as 2s", value);
        return 0;
    case ARGP_KEY_ARG:
        if (o->what != NULL)
            argp_error(state, "give one process or file");
        o->what = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "give a process; mound ps lists them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// publish requests the figures of a process that answers requests, if they say more than
// its counters or the counters may not be read. whole also requests resident bytes and
// the unused part of huge pages, for which the process looks at each of its pages.
static void publish(struct target *t, bool whole) {
    enum { TIMEOUT_MS = 300, WHOLE_TIMEOUT_MS = 60 * 1000 };
    if (t->alive && (whole || !t->fresh) &&
        t->page.control.listening == MOUND_PAGE_LISTENS &&
        request_do(t, MOUND_PAGE_PUBLISH, 0,
                   whole ? WHOLE_TIMEOUT_MS : TIMEOUT_MS) >= 0)
        target_reread(t);
    else if (t->alive && whole)
        message_error("%d: it cannot examine its pages, because it was started "
                      "without MOUND_CONTROL=1 (mound run sets it)",
                      (int)t->pid);
}

// print_age prints the time of the figures if they are not of now.
static void print_age(const struct target *t) {
    char text[64];
    if (t->source == TARGET_CORE || (t->alive && t->fresh))
        return;
    time_t at = (time_t)(t->page.stats.published_unix_ns / 1000000000);
    struct tm tm;
    if (at == 0 || localtime_r(&at, &tm) == NULL ||
        strftime(text, sizeof text, "%F %T", &tm) == 0)
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    uint64_t at_ns = t->page.stats.published_unix_ns;
    printf("As of %s, %s ago%s%s.\n", text,
           units_duration(now_ns > at_ns ? now_ns - at_ns : 0).s,
           t->alive ? "" : ", its last publication",
           t->torn ? ", which it did not finish" : "");
}

static void print(const struct options *o, struct target *t,
                  const struct mound_page *before) {
    target_settle(t);
    // The ID in this pid namespace, not in the process's container.
    if (t->alive)
        t->page.identity.pid = (uint32_t)t->pid;
    fflush(stdout);
    if (o->json) {
        summary_write_json(&t->page, t->alive ? (int)t->pid : -1, 1);
        return;
    }
    if (o->openmetrics) {
        openmetrics_write(
            stdout, (const struct target *[]){t}, 1, OPENMETRICS_BOTH,
            OPENMETRICS_ENDED | (o->classes ? OPENMETRICS_CLASSES : 0));
        return;
    }
    summary_write(&t->page, 1);
    if (o->classes)
        summary_write_classes(&t->page, 1);
    struct explain_text why = explain(t, before);
    if (why.s[0] != '\0')
        printf("\n%s\n", why.s);
    print_age(t);
    fputs(lastmoment_text(t->differs).s, stdout);
}

int verb_stats(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"classes", 'c', NULL, 0,
         "Add the size classes, the one with the most waste first", 0},
        {"json", 'j', NULL, 0,
         "Print JSON: Go's expvar form, and an object mound", 0},
        {"openmetrics", 'o', NULL, 0,
         "Print OpenMetrics, for collectors; promtool accepts it, too", 0},
        {"whole", 'w', NULL, 0,
         "Let the process examine each of its pages: which are in memory, and "
         "how much of its huge pages is in use. Takes up to 0.3 s for each "
         "GiB, and needs MOUND_CONTROL=1",
         0},
        {"during", 'd', "TIME", 0,
         "Wait for TIME and say whether live objects grow in it", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "PID|FILE|CORE",
        .doc = "Shows what the memory of a process is made of, and says what "
               "the largest part means. FILE is the page of a process that was "
               "killed (mound ps lists them; they are in /dev/shm/mound-UID), "
               "CORE a core file. PID can be the name of a process, if only "
               "one has it. The process is not stopped.\vExit status: 0 done, "
               "2 it does not run on mound, or cannot be read."};
    struct options o = {0};
    struct target t;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!target_open(o.what, &t))
        return VERB_UNUSABLE;
    publish(&t, o.whole);
    struct mound_page before = t.page;
    if (o.during_ns > 0 && t.alive) {
        nanosleep(&(struct timespec){(time_t)(o.during_ns / 1000000000),
                                     (long)(o.during_ns % 1000000000)},
                  NULL);
        target_refresh(&t);
        publish(&t, o.whole);
        print(&o, &t, &before);
    } else {
        print(&o, &t, NULL);
    }
    target_close(&t);
    return VERB_DONE;
}
