// verb_ps.c: mound ps, one line for each process that runs on mound or left a page.
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"
#include "prof/parts.h"
#include "targets.h"
#include "units.h"
#include "verb.h"

struct row {
    pid_t pid;
    uid_t uid;
    char program[MOUND_PAGE_NAME_BYTES];
    bool readable;
    struct parts parts;
    uint64_t mallocs;
    uint64_t at_ns; // time of these readings
    double rate;    // mallocs a second; below 0: not known
    struct target_text state;
};

struct rows {
    struct row *rows;
    size_t n, max;
};

static bool add(struct targets_entry *entry, void *argument) {
    struct rows *all = argument;
    if (all->n == all->max) {
        all->max = all->max * 2 + 64;
        void *more = realloc(all->rows, all->max * sizeof *all->rows);
        if (more == NULL) {
            message_error("out of memory");
            exit(VERB_UNUSABLE);
        }
        all->rows = more;
    }
    struct row *r = &all->rows[all->n++];
    *r = (struct row){.pid = entry->process.pid,
                      .uid = entry->process.uid,
                      .readable = entry->readable};
    if (!entry->readable) {
        snprintf(r->program, sizeof r->program, "%s", entry->process.name);
        snprintf(r->state.s, sizeof r->state.s, "not readable");
        r->parts.rss = entry->process.rss;
        return true;
    }
    const struct mound_page *page = &entry->target->page;
    if (r->pid == 0)
        r->pid = (pid_t)page->identity.pid;
    memcpy(r->program, page->identity.program, sizeof r->program);
    r->state = target_state(entry->target);
    parts_of(page, &r->parts);
    r->mallocs = page->stats.mallocs;
    r->at_ns = page->stats.published_ns;
    uint64_t ns = parts_duration(page);
    // A child of fork starts with the counters of its parent.
    r->rate = page->identity.parent_page ? -1
              : ns == 0                  ? 0
                        : (double)r->mallocs * 1e9 / (double)ns;
    return true;
}

// rate reads all again, and sets the rates over the time between.
static bool rate(struct targets_entry *entry, void *argument) {
    struct rows *all = argument;
    for (size_t i = 0; entry->readable && i < all->n; i++) {
        struct row *r = &all->rows[i];
        const struct mound_page_stats *st = &entry->target->page.stats;
        if (r->pid != entry->process.pid || st->published_ns <= r->at_ns ||
            st->mallocs < r->mallocs)
            continue;
        r->rate = (double)(st->mallocs - r->mallocs) * 1e9 /
                  (double)(st->published_ns - r->at_ns);
    }
    return true;
}

static int by_rss(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    if (x->parts.rss != y->parts.rss)
        return x->parts.rss > y->parts.rss ? -1 : 1;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static bool serves(const struct row *r) {
    return r->readable && strcmp(r->state.s, "off") != 0;
}

static void print_rows(const struct rows *all) {
    printf("%7s %-10s %-16s %10s %10s %10s %10s %10s  %s\n", "PID", "USER",
           "PROGRAM", "RSS", "LIVE", "HOLES", "IDLE", "MALLOCS/S", "STATE");
    for (size_t i = 0; i < all->n; i++) {
        const struct row *r = &all->rows[i];
        printf("%7d %-10.10s %-16.16s %10s ", (int)r->pid,
               process_user(r->uid).s, r->program, units_bytes(r->parts.rss).s);
        if (serves(r))
            printf("%10s %10s %10s %10s",
                   units_bytes(r->parts.live + r->parts.rounding).s,
                   units_bytes(r->parts.holes).s, units_bytes(r->parts.idle).s,
                   r->rate < 0 ? "-" : units_count(r->rate).s);
        else
            printf("%10s %10s %10s %10s", "-", "-", "-", "-");
        printf("  %s\n", r->state.s);
    }
}

static void print_text(const char *s) {
    putchar('"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
    putchar('"');
}

static void print_json(const struct rows *all) {
    putchar('[');
    for (size_t i = 0; i < all->n; i++) {
        const struct row *r = &all->rows[i];
        printf("%s\n  {\"pid\": %d, \"user\": ", i > 0 ? "," : "", (int)r->pid);
        print_text(process_user(r->uid).s);
        printf(", \"uid\": %u, \"program\": ", r->uid);
        print_text(r->program);
        printf(", \"state\": \"%s\", \"rss\": %" PRIu64, r->state.s,
               r->parts.rss);
        if (serves(r))
            printf(", \"live\": %" PRIu64 ", \"holes\": %" PRIu64
                   ", \"caches\": %" PRIu64 ", \"idle\": %" PRIu64
                   ", \"mallocs\": %" PRIu64,
                   r->parts.live + r->parts.rounding, r->parts.holes,
                   r->parts.caches, r->parts.idle, r->mallocs);
        if (serves(r) && r->rate >= 0)
            printf(", \"mallocs_per_second\": %.1f", r->rate);
        putchar('}');
    }
    puts("\n]");
}

struct options {
    bool json;
    uint64_t during_ns;
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'j':
        o->json = true;
        return 0;
    case 'd':
        if (!units_read_duration(value, &o->during_ns))
            argp_error(state, "--during %s: not a time, such as 2s", value);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "this verb takes no arguments");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int verb_ps(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"json", 'j', NULL, 0, "Print an array of JSON objects, sizes in bytes",
         0},
        {"during", 'd', "TIME", 0,
         "Wait for TIME and show the mallocs per second in it. Default: those "
         "since the start of the process",
         0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Lists the processes that run on mound, and those that were "
               "killed and left a page (mound clean removes it): those of the "
               "user, or, for root, all. The largest come first. LIVE is "
               "objects in use, HOLES free slots between them, IDLE pages kept "
               "for the next mallocs; mound stats PID has the rest of the RSS."
               "\vExit status: 0 done, 1 no such process, 2 wrong usage."};
    struct options o = {0};
    struct rows all = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    targets_each(add, &all);
    if (o.during_ns > 0) {
        nanosleep(&(struct timespec){(time_t)(o.during_ns / 1000000000),
                                     (long)(o.during_ns % 1000000000)},
                  NULL);
        targets_each(rate, &all);
    }
    if (all.n > 0)
        qsort(all.rows, all.n, sizeof *all.rows, by_rss);
    if (o.json)
        print_json(&all);
    else if (all.n > 0)
        print_rows(&all);
    else
        message_error("no process runs on mound; mound run starts one");
    free(all.rows);
    return all.n > 0 ? VERB_DONE : VERB_NO;
}
