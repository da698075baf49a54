// pprof_parse.c: see pprof_parse.h. The fields of a file are in any order, so it is read
// three times: first what other parts refer to.
#include "pprof_parse.h"

#include <stdlib.h>
#include <string.h>

#include "prof/pprof_fields.h"
#include "protobuf_read.h"

// The largest profile that mound writes has 2 million fields.
enum { FIELDS_MAX = 1 << 22, STACK_MAX = 1024, LINES_MAX = 64 };
enum { PPROF_COLUMNS_MAX = 16 }; // values of a sample in the file

static const char damaged[] = "the profile is damaged";
static const char no_profile[] = "this is not a profile in pprof's form";

// IDs that the file gives to its mappings, functions and locations.

struct id {
    uint64_t id;
    uint32_t index;
};

struct ids {
    struct id *all; // sorted
    size_t n;
};

static int by_id(const void *a, const void *b) {
    const struct id *x = a;
    const struct id *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

// sort_ids collects and sorts the ids that each of n structs begins with.
static bool sort_ids(struct ids *ret, const void *structs, size_t n,
                     size_t nbytes) {
    ret->all = store_new(n * sizeof ret->all[0]);
    ret->n = n;
    for (size_t i = 0; i < n; i++) {
        memcpy(&ret->all[i].id, (const char *)structs + i * nbytes,
               sizeof ret->all[i].id);
        ret->all[i].index = (uint32_t)i;
    }
    qsort(ret->all, n, sizeof ret->all[0], by_id);
    for (size_t i = 1; i < n; i++)
        if (ret->all[i].id == ret->all[i - 1].id)
            return false;
    return true;
}

static uint32_t index_of(const struct ids *ids, uint64_t id) {
    struct id key = {.id = id};
    const struct id *found = bsearch(&key, ids->all, ids->n, sizeof key, by_id);
    return found != NULL ? found->index : PPROF_NONE;
}

// Reading.

struct reading {
    struct pprof *p;
    struct reader file;
    uint32_t *strings; // numbers in p->strings, by number in the file
    size_t nstrings;
    size_t strings_max;
    struct ids mappings;
    struct ids functions;
    struct ids locations;
    enum pprof_value columns[PPROF_COLUMNS_MAX];
    size_t ncolumns;
    uint32_t bytes_label; // number in p->strings
    const char *wrong;
};

static bool fail(struct reading *r, const char *wrong) {
    if (r->wrong == NULL)
        r->wrong = wrong;
    return false;
}

// string_of converts the number of a string in the file to one in p->strings.
static uint32_t string_of(struct reading *r, uint64_t number) {
    if (number < r->nstrings)
        return r->strings[number];
    fail(r, damaged);
    return 0;
}

static bool read_strings(struct reading *r) {
    struct reader file = r->file;
    struct field f;
    size_t nfields = 0;
    while (next_field(&file, &f)) {
        if (++nfields > FIELDS_MAX)
            return fail(r, "it has more than 4 million fields, too many for a "
                           "profile");
        if (f.number != PROFILE_STRING_TABLE)
            continue;
        if (f.bytes.at == NULL)
            return fail(r, no_profile);
        char *text = store_copy((const char *)f.bytes.at,
                                (size_t)(f.bytes.end - f.bytes.at));
        r->strings = store_grow(r->strings, r->nstrings, &r->strings_max,
                                sizeof r->strings[0]);
        r->strings[r->nstrings++] = intern_add(&r->p->strings, text);
        free(text);
    }
    if (file.bad || r->nstrings == 0 || r->strings[0] != 0)
        return fail(r, no_profile);
    r->bytes_label = intern_add(&r->p->strings, "bytes");
    return true;
}

static void read_column(struct reading *r, struct reader message) {
    static const struct {
        const char *name;
        enum pprof_value value;
    } known[] = {
        {"inuse_space", PPROF_INUSE_SPACE},
        {"inuse_objects", PPROF_INUSE_OBJECTS},
        {"alloc_space", PPROF_ALLOC_SPACE},
        {"alloc_objects", PPROF_ALLOC_OBJECTS},
        {"space", PPROF_INUSE_SPACE},
        {"objects", PPROF_INUSE_OBJECTS},
    };
    struct field f;
    const char *name = "";
    while (next_field(&message, &f))
        if (f.number == VALUE_TYPE_TYPE)
            name = pprof_text(r->p, string_of(r, f.value));
    if (r->ncolumns == PPROF_COLUMNS_MAX) {
        fail(r, damaged);
        return;
    }
    r->columns[r->ncolumns] = PPROF_VALUES; // not known
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0)
            r->columns[r->ncolumns] = known[i].value;
    if (r->columns[r->ncolumns] == PPROF_ALLOC_SPACE)
        r->p->has_alloc_values = true;
    r->ncolumns++;
}

