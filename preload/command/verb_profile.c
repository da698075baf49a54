// verb_profile.c: mound profile, which shows the stacks that allocated the memory of a
// running process, or of a profile in a file.
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "pprof_read.h"
#include "session.h"
#include "shown.h"
#include "symbolize.h"
#include "units.h"
#include "verb.h"

enum { KEY_FOR = 0x200, KEY_GROWTH, KEY_LEAKS, KEY_PEAK, KEY_RATE };

static const uint64_t SECOND_NS = 1000 * 1000 * 1000;
static const uint64_t FOR_NS = 10 * SECOND_NS, FOR_MAX_NS = 86400 * SECOND_NS;
static const uint64_t RATE = 512 << 10, RATE_MAX = UINT64_C(1) << 40;

enum view { PLAIN, GROWTH, LEAKS, PEAK };

struct options {
    struct shown shown;
    const char *what;
    enum view view;
    uint64_t for_ns; // UINT64_MAX: not given
    uint64_t rate;
    bool is_live; // an option that needs a process was given
};

static const struct argp_option argp_options[] = {
    {.name = "for",
     .key = KEY_FOR,
     .arg = "TIME",
     .doc = "The time to sample, such as 500ms, 30s or 5m. Default: 10s, or "
            "none if the process samples already"},
    {.name = "growth",
     .key = KEY_GROWTH,
     .doc = "Show what changed from the beginning to the end of that time"},
    {.name = "leaks",
     .key = KEY_LEAKS,
     .doc = "Show what was allocated in the first half of that time and is "
            "still in use at its end"},
    {.name = "peak",
     .key = KEY_PEAK,
     .doc = "Show the moment of that time with the most in use. A process that "
            "samples already needs MOUND_PROFILE_AT=peak"},
    {.name = "rate",
     .key = KEY_RATE,
     .arg = "BYTES",
     .doc = "Take one sample for each BYTES allocated. Default: 512KiB"},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    o->is_live |= key >= KEY_FOR && key <= KEY_RATE;
    switch (key) {
    case KEY_FOR:
        if (!units_read_duration(value, &o->for_ns) || o->for_ns > FOR_MAX_NS)
            argp_error(state,
                       "%s: not a time of at most a day, such as 500ms or 30s",
                       value);
        return 0;
    case KEY_GROWTH:
    case KEY_LEAKS:
    case KEY_PEAK:
        if (o->view != PLAIN)
            argp_error(state, "give one of --growth, --leaks and --peak");
        o->view = key == KEY_GROWTH ? GROWTH : key == KEY_LEAKS ? LEAKS : PEAK;
        return 0;
    case KEY_RATE:
        if (!units_read_bytes(value, &o->rate) || o->rate == 0 ||
            o->rate > RATE_MAX)
            argp_error(state, "%s: not a size from 1 to 1TiB, such as 64KiB",
                       value);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->shown;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "give one process or file");
        o->what = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "give a process or a file");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int show_file(const struct options *o) {
    struct pprof p;
    if (o->is_live) {
        message_error("%s: a file; --for, --growth, --leaks, --peak and --rate "
                      "need a process",
                      o->what);
        return VERB_UNUSABLE;
    }
    if (!pprof_read(o->what, &p))
        return VERB_UNUSABLE;
    symbolize_profile(&p, 0);
    int status = shown_profile(&o->shown, o->what, NULL, 0, &p, NULL);
    pprof_free(&p);
    return status;
}

// struct taken is a profile that was fetched from a process.
struct taken {
    struct pprof p;
    struct pprof base;
    bool has_base;
    uint64_t ns;      // how long the process was sampled for it
    const char *note; // the meaning of the figures, or NULL
};

// time_of is the time for which the process is sampled.
static uint64_t time_of(const struct options *o, const struct session *s) {
    bool is_interval = o->view == GROWTH || o->view == LEAKS;
    if (o->for_ns != UINT64_MAX)
        return o->for_ns;
    return s->own || is_interval ? FOR_NS : 0;
}

static bool take(struct session *s, struct pprof *ret) {
    return session_take(s, MOUND_PAGE_PROFILE_WRITE, ret);
}

// copy makes a copy of a profile.
static void copy(const struct pprof *p, struct pprof *ret) {
    struct bytes file = {0};
    pprof_write(p, &file);
    pprof_parse(file.at, file.n, ret);
    bytes_free(&file);
}

// at_most reduces each stack of later to the smaller of its values in later and earlier.
static void at_most(struct pprof *later, const struct pprof *earlier) {
    struct pprof more;
    copy(later, &more);
    pprof_subtract(&more, earlier);
    for (size_t i = 0; i < more.nsamples; i++)
        for (size_t k = 0; k < PPROF_VALUES; k++)
            if (more.samples[i].values[k] < 0 || k >= PPROF_ALLOC_SPACE)
                more.samples[i].values[k] = 0;
    pprof_subtract(later, &more);
    pprof_free(&more);
}

// take_plain fetches what is in use at the end, or was at the peak.
static bool take_plain(const struct options *o, struct session *s,
                       struct taken *ret) {
    enum mound_page_op op =
        o->view == PEAK ? MOUND_PAGE_PROFILE_PEAK : MOUND_PAGE_PROFILE_WRITE;
    ret->ns = time_of(o, s);
    return session_wait(s, &ret->ns) && session_stop(s) &&
           session_take(s, op, &ret->p);
}

