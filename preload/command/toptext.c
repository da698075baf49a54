// toptext.c: see toptext.h.
#include "toptext.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "units.h"

// The end of a long name is of no use in a table.
enum { NAME_MAX_BYTES = 100 };

static uint64_t magnitude(int64_t value) {
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static struct units_text bytes_text(const struct toptext *o, int64_t value) {
    if (o->is_diff || value < 0)
        return units_change(value);
    return units_bytes((uint64_t)value);
}

static struct units_text count_text(const struct toptext *o, int64_t value) {
    struct units_text text;
    snprintf(text.s, sizeof text.s, "%s%.20s",
             value < 0                 ? "-"
             : o->is_diff && value > 0 ? "+"
                                       : "",
             units_count((double)magnitude(value)).s);
    return text;
}

// share_text is empty in a difference, whose parts may be larger than the total.
static struct units_text share_text(const struct toptext *o, int64_t value,
                                    int64_t all) {
    struct units_text text = {""};
    if (!o->is_diff && all > 0)
        snprintf(text.s, sizeof text.s, "%5.1f %%",
                 100 * (double)value / (double)all);
    return text;
}

// print_name prints a name of a function; control characters become '?'.
static void print_name(FILE *out, const char *name, size_t n) {
    size_t shown = n < NAME_MAX_BYTES ? n : NAME_MAX_BYTES;
    while (shown < n && ((unsigned char)name[shown] & 0xc0) == 0x80)
        shown--; // do not cut within a character
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)name[i];
        bool obeyed =
            c < ' ' || c == 0x7f ||
            (c == 0xc2 && i + 1 < shown && (unsigned char)name[i + 1] < 0xa0);
        putc(obeyed ? '?' : c, out);
    }
    if (shown < n)
        fputs("...", out);
}

static void heading(FILE *out, const char *format, const char *what) {
    bool bold = message_colours(out);
    fputs(bold ? "\033[1m" : "", out);
    fprintf(out, format, what);
    fputs(bold ? "\033[0m\n" : "\n", out);
}

static const char *what_of(const struct toptext *o) {
    return o->by == PPROF_INUSE_SPACE ? "in use" : "allocated";
}

// Functions.

static enum pprof_value sorted_by; // for the two functions below

static int by_self(const void *a, const void *b) {
    const struct calltree_function *x = a;
    const struct calltree_function *y = b;
    uint64_t mine = magnitude(x->self[sorted_by]);
    uint64_t other = magnitude(y->self[sorted_by]);
    if (mine != other)
        return mine > other ? -1 : 1;
    mine = magnitude(x->total[sorted_by]);
    other = magnitude(y->total[sorted_by]);
    if (mine != other)
        return mine > other ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

void toptext_functions(FILE *out, const struct calltree *t,
                       const struct toptext *o) {
    struct calltree_function *all = calltree_functions(t);
    int64_t sum = t->nodes[0].total[o->by];
    sorted_by = o->by;
    qsort(all, t->names.n, sizeof all[0], by_self);
    heading(out,
            o->is_diff ? "Functions with the most change, %s"
                       : "Functions with the most memory, %s",
            what_of(o));
    fprintf(out,
            o->is_diff ? "%11s  %13s  %9s  function\n"
                       : "%11s          %13s          %9s  function\n",
            "by itself", "with callees", "objects");
    size_t shown = 0;
    for (size_t i = 0; i < t->names.n && i < o->n; i++, shown++) {
        int64_t self = all[i].self[o->by];
        int64_t total = all[i].total[o->by];
        if (self == 0)
            break;
        const char *name = t->names.texts[all[i].name];
        fprintf(out,
                o->is_diff ? "%11s%.0s  %13s%.0s  %9s  "
                           : "%11s %7s  %12s %7s  %9s  ",
                bytes_text(o, self).s, share_text(o, self, sum).s,
                bytes_text(o, total).s, share_text(o, total, sum).s,
                count_text(o, all[i].self[o->by + 1]).s);
        print_name(out, name, strlen(name));
        putc('\n', out);
    }
    if (shown == 0)
        fprintf(out, "%11s\n", "none");
    free(all);
}

// Stacks.

static const struct calltree *sorted_tree; // for the function below

static int by_stack(const void *a, const void *b) {
    const uint32_t *x = a;
    const uint32_t *y = b;
    uint64_t mine = magnitude(sorted_tree->nodes[*x].self[sorted_by]);
    uint64_t other = magnitude(sorted_tree->nodes[*y].self[sorted_by]);
    if (mine != other)
        return mine > other ? -1 : 1;
    return *x < *y ? -1 : *x > *y;
}

// print_frame prints "function (file.c:12)".
static void print_frame(FILE *out, const char *name) {
    const char *tab = strchr(name, '\t');
    fputs("        ", out);
    print_name(out, name, tab != NULL ? (size_t)(tab - name) : strlen(name));
    if (tab != NULL) {
        const char *slash = strrchr(tab, '/');
        const char *file = slash != NULL ? slash + 1 : tab + 1;
        fputs(" (", out);
        print_name(out, file, strlen(file));
        fputs(")", out);
    }
    putc('\n', out);
}

static void print_stack(FILE *out, const struct calltree *t, uint32_t node,
                        const struct toptext *o) {
    size_t n = 0;
    uint32_t at = node;
    for (; at != 0 && n < o->depth; at = t->nodes[at].parent, n++)
        print_frame(out, calltree_name(t, at));
    n = 0;
    for (; at != 0; at = t->nodes[at].parent)
        n++;
    if (n > 0)
        fprintf(out, "        ... %zu more caller%s\n", n, n == 1 ? "" : "s");
}

void toptext_stacks(FILE *out, const struct calltree *t,
                    const struct toptext *o) {
    uint32_t *order = store_new(t->n * sizeof order[0]);
    int64_t sum = t->nodes[0].total[o->by];
    for (size_t i = 0; i < t->n; i++)
        order[i] = (uint32_t)i;
    sorted_by = o->by;
    sorted_tree = t;
    qsort(order, t->n, sizeof order[0], by_stack);
    heading(out,
            o->is_diff ? "Stacks with the most change, %s"
                       : "Stacks with the most memory, %s",
            what_of(o));
    size_t i = 0;
    for (; i < t->n && i < o->n; i++) {
        const struct calltree_node *n = &t->nodes[order[i]];
        if (n->self[o->by] == 0)
            break;
        struct units_text share = share_text(o, n->self[o->by], sum);
        fprintf(out, "%11s %s%sin %s object%s\n",
                bytes_text(o, n->self[o->by]).s, share.s,
                share.s[0] != '\0' ? "  " : "",
                count_text(o, n->self[o->by + 1]).s,
                n->self[o->by + 1] == 1 ? "" : "s");
        print_stack(out, t, order[i], o);
    }
    if (i == 0)
        fprintf(out, "%11s\n", "none");
    free(order);
}
