// pprof_subtract.c: the difference of two profiles of one process: see pprof.h.
#include "pprof.h"

#include <stdlib.h>
#include <string.h>

// add_mapping returns the number in p of a mapping of base, adding it if needed.
static uint32_t add_mapping(struct pprof *p, const struct pprof *base,
                            const struct pprof_mapping *m) {
    uint32_t file = intern_add(&p->strings, pprof_text(base, m->file));
    for (size_t i = 0; i < p->nmappings; i++)
        if (p->mappings[i].start == m->start &&
            p->mappings[i].limit == m->limit && p->mappings[i].file == file)
            return (uint32_t)i;
    p->mappings = store_grow(p->mappings, p->nmappings, &p->mappings_max,
                             sizeof p->mappings[0]);
    p->mappings[p->nmappings] = *m;
    p->mappings[p->nmappings].file = file;
    p->mappings[p->nmappings].build_id =
        intern_add(&p->strings, pprof_text(base, m->build_id));
    return (uint32_t)p->nmappings++;
}

static uint32_t *add_mappings(struct pprof *p, const struct pprof *base) {
    uint32_t *numbers = store_new(base->nmappings * sizeof numbers[0]);
    for (size_t i = 0; i < base->nmappings; i++)
        numbers[i] = add_mapping(p, base, &base->mappings[i]);
    return numbers;
}

// Locations are sorted by what distinguishes them: those without an address by the name
// of their function.

static const char *name_of(const struct pprof *p,
                           const struct pprof_location *l) {
    if (l->address != 0 || l->nlines == 0)
        return "";
    return pprof_text(p, p->functions[p->lines[l->first_line].function].name);
}

static int compare_locations(const void *a, const void *b, void *profile) {
    const struct pprof *p = profile;
    const struct pprof_location *x = &p->locations[*(const uint32_t *)a];
    const struct pprof_location *y = &p->locations[*(const uint32_t *)b];
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->mapping != y->mapping)
        return x->mapping < y->mapping ? -1 : 1;
    return strcmp(name_of(p, x), name_of(p, y));
}

static uint32_t add_function(struct pprof *p, const struct pprof *base,
                             const struct pprof_function *f) {
    p->functions = store_grow(p->functions, p->nfunctions, &p->functions_max,
                              sizeof p->functions[0]);
    p->functions[p->nfunctions] = (struct pprof_function){
        .name = intern_add(&p->strings, pprof_text(base, f->name)),
        .system_name =
            intern_add(&p->strings, pprof_text(base, f->system_name)),
        .file = intern_add(&p->strings, pprof_text(base, f->file))};
    return (uint32_t)p->nfunctions++;
}

static void add_lines(struct pprof *p, const struct pprof *base,
                      const struct pprof_location *from,
                      struct pprof_location *to) {
    to->first_line = (uint32_t)p->nlines;
    for (uint32_t i = 0; i < from->nlines; i++) {
        struct pprof_line line = base->lines[from->first_line + i];
        line.function = add_function(p, base, &base->functions[line.function]);
        p->lines = store_grow(p->lines, p->nlines, &p->lines_max, sizeof line);
        p->lines[p->nlines++] = line;
    }
}

// add_locations appends the locations of base, and returns for each location of p the
// number of the first one that is the same.
static uint32_t *add_locations(struct pprof *p, const struct pprof *base) {
    uint32_t *mappings = add_mappings(p, base);
    for (size_t i = 0; i < base->nlocations; i++) {
        struct pprof_location l = base->locations[i];
        if (l.mapping != PPROF_NONE)
            l.mapping = mappings[l.mapping];
        add_lines(p, base, &base->locations[i], &l);
        p->locations = store_grow(p->locations, p->nlocations,
                                  &p->locations_max, sizeof l);
        p->locations[p->nlocations++] = l;
    }
    free(mappings);

    uint32_t *order = store_new(p->nlocations * sizeof order[0]);
    uint32_t *same = store_new(p->nlocations * sizeof same[0]);
    for (size_t i = 0; i < p->nlocations; i++)
        order[i] = (uint32_t)i;
    if (p->nlocations > 0)
        qsort_r(order, p->nlocations, sizeof order[0], compare_locations, p);
    for (size_t i = 0; i < p->nlocations; i++)
        same[order[i]] =
            i > 0 && compare_locations(&order[i - 1], &order[i], p) == 0
                ? same[order[i - 1]]
                : order[i];
    free(order);
    return same;
}

// Samples are sorted by their stacks.

static int compare_stacks(const void *a, const void *b, void *profile) {
    const struct pprof *p = profile;
    const struct pprof_sample *x = a;
    const struct pprof_sample *y = b;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->n == 0 ? 0
                     : memcmp(&p->stack[x->first], &p->stack[y->first],
                              x->n * sizeof p->stack[0]);
}

static void add_sample(struct pprof *p, const struct pprof *base,
                       const struct pprof_sample *from, uint32_t offset) {
    struct pprof_sample s = *from;
    s.first = (uint32_t)p->nstack;
    for (uint32_t i = 0; i < s.n; i++) {
        p->stack =
            store_grow(p->stack, p->nstack, &p->stack_max, sizeof p->stack[0]);
        p->stack[p->nstack++] = base->stack[from->first + i] + offset;
    }
    for (size_t i = 0; i < PPROF_VALUES; i++)
        s.values[i] = -s.values[i];
    p->samples = store_grow(p->samples, p->nsamples, &p->samples_max, sizeof s);
    p->samples[p->nsamples++] = s;
}

// join merges samples with the same stack, and drops those whose values are all 0.
static void join(struct pprof *p) {
    size_t n = 0;
    if (p->nsamples == 0)
        return;
    qsort_r(p->samples, p->nsamples, sizeof p->samples[0], compare_stacks, p);
    for (size_t i = 0; i < p->nsamples;) {
        struct pprof_sample s = p->samples[i++];
        for (; i < p->nsamples && compare_stacks(&s, &p->samples[i], p) == 0;
             i++)
            for (size_t k = 0; k < PPROF_VALUES; k++)
                s.values[k] += p->samples[i].values[k];
        bool empty = true;
        for (size_t k = 0; k < PPROF_VALUES; k++)
            empty = empty && s.values[k] == 0;
        if (!empty)
            p->samples[n++] = s;
    }
    p->nsamples = n;
}

void pprof_subtract(struct pprof *p, const struct pprof *base) {
    uint32_t offset = (uint32_t)p->nlocations;
    uint32_t *same = add_locations(p, base);
    for (size_t i = 0; i < base->nsamples; i++)
        add_sample(p, base, &base->samples[i], offset);
    for (size_t i = 0; i < p->nstack; i++)
        p->stack[i] = same[p->stack[i]];
    free(same);
    join(p);
}