static bool take_growth(const struct options *o, struct session *s,
                        struct taken *ret) {
    ret->ns = time_of(o, s);
    ret->has_base = true;
    if (!s->sampled) // without samples there is no earlier state
        intern_init(&ret->base.strings);
    else if (!take(s, &ret->base))
        return false;
    if (s->own)
        ret->note = "frees of objects from before the sampling are not counted";
    return session_wait(s, &ret->ns) && session_stop(s) && take(s, &ret->p);
}

// take_leaks samples during the first half only: frees of sampled objects still count
// after it, so what is in use at the end is what is left of the first half. If the
// process samples by itself, or others sample it, sampling goes on: then two profiles
// give an upper bound.
static bool take_leaks(const struct options *o, struct session *s,
                       struct taken *ret) {
    struct pprof middle;
    bool has_middle = false;
    uint64_t half = time_of(o, s) / 2;
    ret->ns = half;
    bool ok = session_wait(s, &ret->ns) && session_stop(s);
    if (ok && (!s->own || s->goes_on)) {
        has_middle = ok = take(s, &middle);
        ret->note = "in use at the middle of that time and at its end, by "
                    "stack; these need not be the same objects";
    } else {
        ret->note = "allocated in the first half of that time, in use at its "
                    "end";
    }
    ok = ok && session_wait(s, &half) && take(s, &ret->p);
    ret->ns += half;
    if (ok && has_middle)
        at_most(&ret->p, &middle);
    if (has_middle)
        pprof_free(&middle);
    return ok;
}

// tell prints what is going on for a user who waits.
static void tell(const struct options *o, const struct session *s) {
    uint64_t ns = time_of(o, s);
    if (ns >= SECOND_NS && isatty(STDERR_FILENO))
        fprintf(stderr,
                "mound: sampling %s (%d) for %s; Ctrl-C ends it early\n",
                s->name, (int)s->target.pid, units_duration(ns).s);
}

static bool take_view(const struct options *o, struct session *s,
                      struct taken *ret) {
    if (!session_start(s, o->rate))
        return false;
    tell(o, s);
    return o->view == GROWTH  ? take_growth(o, s, ret)
           : o->view == LEAKS ? take_leaks(o, s, ret)
                              : take_plain(o, s, ret);
}

// how_taken describes how the profile was made.
static char *how_taken(const struct options *o, const struct session *s,
                       const struct taken *t) {
    const char *earlier = s->sampled ? ", or sampled earlier" : "";
    const char *peak =
        o->view == PEAK ? "at the moment with the most in use, " : "";
    if (s->own)
        return store_printf("%sof what was allocated in %s%s", peak,
                            units_duration(t->ns).s, earlier);
    return store_printf(
        "%sof what was allocated since the process began to sample", peak);
}

static int show(const struct options *o, const struct session *s,
                struct taken *t) {
    const char *facts[4];
    size_t n = 0;
    char *title = store_printf("%s (%d)", s->name, (int)s->target.pid);
    char *how = how_taken(o, s, t);
    facts[n++] = how;
    if (t->note != NULL)
        facts[n++] = t->note;
    if (t->p.nsamples == 0)
        facts[n++] = "no object was sampled; a longer --for or a smaller "
                     "--rate finds more";
    if (session_interrupted())
        facts[n++] = "interrupted before the time was over";
    int status = shown_profile(&o->shown, title, facts, n, &t->p,
                               t->has_base ? &t->base : NULL);
    free(title);
    free(how);
    return status;
}

static int show_process(const struct options *o) {
    struct session s;
    struct taken taken = {.note = NULL};
    if (!session_open(o->what, &s))
        return VERB_UNUSABLE;
    bool ok = take_view(o, &s, &taken);
    session_close(&s);
    int status = ok ? show(o, &s, &taken) : VERB_UNUSABLE;
    pprof_free(&taken.p);
    pprof_free(&taken.base);
    return status;
}

// is_file says whether what is a profile: a path, or an existing file. A number is a
// process ID, anything else a process name.
static bool is_file(const char *what) {
    bool is_number =
        what[0] != '\0' && what[strspn(what, "0123456789")] == '\0';
    return !is_number && (strchr(what, '/') != NULL || access(what, F_OK) == 0);
}

int verb_profile(int argc, char **argv) {
    static const struct argp_child children[] = {{.argp = &shown_argp}, {0}};
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse,
        .children = children,
        .args_doc = "PID|NAME|FILE",
        .doc =
            "Shows which functions allocate the memory of a process that was "
            "started with MOUND_CONTROL=1, which mound run sets. It starts the "
            "sampling, waits, stops the sampling and shows the profile. Ctrl-C "
            "ends the time early. Given a FILE, it shows that heap profile, in "
            "pprof's format.\vThe profile leaves out what was allocated before "
            "the sampling began. A process that samples by itself "
            "(MOUND_PROFILE) continues to sample, and the profile has "
            "everything since it began.\n\nExit status: 0 done, 2 failed."};
    struct options o = {.for_ns = UINT64_MAX, .rate = RATE};
    shown_init(&o.shown);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return is_file(o.what) ? show_file(&o) : show_process(&o);
}
