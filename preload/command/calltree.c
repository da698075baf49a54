// calltree.c: see calltree.h.
#include "calltree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void calltree_init(struct calltree *t, bool lines) {
    *t = (struct calltree){.lines = lines};
    intern_init(&t->names);
    t->nodes = store_grow(NULL, 0, &t->nodes_max, sizeof t->nodes[0]);
    t->nodes[0] = (struct calltree_node){0};
    t->n = 1;
}

// Nodes.

static uint32_t *slot_of(struct calltree *t, uint32_t parent, uint32_t name) {
    uint64_t hash = ((uint64_t)parent << 32 | name) * 0x9e3779b97f4a7c15;
    size_t i = (hash >> 20) & (t->table_size - 1);
    for (; t->table[i] != 0; i = (i + 1) & (t->table_size - 1)) {
        const struct calltree_node *n = &t->nodes[t->table[i]];
        if (n->parent == parent && n->name == name)
            break;
    }
    return &t->table[i];
}

static void enlarge_table(struct calltree *t) {
    enum { FIRST = 1024 };
    free(t->table);
    t->table_size = t->table_size > 0 ? 2 * t->table_size : FIRST;
    t->table = store_new(t->table_size * sizeof t->table[0]);
    for (size_t i = 1; i < t->n; i++)
        *slot_of(t, t->nodes[i].parent, t->nodes[i].name) = (uint32_t)i;
}

static uint32_t child(struct calltree *t, uint32_t parent, uint32_t name) {
    if (2 * (t->n + 1) > t->table_size)
        enlarge_table(t);
    uint32_t *slot = slot_of(t, parent, name);
    if (*slot == 0) {
        t->nodes =
            store_grow(t->nodes, t->n, &t->nodes_max, sizeof t->nodes[0]);
        t->nodes[t->n] = (struct calltree_node){
            .name = name, .parent = parent, .next = t->nodes[parent].first};
        t->nodes[parent].first = (uint32_t)t->n;
        *slot = (uint32_t)t->n++;
    }
    return *slot;
}

// Frames.

// is_allocator says whether a function is one of the allocator's, which every stack of a
// heap profile ends in. The same list is in the profiles that mound writes.
static bool is_allocator(const char *name) {
    static const char *const all[] = {
        "malloc",         "calloc",        "realloc",
        "valloc",         "pvalloc",       "free",
        "cfree",          "memalign",      "posix_memalign",
        "aligned_alloc",  "reallocarray",  "operator new",
        "operator new[]", "__libc_malloc", "__libc_calloc",
        "__libc_realloc", "__libc_valloc", "__libc_memalign",
        "__libc_pvalloc"};
    static const char own[] = "mound_";
    if (strncmp(name, own, sizeof own - 1) == 0)
        return true;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(name, all[i]) == 0)
            return true;
    return false;
}

// struct frames are the functions of a location, the outermost first.
struct frames {
    uint32_t first; // in names
    uint32_t n;
};

struct adding {
    struct calltree *t;
    const struct pprof *p;
    struct frames *frames; // by number of location
    uint32_t *names;       // in t->names
    bool *is_allocator;    // of that
    size_t nnames;
    size_t names_max;
    size_t is_allocator_max;
};

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void add_name(struct adding *a, const char *function, const char *file,
                     int64_t line) {
    char *text = a->t->lines && line > 0
                     ? store_printf("%s\t%s:%" PRId64, function, file, line)
                     : store_copy(function, strlen(function));
    a->names =
        store_grow(a->names, a->nnames, &a->names_max, sizeof a->names[0]);
    a->is_allocator =
        store_grow(a->is_allocator, a->nnames, &a->is_allocator_max,
                   sizeof a->is_allocator[0]);
    a->names[a->nnames] = intern_add(&a->t->names, text);
    a->is_allocator[a->nnames++] = is_allocator(function);
    free(text);
}

