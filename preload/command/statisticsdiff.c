// statisticsdiff.c: see statisticsdiff.h.
#include "statisticsdiff.h"

#include <inttypes.h>
#include <stdlib.h>

#include "units.h"

static void print_source(FILE *out, char letter, const char *name,
                         const struct statistics *s) {
    fprintf(out, "%c: %s", letter, name);
    if (s->program[0] != '\0')
        fprintf(out, ": %s, pid %" PRIu64 ", after %s", s->program, s->pid,
                units_duration((uint64_t)(s->seconds * 1e9)).s);
    putc('\n', out);
}

static struct units_text count_change(int64_t change) {
    struct units_text ret;
    double n = change < 0 ? -(double)change : (double)change;
    snprintf(ret.s, sizeof ret.s, "%s%.20s",
             change > 0   ? "+"
             : change < 0 ? "-"
                          : "",
             units_count(n).s);
    return ret;
}

static void print_figure(FILE *out, const struct statistics s[2],
                         enum statistics_figure f, const char *label) {
    struct units_text cells[3] = {{"not known"}, {"not known"}, {""}};
    bool is_bytes = f < STATISTICS_BYTES;
    if (!s[0].known[f] && !s[1].known[f])
        return;
    for (int i = 0; i < 2; i++)
        if (s[i].known[f])
            cells[i] = is_bytes ? units_bytes(s[i].figures[f])
                                : units_count((double)s[i].figures[f]);
    if (s[0].known[f] && s[1].known[f]) {
        int64_t change = (int64_t)(s[1].figures[f] - s[0].figures[f]);
        cells[2] = is_bytes ? units_change(change) : count_change(change);
    }
    fprintf(out, "  %-14s %12s %12s %13s\n", label, cells[0].s, cells[1].s,
            cells[2].s);
}

// struct row is a class in both statistics; missing figures are 0.
struct row {
    struct statistics_class in[2];
};

static struct row *row_of(struct row *rows, size_t *n, uint64_t size) {
    for (size_t i = 0; i < *n; i++)
        if (rows[i].in[0].size == size)
            return &rows[i];
    rows[*n] = (struct row){.in = {{.size = size}, {.size = size}}};
    return &rows[(*n)++];
}

static int64_t live_change(const struct row *r) {
    return (int64_t)(r->in[1].live_bytes - r->in[0].live_bytes);
}

static int64_t waste_change(const struct row *r) {
    return (int64_t)(r->in[1].waste - r->in[0].waste);
}

static int by_change(const void *a, const void *b) {
    const struct row *x = a;
    const struct row *y = b;
    int64_t mine = llabs(live_change(x)) + llabs(waste_change(x));
    int64_t other = llabs(live_change(y)) + llabs(waste_change(y));
    if (mine != other)
        return mine > other ? -1 : 1;
    return x->in[0].size < y->in[0].size ? -1 : x->in[0].size > y->in[0].size;
}

static void print_classes(FILE *out, const struct statistics s[2],
                          size_t nclasses) {
    struct row rows[2 * MOUND_PAGE_CLASSES];
    size_t n = 0;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < s[k].nclasses; i++)
            row_of(rows, &n, s[k].classes[i].size)->in[k] = s[k].classes[i];
    qsort(rows, n, sizeof rows[0], by_change);
    fprintf(out, "\nClasses that changed most\n%12s %12s %13s %13s %13s\n",
            "size", "live in B", "live", "waste", "objects");
    size_t shown = 0;
    for (; shown < n && shown < nclasses; shown++) {
        const struct row *r = &rows[shown];
        if (live_change(r) == 0 && waste_change(r) == 0)
            break;
        fprintf(out, "%12s %12s %13s %13s %13s\n",
                r->in[0].size == 0 ? "over 32 KiB"
                                   : units_bytes(r->in[0].size).s,
                units_bytes(r->in[1].live_bytes).s,
                units_change(live_change(r)).s, units_change(waste_change(r)).s,
                count_change((int64_t)(r->in[1].live - r->in[0].live)).s);
    }
    if (shown == 0)
        fprintf(out, "%12s\n", "none");
}

void statisticsdiff_print(FILE *out, const char *const names[2],
                          const struct statistics s[2], size_t nclasses) {
    static const char *const labels[STATISTICS_FIGURES] = {
        [STATISTICS_RSS] = "RSS",
        [STATISTICS_LIVE] = "live objects",
        [STATISTICS_ROUNDING] = "rounding",
        [STATISTICS_FREE_SLOTS] = "free slots",
        [STATISTICS_CACHES] = "caches",
        [STATISTICS_IDLE] = "idle pages",
        [STATISTICS_RECORDS] = "records",
        [STATISTICS_OTHER] = "not mound's",
        [STATISTICS_RSS_PEAK] = "RSS at most",
        [STATISTICS_OBJECTS] = "objects in use",
        [STATISTICS_MALLOCS] = "mallocs",
        [STATISTICS_FREES] = "frees",
    };
    print_source(out, 'A', names[0], &s[0]);
    print_source(out, 'B', names[1], &s[1]);
    fprintf(out, "\n  %-14s %12s %12s %13s\n", "", "A", "B", "change");
    for (enum statistics_figure f = 0; f < STATISTICS_FIGURES; f++)
        print_figure(out, s, f, labels[f]);
    print_classes(out, s, nclasses);
}
