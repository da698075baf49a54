// verb_diff.c: mound diff, which compares two profiles, or two statistics.
#include <argp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pprof_read.h"
#include "shown.h"
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
            argp_error(state, "two files at a time");
        o->files[state->arg_num] = value;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "two files are needed, the older first");
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

int verb_diff(int argc, char **argv) {
    static const struct argp_child children[] = {{.argp = &shown_argp}, {0}};
    static const struct argp argp = {
        .parser = parse,
        .children = children,
        .args_doc = "A B",
        .doc = "Shows what changed from A to B: two heap profiles in pprof's "
               "form.\vExit status: 0 done, 2 it could not be done."};
    struct options o = {0};
    shown_init(&o.shown);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return diff_profiles(&o);
}