// add_address names a location without a function by its file and offset, which are the
// same in each process, wherever the file is mapped.
static void add_address(struct adding *a, const struct pprof_location *l) {
    const struct pprof_mapping *m =
        l->mapping != PPROF_NONE ? &a->p->mappings[l->mapping] : NULL;
    const char *file = m != NULL ? pprof_text(a->p, m->file) : "";
    if (file[0] == '\0' || m->limit == 0) { // mostly code of a JIT compiler
        add_name(a, "[code without a file]", "", 0);
        return;
    }
    char *text = store_printf("%s+%#" PRIx64, base_name(file),
                              l->address - m->start + m->offset);
    add_name(a, text, "", 0);
    free(text);
}

static void add_frames(struct adding *a) {
    const struct pprof *p = a->p;
    a->frames = store_new(p->nlocations * sizeof a->frames[0]);
    for (size_t i = 0; i < p->nlocations; i++) {
        const struct pprof_location *l = &p->locations[i];
        a->frames[i].first = (uint32_t)a->nnames;
        for (uint32_t k = l->nlines; k > 0; k--) {
            const struct pprof_line *line = &p->lines[l->first_line + k - 1];
            const struct pprof_function *f = &p->functions[line->function];
            const char *name = pprof_text(p, f->name);
            add_name(a, name[0] != '\0' ? name : "[no name]",
                     pprof_text(p, f->file), line->line);
        }
        if (l->nlines == 0)
            add_address(a, l);
        a->frames[i].n = (uint32_t)a->nnames - a->frames[i].first;
    }
}

// add_sample adds the functions from the outermost to the innermost, and stops before the
// first allocator that another function calls.
static void add_sample(struct adding *a, const struct pprof_sample *s,
                       int sign) {
    uint32_t at = 0;
    bool ended = false;
    for (uint32_t i = s->n; i > 0 && !ended; i--) {
        const struct frames *f = &a->frames[a->p->stack[s->first + i - 1]];
        for (uint32_t k = 0; k < f->n && !ended; k++) {
            ended = at != 0 && a->is_allocator[f->first + k];
            if (!ended)
                at = child(a->t, at, a->names[f->first + k]);
        }
    }
    if (at == 0)
        at = child(a->t, 0, intern_add(&a->t->names, "[no stack]"));
    for (size_t i = 0; i < PPROF_VALUES; i++)
        a->t->nodes[at].self[i] += sign * s->values[i];
}

void calltree_add(struct calltree *t, const struct pprof *p, int sign) {
    struct adding a = {.t = t, .p = p};
    add_frames(&a);
    for (size_t i = 0; i < p->nsamples; i++)
        add_sample(&a, &p->samples[i], sign);
    free(a.frames);
    free(a.names);
    free(a.is_allocator);
}

void calltree_finish(struct calltree *t) {
    for (size_t i = 0; i < t->n; i++)
        memcpy(t->nodes[i].total, t->nodes[i].self, sizeof t->nodes[i].self);
    for (size_t i = t->n - 1; i > 0; i--) // children come after their parents
        for (size_t k = 0; k < PPROF_VALUES; k++)
            t->nodes[t->nodes[i].parent].total[k] += t->nodes[i].total[k];
}

struct calltree_function *calltree_functions(const struct calltree *t) {
    struct calltree_function *all = store_new(t->names.n * sizeof all[0]);
    uint32_t *active = store_new(t->names.n * sizeof active[0]);
    uint32_t at = t->nodes[0].first;
    for (size_t i = 0; i < t->names.n; i++)
        all[i].name = (uint32_t)i;
    // From parent to child, then to the next, then up.
    while (at != 0) {
        const struct calltree_node *n = &t->nodes[at];
        bool outermost = active[n->name]++ == 0;
        for (size_t k = 0; k < PPROF_VALUES; k++) {
            all[n->name].self[k] += n->self[k];
            if (outermost)
                all[n->name].total[k] += n->total[k];
        }
        if (n->first != 0) {
            at = n->first;
            continue;
        }
        while (at != 0) {
            active[t->nodes[at].name]--;
            if (t->nodes[at].next != 0) {
                at = t->nodes[at].next;
                break;
            }
            at = t->nodes[at].parent;
        }
    }
    free(active);
    return all;
}

const char *calltree_name(const struct calltree *t, uint32_t node) {
    return t->names.texts[t->nodes[node].name];
}

void calltree_free(struct calltree *t) {
    intern_free(&t->names);
    free(t->nodes);
    free(t->table);
    *t = (struct calltree){0};
}