static void read_mapping(struct reading *r, struct reader message) {
    struct pprof *p = r->p;
    struct pprof_mapping m = {.id = 0};
    struct field f;
    while (next_field(&message, &f))
        switch (f.number) {
        case MAPPING_ID:
            m.id = f.value;
            break;
        case MAPPING_START:
            m.start = f.value;
            break;
        case MAPPING_LIMIT:
            m.limit = f.value;
            break;
        case MAPPING_OFFSET:
            m.offset = f.value;
            break;
        case MAPPING_FILENAME:
            m.file = string_of(r, f.value);
            break;
        case MAPPING_BUILD_ID:
            m.build_id = string_of(r, f.value);
            break;
        case MAPPING_HAS_FUNCTIONS:
            m.named = f.value != 0;
            break;
        case MAPPING_HAS_LINES:
            m.has_lines = f.value != 0;
            break;
        case MAPPING_HAS_INLINE:
            m.has_inline = f.value != 0;
            break;
        }
    p->mappings =
        store_grow(p->mappings, p->nmappings, &p->mappings_max, sizeof m);
    p->mappings[p->nmappings++] = m;
    if (message.bad || m.id == 0)
        fail(r, damaged);
}

static void read_function(struct reading *r, struct reader message) {
    struct pprof *p = r->p;
    struct pprof_function g = {.id = 0};
    struct field f;
    while (next_field(&message, &f))
        switch (f.number) {
        case FUNCTION_ID:
            g.id = f.value;
            break;
        case FUNCTION_NAME:
            g.name = string_of(r, f.value);
            break;
        case FUNCTION_SYSTEM_NAME:
            g.system_name = string_of(r, f.value);
            break;
        case FUNCTION_FILENAME:
            g.file = string_of(r, f.value);
            break;
        }
    p->functions =
        store_grow(p->functions, p->nfunctions, &p->functions_max, sizeof g);
    p->functions[p->nfunctions++] = g;
    if (message.bad || g.id == 0)
        fail(r, damaged);
}

// read_about reads everything that refers to strings only.
static bool read_about(struct reading *r) {
    struct reader file = r->file;
    struct pprof *p = r->p;
    struct field f;
    while (next_field(&file, &f) && r->wrong == NULL) {
        bool is_number = f.bytes.at == NULL;
        switch (f.number) {
        case PROFILE_SAMPLE_TYPE:
        case PROFILE_MAPPING:
        case PROFILE_FUNCTION:
            if (is_number)
                return fail(r, no_profile);
            if (f.number == PROFILE_SAMPLE_TYPE)
                read_column(r, f.bytes);
            else if (f.number == PROFILE_MAPPING)
                read_mapping(r, f.bytes);
            else
                read_function(r, f.bytes);
            break;
        case PROFILE_TIME_NANOS:
            p->time_ns = f.value;
            break;
        case PROFILE_DURATION_NANOS:
            p->duration_ns = f.value;
            break;
        case PROFILE_PERIOD:
            p->rate = f.value;
            break;
        case PROFILE_DROP_FRAMES:
            p->drop_frames = string_of(r, f.value);
            break;
        }
    }
    if (r->wrong != NULL)
        return false;
    bool has_space = false;
    for (size_t i = 0; i < r->ncolumns; i++)
        has_space |= r->columns[i] == PPROF_INUSE_SPACE;
    if (r->ncolumns == 0)
        return fail(r, no_profile);
    if (!has_space)
        return fail(r, "this is not a heap profile: it has no inuse_space");
    if (!sort_ids(&r->mappings, p->mappings, p->nmappings,
                  sizeof p->mappings[0]) ||
        !sort_ids(&r->functions, p->functions, p->nfunctions,
                  sizeof p->functions[0]))
        return fail(r, damaged);
    return true;
}

