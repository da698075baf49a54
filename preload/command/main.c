// main.c: the command mound, which looks at programs on mound from outside. The tour:
//
//   main.c       the verbs, and mound --help
//   verb_NAME.c  a verb: parses its options, opens a target, prints
//   target.c     a process, a page file or a core, as a filled struct mound_page:
//                pagefile.c  from the page file of a live or a dead process
//                live.c      from the memory of a process without such a file
//                core.c      from a core
//                the last two use library.c, which finds the symbols, counters.c, which
//                reads mound_stats from any memory, and heapread.c, which reads the rest
//                by the offsets of layout.c
//   targets.c    all of them; pages.c finds the page files, whose.c their processes
//   request.c    requests to a process with MOUND_CONTROL=1
//   launch.c     runs a program from its start to its end: program.c finds it and refuses
//                what cannot work, environment.c sets its environment
//   explain.c    the sentence below the ten lines; mappings.c memory that is not mound's
//   process.c    figures of a process from /proc
//   pprof.c, symbolize.c, calltree.c  a heap profile, its names, its stacks as a tree;
//                toptext.c prints the tree, flame.c makes the HTML page of page/ from it
//   session.c    sampling in a process; series.c readings of a program over time, record.c
//                the file with them; statistics.c two statistics to compare
//   message.c, units.c   lines on stderr; sizes and times as text
//
// The command is a separate process and may use libraries. From the allocator it
// includes the layout of the page, and the code that prints the ten lines of a page.
// includes the page's layout, and the code that makes the ten lines of a page.
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "verb.h"

// In the order in which a user needs them. Each question is printed once, before the
// first verb that answers it.
static const struct verb verbs[] = {
    {"Which memory is it?", "ps", NULL, "",
     "lists processes on mound, and killed ones", verb_ps},
    {NULL, "stats", "explain", "PID|FILE|CORE",
     "shows what the memory of one is made of, and why", verb_stats},
    {NULL, "top", NULL, "", "shows all of them live", verb_top},
    {"Who allocates most?", "profile", NULL, "PID|FILE",
     "shows the functions and stacks with the most memory", verb_profile},
    {"What changed?", "diff", NULL, "A B",
     "compares two profiles or two statistics", verb_diff},
    {"Give it back now", "release", "trim", "PID",
     "returns the idle memory of a process to the system", verb_release},
    {"Why is it not loaded?", "doctor", NULL, "[PID|PROG]",
     "lists each cause, with what to do", verb_doctor},
    {"How do I start it?", "run", NULL, "PROGRAM...",
     "starts a program so that other verbs can see it", verb_run},
    {"For collectors", "export", NULL, "",
     "writes figures for Prometheus, expvar and pprof", verb_export},
    {"How did it develop?", "record", NULL, "-- PROGRAM...",
     "runs a program and records its memory over time", verb_record},
    {NULL, "report", NULL, "[FILE]", "makes an HTML page of that record",
     verb_report},
    {"Does it grow?", "check", NULL, "-- PROGRAM...",
     "fails if the memory of a program grows, for CI", verb_check},
    {"Tidy up", "clean", NULL, "", "removes what killed processes left",
     verb_clean},
};
enum { NVERBS = sizeof verbs / sizeof verbs[0] };

static void print_verb(FILE *out, const struct verb *v) {
    char usage[64];
    snprintf(usage, sizeof usage, "%s %s", v->name, v->arguments);
    fprintf(out, "%-21s mound %-20s %s\n",
            v->question != NULL ? v->question : "", usage, v->help);
}

static void print_help(FILE *out) {
    fprintf(out, "Usage: mound VERB [OPTION...]\nmound VERB --help describes a "
                 "verb.\n\n");
    for (unsigned i = 0; i < NVERBS; i++)
        print_verb(out, &verbs[i]);
}

static const struct verb *find(const char *name) {
    for (unsigned i = 0; i < NVERBS; i++)
        if (strcmp(verbs[i].name, name) == 0 ||
            (verbs[i].alias != NULL && strcmp(verbs[i].alias, name) == 0))
            return &verbs[i];
    return NULL;
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

// distance is the number of letters that are changed, inserted or removed between two
// words, or a large number if one is too long for a verb.
static unsigned distance(const char *a, const char *b) {
    enum { WORD_MAX = 15 };
    unsigned row[WORD_MAX + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= nb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned before = row[0]; // of the row above, one to the left
        row[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned change = before + (a[i - 1] != b[j - 1]);
            before = row[j];
            row[j] = least(change, least(row[j - 1], row[j]) + 1);
        }
    }
    return row[nb];
}

static const char *nearest(const char *name) {
    const char *found = NULL;
    unsigned best = 3; // a larger distance means another word
    for (unsigned i = 0; i < NVERBS; i++) {
        unsigned d = distance(name, verbs[i].name);
        if (verbs[i].alias != NULL)
            d = least(d, distance(name, verbs[i].alias));
        if (d < best && d < strlen(name)) {
            best = d;
            found = verbs[i].name;
        }
    }
    return found;
}

static int refuse(const char *name) {
    const char *other = nearest(name);
    if (other != NULL)
        message_error("%s: no such verb; did you mean mound %s?", name, other);
    else
        message_error("%s: no such verb; mound --help lists them", name);
    return VERB_UNUSABLE;
}

static int run(const struct verb *v, int argc, char **argv) {
    char name[32];
    snprintf(name, sizeof name, "mound %s", v->name);
    argv[0] = name;
    program_invocation_short_name = argv[0]; // the name in argp's complaints
    int status = v->run(argc, argv);
    return message_flush() || status != VERB_DONE ? status : VERB_UNUSABLE;
}

static bool same(const char *word, const char *one, const char *other) {
    return strcmp(word, one) == 0 || strcmp(word, other) == 0;
}

int main(int argc, char **argv) {
    argp_program_version = "mound " MOUND_VERSION;
    argp_err_exit_status = VERB_UNUSABLE;
    if (argc < 2) {
        print_help(stderr);
        return VERB_UNUSABLE;
    }
    const char *word = argv[1];
    if (same(word, "--version", "-V")) {
        puts(argp_program_version);
    } else if (same(word, "--help", "-h") || strcmp(word, "help") == 0) {
        // "mound help stats" is "mound stats --help".
        if (argc > 2) {
            const struct verb *v = find(argv[2]);
            static char help[] = "--help";
            return v == NULL ? refuse(argv[2])
                             : run(v, 2, (char *[]){argv[0], help, NULL});
        }
        print_help(stdout);
    } else {
        const struct verb *v = find(word);
        return v == NULL ? refuse(word) : run(v, argc - 1, argv + 1);
    }
    return message_flush() ? VERB_DONE : VERB_UNUSABLE;
}
