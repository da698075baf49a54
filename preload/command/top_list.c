// top_list.c: see top.h.
#include "top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/parts.h"
#include "process.h"
#include "units.h"

static const char *const keys[TOP_KEYS] = {
    [TOP_RSS] = "rss",        [TOP_LIVE] = "live", [TOP_HOLES] = "holes",
    [TOP_IDLE] = "idle",      [TOP_RATE] = "rate", [TOP_PID] = "pid",
    [TOP_PROGRAM] = "program"};

const char *top_key_name(enum top_key key) {
    return keys[key];
}

enum top_key top_key_read(const char *name) {
    enum top_key key = 0;
    while (key < TOP_KEYS && strcmp(keys[key], name) != 0)
        key++;
    return key;
}

static double value_of(const struct fleet_ship *s, enum top_key key) {
    struct parts p;
    parts_of(&s->target.page, &p);
    switch (key) {
    case TOP_RSS:
        return (double)p.rss;
    case TOP_LIVE:
        return (double)p.live;
    case TOP_HOLES:
        return (double)p.holes;
    case TOP_IDLE:
        return (double)p.idle;
    case TOP_RATE:
        return s->mallocs_s;
    default:
        return 0;
    }
}

static uint32_t pid_of(const struct target *t) {
    return t->pid != 0 ? (uint32_t)t->pid : t->page.identity.pid;
}

static int compare(const void *x, const void *y, void *of) {
    const struct fleet_ship *a = x, *b = y;
    enum top_key key = *(enum top_key *)of;
    if (a->target.alive != b->target.alive)
        return a->target.alive ? -1 : 1;
    if (key == TOP_PROGRAM) {
        int order =
            strncmp(a->target.page.identity.program,
                    b->target.page.identity.program, MOUND_PAGE_NAME_BYTES);
        if (order != 0)
            return order;
    } else if (key != TOP_PID) {
        double m = value_of(a, key), n = value_of(b, key);
        if (m != n)
            return m > n ? -1 : 1;
    }
    uint32_t p = pid_of(&a->target), q = pid_of(&b->target);
    return p < q ? -1 : p > q;
}

void top_sort(struct fleet *f, enum top_key key) {
    if (f->nships > 0)
        qsort_r(f->ships, f->nships, sizeof f->ships[0], compare, &key);
}

// The columns, in order. A column is left out if the terminal is narrower than least.
static const struct column {
    const char *head;
    enum top_key key; // TOP_KEYS: not sortable
    int width;        // < 0: left-aligned
    int least;        // width of the terminal
} columns[] = {
    {"PID", TOP_PID, 7, 0},           {"USER", TOP_KEYS, -8, 100},
    {"PROGRAM", TOP_PROGRAM, -15, 0}, {"RSS", TOP_RSS, 10, 34},
    {"LIVE", TOP_LIVE, 10, 46},       {"HOLES", TOP_HOLES, 10, 58},
    {"CACHES", TOP_KEYS, 10, 111},    {"IDLE", TOP_IDLE, 10, 69},
    {"OTHER", TOP_KEYS, 10, 122},     {"MALLOCS/S", TOP_RATE, 11, 80},
    {"STATE", TOP_KEYS, -10, 132},
};
enum { NCOLUMNS = sizeof columns / sizeof columns[0] };

static void append(char ret[TOP_LINE_BYTES], int width, const char *text,
                   int column) {
    size_t n = strlen(ret);
    int most = width < TOP_LINE_BYTES - 1 ? width : TOP_LINE_BYTES - 1;
    int room = most - (int)n;
    if (room <= 0)
        return;
    char cell[TOP_LINE_BYTES];
    int size = column < 0 ? -column : column;
    snprintf(cell, sizeof cell, "%s%*.*s", n > 0 ? " " : "", column, size,
             text);
    snprintf(ret + n, (size_t)room + 1, "%s", cell);
}

void top_head(enum top_key key, int width, char ret[TOP_LINE_BYTES]) {
    ret[0] = '\0';
    for (unsigned i = 0; i < NCOLUMNS; i++) {
        char head[32];
        bool is = columns[i].key == key;
        snprintf(head, sizeof head, "%s%s%s", is ? "[" : "", columns[i].head,
                 is ? "]" : "");
        if (width >= columns[i].least)
            append(ret, width, head, columns[i].width);
    }
}

static void state_of(const struct target *t, char *ret, size_t nbytes) {
    const struct mound_page_identity *who = &t->page.identity;
    if (t->alive)
        snprintf(ret, nbytes, "running");
    else if (who->state == MOUND_PAGE_SIGNALLED)
        snprintf(ret, nbytes, "signal %d", who->status);
    else if (who->state == MOUND_PAGE_EXITED)
        snprintf(ret, nbytes, "exit %d", who->status);
    else
        snprintf(ret, nbytes, "killed");
}

void top_row(const struct fleet_ship *s, int width, char ret[TOP_LINE_BYTES]) {
    const struct target *t = &s->target;
    struct parts p;
    char cells[NCOLUMNS][64], rate[64] = "-";
    parts_of(&t->page, &p);
    if (s->mallocs_s >= 0)
        snprintf(rate, sizeof rate, "%s", units_count(s->mallocs_s).s);
    state_of(t, cells[10], sizeof cells[0]);
    snprintf(cells[0], sizeof cells[0], "%" PRIu32, pid_of(t));
    snprintf(cells[1], sizeof cells[0], "%s", process_user(s->uid).s);
    snprintf(cells[2], sizeof cells[0], "%.*s", MOUND_PAGE_NAME_BYTES - 1,
             t->page.identity.program);
    snprintf(cells[3], sizeof cells[0], "%s", units_bytes(p.rss).s);
    snprintf(cells[4], sizeof cells[0], "%s", units_bytes(p.live).s);
    snprintf(cells[5], sizeof cells[0], "%s", units_bytes(p.holes).s);
    snprintf(cells[6], sizeof cells[0], "%s", units_bytes(p.caches).s);
    snprintf(cells[7], sizeof cells[0], "%s", units_bytes(p.idle).s);
    snprintf(cells[8], sizeof cells[0], "%s", units_bytes(p.other).s);
    // On a narrow terminal there is no column for the state; it replaces the rate.
    snprintf(cells[9], sizeof cells[0], "%s", t->alive ? rate : cells[10]);
    ret[0] = '\0';
    for (unsigned i = 0; i < NCOLUMNS; i++)
        if (width >= columns[i].least)
            append(ret, width, cells[i], columns[i].width);
}

void top_total(const struct fleet *f, int width, char ret[TOP_LINE_BYTES]) {
    struct parts sum = {0};
    size_t n = 0;
    for (size_t i = 0; i < f->nships; i++) {
        struct parts p;
        if (!f->ships[i].target.alive)
            continue;
        n++;
        parts_of(&f->ships[i].target.page, &p);
        sum.rss += p.rss;
        sum.live += p.live + p.rounding;
        sum.holes += p.holes + p.caches;
        sum.idle += p.idle;
    }
    char line[TOP_LINE_BYTES];
    snprintf(line, sizeof line,
             "mound top: %zu program%s, RSS %s: live %s, holes and caches %s, "
             "idle %s",
             n, n == 1 ? "" : "s", units_bytes(sum.rss).s,
             units_bytes(sum.live).s, units_bytes(sum.holes).s,
             units_bytes(sum.idle).s);
    snprintf(ret, TOP_LINE_BYTES, "%.*s",
             width < TOP_LINE_BYTES - 1 ? width : TOP_LINE_BYTES - 1, line);
}