static void read_line(struct reading *r, struct reader message) {
    struct pprof *p = r->p;
    struct pprof_line line = {.function = PPROF_NONE};
    struct field f;
    while (next_field(&message, &f))
        if (f.number == LINE_FUNCTION)
            line.function = index_of(&r->functions, f.value);
        else if (f.number == LINE_LINE)
            line.line = (int64_t)f.value;
    if (message.bad || line.function == PPROF_NONE) {
        fail(r, damaged);
        return;
    }
    p->lines = store_grow(p->lines, p->nlines, &p->lines_max, sizeof line);
    p->lines[p->nlines++] = line;
}

static void read_location(struct reading *r, struct reader message) {
    struct pprof *p = r->p;
    struct pprof_location l = {.mapping = PPROF_NONE,
                               .first_line = (uint32_t)p->nlines};
    struct field f;
    while (next_field(&message, &f))
        switch (f.number) {
        case LOCATION_ID:
            l.id = f.value;
            break;
        case LOCATION_MAPPING:
            l.mapping = index_of(&r->mappings, f.value);
            if (f.value != 0 && l.mapping == PPROF_NONE)
                fail(r, damaged);
            break;
        case LOCATION_ADDRESS:
            l.address = f.value;
            break;
        case LOCATION_LINE:
            if (p->nlines - l.first_line < LINES_MAX)
                read_line(r, f.bytes);
            break;
        }
    l.nlines = (uint32_t)p->nlines - l.first_line;
    p->locations =
        store_grow(p->locations, p->nlocations, &p->locations_max, sizeof l);
    p->locations[p->nlocations++] = l;
    if (message.bad || l.id == 0)
        fail(r, damaged);
}

static void read_locations(struct reading *r) {
    struct reader file = r->file;
    struct field f;
    while (next_field(&file, &f) && r->wrong == NULL)
        if (f.number == PROFILE_LOCATION)
            read_location(r, f.bytes);
    if (!sort_ids(&r->locations, r->p->locations, r->p->nlocations,
                  sizeof r->p->locations[0]))
        fail(r, damaged);
}

// read_label reads the object size of a sample.
static void read_label(struct reading *r, struct reader message,
                       struct pprof_sample *s) {
    struct field f;
    uint32_t key = 0;
    uint64_t number = 0;
    while (next_field(&message, &f))
        if (f.number == LABEL_KEY)
            key = string_of(r, f.value);
        else if (f.number == LABEL_NUM)
            number = f.value;
    if (key == r->bytes_label)
        s->size = number;
}

static void read_sample(struct reading *r, struct reader message) {
    struct pprof *p = r->p;
    struct pprof_sample s = {.first = (uint32_t)p->nstack};
    struct field f;
    uint64_t number;
    size_t nvalues = 0;
    while (next_field(&message, &f)) {
        if (f.number == SAMPLE_LABEL) {
            read_label(r, f.bytes, &s);
        } else if (f.number == SAMPLE_LOCATION) {
            while (next_number(&f, &number)) {
                uint32_t location = index_of(&r->locations, number);
                if (location == PPROF_NONE)
                    fail(r, damaged);
                if (s.n == STACK_MAX) // its outer part is left out
                    continue;
                p->stack = store_grow(p->stack, p->nstack, &p->stack_max,
                                      sizeof location);
                p->stack[p->nstack++] = location;
                s.n++;
            }
        } else if (f.number == SAMPLE_VALUE) {
            while (next_number(&f, &number)) {
                if (nvalues == r->ncolumns) {
                    fail(r, damaged);
                    break;
                }
                enum pprof_value value = r->columns[nvalues++];
                if (value != PPROF_VALUES)
                    s.values[value] = (int64_t)number;
            }
        }
        if (f.bytes.bad)
            fail(r, damaged);
    }
    if (message.bad || nvalues != r->ncolumns)
        fail(r, damaged);
    p->samples = store_grow(p->samples, p->nsamples, &p->samples_max, sizeof s);
    p->samples[p->nsamples++] = s;
}

static void read_samples(struct reading *r) {
    struct reader file = r->file;
    struct field f;
    while (next_field(&file, &f) && r->wrong == NULL)
        if (f.number == PROFILE_SAMPLE)
            read_sample(r, f.bytes);
}

const char *pprof_parse_unpacked(const struct bytes *b, struct pprof *p) {
    struct reading r = {.p = p};
    r.file.at = (const uint8_t *)b->at;
    r.file.end = r.file.at + b->n;
    if (read_strings(&r) && read_about(&r)) {
        read_locations(&r);
        if (r.wrong == NULL)
            read_samples(&r);
    }
    free(r.strings);
    free(r.mappings.all);
    free(r.functions.all);
    free(r.locations.all);
    return r.wrong;
}
