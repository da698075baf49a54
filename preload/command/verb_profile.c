// verb_profile.c: mound profile, which shows who allocated the memory of a process that
// is running, or what a profile that was written says.
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "message.h"
#include "pprof_read.h"
#include "shown.h"
#include "symbolize.h"
#include "units.h"
#include "verb.h"

struct options {
    struct shown shown;
    const char *what;
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->shown;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one process or file at a time");
        o->what = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which process, or which profile?");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int show_file(const struct options *o) {
    struct pprof p;
    if (!pprof_read(o->what, &p))
        return VERB_UNUSABLE;
    symbolize_profile(&p, 0);
    int status = shown_profile(&o->shown, o->what, NULL, 0, &p, NULL);
    pprof_free(&p);
    return status;
}

int verb_profile(int argc, char **argv) {
    static const struct argp_child children[] = {{.argp = &shown_argp}, {0}};
    static const struct argp argp = {
        .parser = parse,
        .children = children,
        .args_doc = "FILE",
        .doc = "Shows who allocated memory: what a heap profile in pprof's "
               "form says.\vExit status: 0 done, 2 it could not be done."};
    struct options o = {0};
    shown_init(&o.shown);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return show_file(&o);
}
