// verb_diff.c: mound diff, which compares two profiles, or two statistics.
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "pprof_read.h"
#include "shown.h"
#include "statistics.h"
#include "statisticsdiff.h"
#include "symbolize.h"
#include "verb.h"

struct options {
    struct shown shown;
    const char *files[2];
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->shown;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num >= 2)
            argp_error(state, "give two files, the older first");
        o->files[state->arg_num] = value;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "give two files, the older first");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int diff_profiles(const struct options *o) {
    struct pprof p[2];
    for (int i = 0; i < 2; i++) {
        if (!pprof_read(o->files[i], &p[i]))
            return VERB_UNUSABLE;
        symbolize_profile(&p[i], 0);
    }
    char *title = store_printf("from %s to %s", o->files[0], o->files[1]);
    int status = shown_profile(&o->shown, title, NULL, 0, &p[1], &p[0]);
    free(title);
    pprof_free(&p[0]);
    pprof_free(&p[1]);
    return status;
}

// is_profile says whether a file begins like a profile in pprof's format.
static bool is_profile(const char *path) {
    static const unsigned char gzip[] = {0x1f, 0x8b};
    unsigned char begin[sizeof gzip] = {0};
    FILE *f = fopen(path, "re");
    size_t n = f != NULL ? fread(begin, 1, sizeof begin, f) : 0;
    if (f != NULL)
        fclose(f);
    return n == sizeof begin && memcmp(begin, gzip, sizeof gzip) == 0;
}

static int diff_statistics(const struct options *o) {
    struct statistics s[2];
    if (o->shown.flame || o->shown.output != NULL) {
        message_error("--flame and --output are for profiles, not for "
                      "statistics");
        return VERB_UNUSABLE;
    }
    for (int i = 0; i < 2; i++)
        if (!statistics_read(o->files[i], &s[i]))
            return VERB_UNUSABLE;
    statisticsdiff_print(stdout, o->files, s, o->shown.top);
    return VERB_DONE;
}

static int diff(const struct options *o) {
    bool profile[2] = {is_profile(o->files[0]), is_profile(o->files[1])};
    if (profile[0] != profile[1]) {
        message_error("%s is a profile, %s is not",
                      o->files[profile[0] ? 0 : 1],
                      o->files[profile[0] ? 1 : 0]);
        return VERB_UNUSABLE;
    }
    return profile[0] ? diff_profiles(o) : diff_statistics(o);
}

int verb_diff(int argc, char **argv) {
    static const struct argp_child children[] = {{.argp = &shown_argp}, {0}};
    static const struct argp argp = {
        .parser = parse,
        .children = children,
        .args_doc = "A B",
        .doc = "Shows what changed from A to B. For two heap profiles in "
               "pprof's format it compares functions and stacks; for two "
               "statistics, the parts of the RSS and the size classes. "
               "Statistics are a dump in JSON (MOUND_STATS=FILE.json), a page "
               "file or a PID.\vExit status: 0 done, 2 failed."};
    struct options o = {0};
    shown_init(&o.shown);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return diff(&o);
}
