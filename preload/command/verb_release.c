// verb_release.c: mound release, which gives the idle memory of a process back to the
// system.
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "process.h"
#include "request.h"
#include "units.h"
#include "verb.h"

struct arguments {
    const char *what;
    uint64_t timeout_ns;
};

static const struct argp_option options[] = {
    {"timeout", 't', "TIME", 0,
     "The longest time to wait for the process. Default: 10s", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
    enum { HOUR_S = 3600 };
    struct arguments *a = state->input;
    switch (key) {
    case 't':
        if (!units_read_duration(value, &a->timeout_ns) ||
            a->timeout_ns > (uint64_t)HOUR_S * 1000000000u)
            argp_error(state, "%s: not a time such as 500ms or 10s", value);
        return 0;
    case ARGP_KEY_ARG:
        if (a->what != NULL)
            argp_error(state, "give one process");
        a->what = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "give a process; mound ps lists them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static uint64_t rss(const struct target *t) {
    struct process p;
    return process_read(t->pid, &p) ? p.rss : 0;
}

static bool release(struct target *t, int timeout_ms) {
    uint64_t before = rss(t);
    int64_t nbytes = request_do(t, MOUND_PAGE_RELEASE, 0, timeout_ms);
    if (nbytes == -ENOTSUP)
        message_error("a debugger can do it, too: gdb -p %d -batch -ex "
                      "'call (int)malloc_trim(0)'",
                      (int)t->pid);
    if (nbytes < 0)
        return false;
    printf("%d (%s): released %s; RSS %s, before %s\n", (int)t->pid,
           t->page.identity.program, units_bytes((uint64_t)nbytes).s,
           units_bytes(rss(t)).s, units_bytes(before).s);
    return true;
}

int verb_release(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "PID",
        .doc = "Returns the idle memory of a process to the system, like "
               "malloc_trim(0) in the process, except what the caches of its "
               "threads hold.\vThe process must have been started with "
               "MOUND_CONTROL=1, which mound run sets. In any other process a "
               "debugger can make the call:\n"
               "  gdb -p PID -batch -ex 'call (int)malloc_trim(0)'\n\n"
               "Exit status: 0 done, 2 failed."};
    struct arguments a = {.timeout_ns =
                              (uint64_t)REQUEST_TIMEOUT_MS * 1000000u};
    struct target t;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (!target_open(a.what, &t))
        return VERB_UNUSABLE;
    bool done = release(&t, (int)(a.timeout_ns / 1000000u));
    target_close(&t);
    return done ? VERB_DONE : VERB_UNUSABLE;
}
