// verb_run.c: mound run, which starts a program on mound.
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lastmoment.h"
#include "launch.h"
#include "message.h"
#include "program.h"
#include "prof/summary.h"
#include "units.h"
#include "verb.h"

struct run {
    char **argv; // of the program, NULL: none yet
    bool report;
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct run *run = state->input;
    if (key != 'r')
        return launch_parse(key, value, state, 'o', &run->argv);
    run->report = true;
    return 0;
}

// report prints how the program ended, with its last page, and removes that.
static void report(const struct launched *l, const char *program) {
    struct mound_page page;
    fprintf(stderr, "mound: %s, pid %d, %s, after %s\n", program, (int)l->pid,
            launch_how(l).s, units_duration(l->end_ns - l->begin_ns).s);
    if (launch_page(l, &page)) {
        fflush(stderr);
        int64_t differs = lastmoment_bring_up(&page);
        summary_write(&page, 2);
        fputs(lastmoment_text(differs).s, stderr);
    } else
        message_error("%d: it left no page; mound doctor %s may say why",
                      (int)l->pid, program);
    launch_forget(l);
}

int verb_run(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"option", 'o', "NAME=VALUE", 0,
         "Set MOUND_NAME, as in -o memlimit=512MiB; see libmound(7)", 0},
        {"report", 'r', NULL, 0,
         "Wait for the program, and print on stderr how it ended and what its "
         "memory was made of",
         0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[--] PROGRAM [ARGUMENT...]",
        .doc =
            "Starts a program on mound with MOUND_WATCH=1 and MOUND_CONTROL=1, "
            "which mound ps, stats, profile and release need. This adds a file "
            "in /dev/shm and a thread that sleeps.\vExit status: that of the "
            "program; with --report, 128 + N if signal N killed it. It is 2, "
            "and the program is not started, if mound cannot be loaded into "
            "it: statically linked, setuid, musl, 32 bits, not found."};
    struct run run = {0};
    struct program program;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);
    if (!launch_prepare(run.argv, run.report, &program))
        return VERB_UNUSABLE;
    if (!run.report) {
        launch_exec(&program, run.argv);
        return VERB_UNUSABLE;
    }
    struct launched l;
    if (!launch_start(&program, run.argv, &l))
        return VERB_UNUSABLE;
    launch_wait(&l, -1);
    report(&l, run.argv[0]);
    return launch_exit_code(&l);
}
