// shown.c: see shown.h.
#include "shown.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calltree.h"
#include "flame.h"
#include "message.h"
#include "output.h"
#include "toptext.h"
#include "units.h"
#include "verb.h"

enum { TOP = 10, DEPTH = 16, COUNT_MAX = 100000 };
enum { KEY_FLAME = 0x100, KEY_DEPTH, KEY_ALLOCATED };

static const struct argp_option options[] = {
    {.name = "top",
     .key = 'n',
     .arg = "N",
     .doc = "Show N functions and N stacks. Default: 10"},
    {.name = "depth",
     .key = KEY_DEPTH,
     .arg = "N",
     .doc = "Show N functions of each stack. Default: 16"},
    {.name = "allocated",
     .key = KEY_ALLOCATED,
     .doc = "Sort by all that was allocated, freed or not, instead of what is "
            "in use"},
    {.name = "flame",
     .key = KEY_FLAME,
     .doc =
         "Write an HTML page with a flame graph to stdout; it works offline"},
    {.name = "output",
     .key = 'o',
     .arg = "FILE",
     .doc = "Write the profile with names to FILE (x.pb.gz), for 'go tool "
            "pprof' and others"},
    {0}};

static size_t read_count(const char *value, struct argp_state *state) {
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || n > COUNT_MAX)
        argp_error(state, "%s is not a number up to %d", value, COUNT_MAX);
    return n;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    struct shown *s = state->input;
    switch (key) {
    case 'n':
        s->top = read_count(value, state);
        return 0;
    case KEY_DEPTH:
        s->depth = read_count(value, state);
        return 0;
    case KEY_ALLOCATED:
        s->allocated = true;
        return 0;
    case KEY_FLAME:
        if (isatty(STDOUT_FILENO))
            argp_error(state, "--flame writes a page to stdout, which is a "
                              "terminal: --flame > page.html");
        s->flame = true;
        return 0;
    case 'o':
        s->output = value;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp shown_argp = {.options = options, .parser = parse};

void shown_init(struct shown *s) {
    *s = (struct shown){.top = TOP, .depth = DEPTH};
}

static void make_tree(struct calltree *t, bool lines, const struct pprof *p,
                      const struct pprof *base) {
    calltree_init(t, lines);
    calltree_add(t, p, 1);
    if (base != NULL)
        calltree_add(t, base, -1);
    calltree_finish(t);
}

// about describes what a tree contains in total.
static char *about(const struct calltree *t, const struct pprof *p,
                   bool is_diff) {
    const int64_t *all = t->nodes[0].total;
    struct bytes text = {0};
    if (is_diff)
        bytes_printf(&text, "in use: %s", units_change(all[0]).s);
    else
        bytes_printf(&text, "%s in use in %s object%s",
                     units_bytes((uint64_t)(all[0] > 0 ? all[0] : 0)).s,
                     units_count(all[1] > 0 ? (double)all[1] : 0).s,
                     all[1] == 1 ? "" : "s");
    if (p->has_alloc_values)
        bytes_printf(&text, is_diff ? ", allocated: %s" : ", %s allocated",
                     is_diff ? units_change(all[2]).s
                             : units_bytes((uint64_t)all[2]).s);
    if (p->rate == 1)
        bytes_printf(&text, "; every object was sampled");
    else if (p->rate > 1)
        bytes_printf(&text, "; estimated from one sample for each %s",
                     units_bytes(p->rate).s);
    bytes_add(&text, "", 1);
    return text.at;
}

static void show_text(const struct shown *s, const char *title,
                      const char *const *facts, size_t nfacts,
                      const struct pprof *p, const struct pprof *base) {
    struct toptext how = {.by = s->allocated ? PPROF_ALLOC_SPACE
                                             : PPROF_INUSE_SPACE,
                          .n = s->top,
                          .depth = s->depth,
                          .is_diff = base != NULL};
    struct calltree t;
    make_tree(&t, false, p, base);
    char *text = about(&t, p, base != NULL);
    printf("%s\n%s\n", title, text);
    free(text);
    for (size_t i = 0; i < nfacts; i++)
        puts(facts[i]);
    putchar('\n');
    toptext_functions(stdout, &t, &how);
    calltree_free(&t);
    putchar('\n');
    make_tree(&t, true, p, base);
    toptext_stacks(stdout, &t, &how);
    calltree_free(&t);
}

static void show_flame(const char *title, const char *const *facts,
                       size_t nfacts, const struct pprof *p,
                       const struct pprof *base) {
    struct calltree t;
    struct bytes objects = {0}, page = {0};
    make_tree(&t, false, p, base);
    char *text = about(&t, p, base != NULL);
    flame_head(&objects, title, facts, nfacts);
    flame_profile(&objects, &t, "profile", text, -1, base != NULL);
    flame_page(&page, &objects);
    fwrite(page.at, 1, page.n, stdout);
    free(text);
    calltree_free(&t);
    bytes_free(&objects);
    bytes_free(&page);
}

static bool write_file(const char *path, struct pprof *p,
                       const struct pprof *base) {
    struct bytes out = {0};
    if (base != NULL)
        pprof_subtract(p, base);
    pprof_write(p, &out);
    bool ok = output_write(path, out.at, out.n);
    bytes_free(&out);
    return ok;
}

int shown_profile(const struct shown *s, const char *title,
                  const char *const *facts, size_t nfacts, struct pprof *p,
                  const struct pprof *base) {
    if (s->flame)
        show_flame(title, facts, nfacts, p, base);
    else if (s->output == NULL)
        show_text(s, title, facts, nfacts, p, base);
    if (s->output != NULL && !write_file(s->output, p, base))
        return VERB_UNUSABLE;
    return VERB_DONE;
}
