// verb_top.c: mound top: all programs on mound, updated continuously.
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "top.h"
#include "units.h"
#include "verb.h"

enum { BATCH_WIDTH = 150 };

struct options {
    enum top_key key;
    uint64_t interval_ns;
    bool batch;
};

// print_once reads twice, to compute the rates.
static int print_once(const struct options *o) {
    const struct timespec interval = {
        .tv_sec = (time_t)(o->interval_ns / 1000000000),
        .tv_nsec = (long)(o->interval_ns % 1000000000)};
    struct fleet fleet = {0};
    char line[TOP_LINE_BYTES];
    fleet_read(&fleet, true);
    if (fleet.nships > 0) {
        nanosleep(&interval, NULL);
        fleet_read(&fleet, true);
    }
    top_sort(&fleet, o->key);
    top_total(&fleet, BATCH_WIDTH, line);
    puts(line);
    top_head(o->key, BATCH_WIDTH, line);
    puts(line);
    for (size_t i = 0; i < fleet.nships; i++) {
        top_row(&fleet.ships[i], BATCH_WIDTH, line);
        puts(line);
    }
    fleet_end(&fleet);
    return VERB_DONE;
}

enum { KEY_BATCH = 'b', KEY_SORT = 's', KEY_INTERVAL = 'i' };

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case KEY_BATCH:
        o->batch = true;
        return 0;
    case KEY_SORT:
        o->key = top_key_read(value);
        if (o->key == TOP_KEYS)
            argp_error(state,
                       "--sort %s: not rss, live, holes, idle, rate, pid or "
                       "program",
                       value);
        return 0;
    case KEY_INTERVAL:
        if (!units_read_duration(value, &o->interval_ns) ||
            o->interval_ns < 100000000)
            argp_error(state, "--interval %s: not a time such as 1s", value);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "this verb takes no arguments");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int verb_top(int argc, char **argv) {
    static const struct argp_option rows[] = {
        {"batch", KEY_BATCH, NULL, 0, "Print once and exit", 0},
        {"sort", KEY_SORT, "KEY", 0,
         "Sort by rss, live, holes, idle, rate, pid or program. Default: rss",
         0},
        {"interval", KEY_INTERVAL, "TIME", 0,
         "The time between readings. Default: 1s", 0},
        {NULL, 0, NULL, 0, NULL, 0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Shows live all programs on mound that this user may "
               "read.\vKeys: up, down: choose a program; Enter: what its "
               "memory is made of; r, then y: release its unused memory; s: "
               "sort by the next column; h: help; q: quit.\n\n"
               "Exit status: 0 done, 2 wrong usage, or no terminal.",
    };
    struct options o = {.key = TOP_RSS, .interval_ns = 1000000000};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.batch)
        return print_once(&o);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        message_error("top: %s is not a terminal; use --batch",
                      isatty(STDOUT_FILENO) ? "stdin" : "stdout");
        return VERB_UNUSABLE;
    }
    return top_screen(o.key, o.interval_ns);
}
