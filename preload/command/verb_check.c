// verb_check.c: mound check, which runs a program and fails if its memory grows: for
// automatic tests.
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "launch.h"
#include "message.h"
#include "program.h"
#include "series.h"
#include "units.h"
#include "verb.h"

enum { KEY_RSS = 0x100, KEY_LIVE, KEY_WARMUP, KEY_FOR };
enum { POINTS_MIN = 4 }; // in each of the two parts that are compared

// struct limit is the permitted growth of a figure.
struct limit {
    bool given;
    double percent; // less than 0: nbytes is the limit
    uint64_t nbytes;
    const char *text;
};

struct options {
    char **argv;
    struct limit rss;
    struct limit live;
    uint64_t warmup_ns; // UINT64_MAX: a quarter of the run time
    uint64_t for_ns;
};

static const struct argp_option argp_options[] = {
    {.name = "rss-growth",
     .key = KEY_RSS,
     .arg = "LIMIT",
     .doc = "How much the RSS may grow, as 5% or 10MiB. Default: 5%"},
    {.name = "live-growth",
     .key = KEY_LIVE,
     .arg = "LIMIT",
     .doc = "How much the bytes of live objects may grow. Without "
            "--rss-growth, the RSS is then not checked"},
    {.name = "warmup",
     .key = KEY_WARMUP,
     .arg = "TIME",
     .doc = "The time to leave out at the beginning. Default: a quarter"},
    {.name = "for",
     .key = KEY_FOR,
     .arg = "TIME",
     .doc =
         "End the program by SIGTERM after this time, for instance a server"},
    {.name = "option",
     .key = 'o',
     .arg = "NAME=VALUE",
     .doc = "Set MOUND_NAME, as in -o memlimit=512MiB; see libmound(7)"},
    {0}};

static void read_limit(const char *value, struct limit *ret,
                       struct argp_state *state) {
    char *end;
    *ret = (struct limit){.given = true, .percent = -1, .text = value};
    if (value[0] >= '0' && value[0] <= '9') {
        double percent = strtod(value, &end);
        if (strcmp(end + strspn(end, " "), "%") == 0 && percent <= 1e6) {
            ret->percent = percent;
            return;
        }
    }
    if (!units_read_bytes(value, &ret->nbytes))
        argp_error(state, "%s: not a limit such as 5%% or 10MiB", value);
}

static uint64_t read_time(const char *value, struct argp_state *state) {
    uint64_t ns;
    if (!units_read_duration(value, &ns))
        argp_error(state, "%s: not a time such as 500ms or 30s", value);
    return ns;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case KEY_RSS:
        read_limit(value, &o->rss, state);
        return 0;
    case KEY_LIVE:
        read_limit(value, &o->live, state);
        return 0;
    case KEY_WARMUP:
        o->warmup_ns = read_time(value, state);
        return 0;
    case KEY_FOR:
        o->for_ns = read_time(value, state);
        return 0;
    }
    return launch_parse(key, value, state, 'o', &o->argv);
}

// Figures of a point.

static uint64_t rss_of(const struct series_point *p) {
    return p->parts.rss;
}

static uint64_t live_of(const struct series_point *p) {
    return p->parts.live + p->parts.rounding + p->parts.untouched;
}

typedef uint64_t figure(const struct series_point *p);

// struct window is a part of the run, and the reading in it with the highest figure.
struct window {
    double begin;
    double end;
    size_t n;
    const struct series_point *most;
};

static void look_at(struct window *w, const struct series *s, figure *f) {
    w->n = 0;
    w->most = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct series_point *p = &s->points[i];
        if (p->seconds < w->begin || p->seconds > w->end)
            continue;
        w->n++;
        if (w->most == NULL || f(p) > f(w->most))
            w->most = p;
    }
}

static void print_part(const char *name, uint64_t before, uint64_t after) {
    enum { LEAST = 4096 };
    int64_t change = (int64_t)(after - before);
    if (change >= LEAST || change <= -LEAST)
        fprintf(stderr, "mound:   %-20s %12s, %s now\n", name,
                units_change(change).s, units_bytes(after).s);
}

static void print_parts(const struct parts *a, const struct parts *b) {
    print_part("live objects", a->live, b->live);
    print_part("rounding", a->rounding, b->rounding);
    print_part("holes", a->holes, b->holes);
    print_part("caches", a->caches, b->caches);
    print_part("idle pages", a->idle, b->idle);
    print_part("records of mound", a->records, b->records);
    print_part("not mound's", a->other, b->other);
}

// check_figure compares the highest figures of the first and the last third of the time
// after the warm-up. It prints the result, and returns an exit status.
static int check_figure(const struct options *o, const struct limit *limit,
                        const char *name, const struct series *s, double end,
                        figure *f) {
    double warmup =
        o->warmup_ns != UINT64_MAX ? (double)o->warmup_ns / 1e9 : end / 4;
    double third = (end - warmup) / 3;
    struct window first = {.begin = warmup, .end = warmup + third};
    struct window last = {.begin = end - third, .end = end};
    look_at(&first, s, f);
    look_at(&last, s, f);
    if (third <= 0 || first.n < POINTS_MIN || last.n < POINTS_MIN) {
        message_error("%s: ran for %s, which is too short to compare %s before "
                      "and after",
                      o->argv[0], units_duration((uint64_t)(end * 1e9)).s,
                      name);
        return VERB_UNUSABLE;
    }
    uint64_t before = f(first.most), after = f(last.most);
    double grown = (double)after - (double)before;
    double allowed = limit->percent >= 0 ? (double)before * limit->percent / 100
                                         : (double)limit->nbytes;
    bool too_much = grown > allowed;
    if (grown > 0)
        fprintf(stderr,
                "mound: %s grew by %s, %.1f %%: from %s (%.1f to %.1f s) to %s "
                "(%.1f to %.1f s); the limit is %s%s\n",
                name, units_bytes((uint64_t)grown).s,
                before > 0 ? 100 * grown / (double)before : 100,
                units_bytes(before).s, first.begin, first.end,
                units_bytes(after).s, last.begin, last.end, limit->text,
                too_much ? ":" : "");
    else
        fprintf(stderr,
                "mound: %s did not grow: %s (%.1f to %.1f s), %s (%.1f to %.1f "
                "s)\n",
                name, units_bytes(before).s, first.begin, first.end,
                units_bytes(after).s, last.begin, last.end);
    if (too_much)
        print_parts(&first.most->parts, &last.most->parts);
    return too_much ? VERB_NO : VERB_DONE;
}

static int worse(int a, int b) {
    return a > b ? a : b;
}

static int check(const struct options *o, const struct launched *l,
                 const struct series *s) {
    double end = (double)(l->end_ns - l->begin_ns) / 1e9;
    int status = VERB_DONE;
    bool failed = !WIFEXITED(l->status) || WEXITSTATUS(l->status) != 0;
    if (failed && !s->stopped) {
        message_error("%s: %s", o->argv[0], launch_how(l).s);
        status = VERB_UNUSABLE;
    }
    if (s->n == 0) {
        message_error("%s: it ended before its memory could be read; mound "
                      "doctor %s may say why",
                      o->argv[0], o->argv[0]);
        return VERB_UNUSABLE;
    }
    if (o->rss.given)
        status = worse(status, check_figure(o, &o->rss, "RSS", s, end, rss_of));
    if (o->live.given)
        status = worse(
            status, check_figure(o, &o->live, "live objects", s, end, live_of));
    return status;
}

int verb_check(int argc, char **argv) {
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse,
        .args_doc = "[--] PROGRAM [ARGUMENT...]",
        .doc = "Runs a program on mound and says whether its memory grows, for "
               "automatic tests. The time after the warm-up is divided in "
               "three; the highest figure in the last third is compared with "
               "the highest in the first.\vOnly the process itself is checked, "
               "not its children. The result is printed on stderr.\n\nExit "
               "status: 0 it did not grow by more than the limit, 1 it did, 2 "
               "no result: the program failed or ended too soon."};
    struct options o = {.warmup_ns = UINT64_MAX};
    struct program program;
    struct launched l;
    struct series s = {0};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
    if (!o.rss.given && !o.live.given)
        o.rss = (struct limit){.given = true, .percent = 5, .text = "5%"};
    if (!launch_prepare(o.argv, false, &program) ||
        !launch_start(&program, o.argv, &l))
        return VERB_UNUSABLE;
    series_watch(&s, &l, o.for_ns);
    launch_forget(&l);
    int status = check(&o, &l, &s);
    series_free(&s);
    return status;
}
