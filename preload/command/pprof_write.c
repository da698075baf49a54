// pprof_write.c: writes a struct pprof as a file: see pprof.h.
#include "pprof.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "prof/pprof_fields.h"

static void put_varint(struct bytes *b, uint64_t value) {
    enum { STEP = 7, MORE = 0x80 };
    uint8_t out[10];
    size_t n = 0;
    for (; value >= MORE; value >>= STEP)
        out[n++] = (uint8_t)(value | MORE);
    out[n++] = (uint8_t)value;
    bytes_add(b, out, n);
}

// put_int omits 0, which is the default for readers.
static void put_int(struct bytes *b, unsigned field, uint64_t value) {
    if (value == 0)
        return;
    put_varint(b, field << 3 | WIRE_VARINT);
    put_varint(b, value);
}

static void put_bytes(struct bytes *b, unsigned field, const void *from,
                      size_t n) {
    put_varint(b, field << 3 | WIRE_BYTES);
    put_varint(b, n);
    bytes_add(b, from, n);
}

// put_message appends a message as a field, and empties it.
static void put_message(struct bytes *b, unsigned field,
                        struct bytes *message) {
    put_bytes(b, field, message->at, message->n);
    message->n = 0;
}

struct writing {
    const struct pprof *p;
    struct bytes out;
    struct bytes message;
    struct bytes part;
    struct intern strings; // of the file: the used ones
};

static uint64_t string(struct writing *w, uint32_t number) {
    return intern_add(&w->strings, pprof_text(w->p, number));
}

static void put_value_type(struct writing *w, unsigned field, const char *type,
                           const char *unit) {
    put_int(&w->message, VALUE_TYPE_TYPE, intern_add(&w->strings, type));
    put_int(&w->message, VALUE_TYPE_UNIT, intern_add(&w->strings, unit));
    put_message(&w->out, field, &w->message);
}

// put_about writes the sample types in Go's order: programs show the last one by default.
static void put_about(struct writing *w) {
    static const unsigned type = PROFILE_SAMPLE_TYPE;
    put_value_type(w, type, "alloc_objects", "count");
    put_value_type(w, type, "alloc_space", "bytes");
    put_value_type(w, type, "inuse_objects", "count");
    put_value_type(w, type, "inuse_space", "bytes");
    put_value_type(w, PROFILE_PERIOD_TYPE, "space", "bytes");
    put_int(&w->out, PROFILE_PERIOD, w->p->rate);
    put_int(&w->out, PROFILE_TIME_NANOS, w->p->time_ns);
    put_int(&w->out, PROFILE_DURATION_NANOS, w->p->duration_ns);
    put_int(&w->out, PROFILE_DROP_FRAMES, string(w, w->p->drop_frames));
}

static void put_mappings(struct writing *w) {
    for (size_t i = 0; i < w->p->nmappings; i++) {
        const struct pprof_mapping *m = &w->p->mappings[i];
        put_int(&w->message, MAPPING_ID, i + 1);
        put_int(&w->message, MAPPING_START, m->start);
        put_int(&w->message, MAPPING_LIMIT, m->limit);
        put_int(&w->message, MAPPING_OFFSET, m->offset);
        put_int(&w->message, MAPPING_FILENAME, string(w, m->file));
        put_int(&w->message, MAPPING_BUILD_ID, string(w, m->build_id));
        put_int(&w->message, MAPPING_HAS_FUNCTIONS, m->named);
        put_int(&w->message, MAPPING_HAS_FILENAMES, m->has_lines);
        put_int(&w->message, MAPPING_HAS_LINES, m->has_lines);
        put_int(&w->message, MAPPING_HAS_INLINE, m->has_inline);
        put_message(&w->out, PROFILE_MAPPING, &w->message);
    }
}

static void put_locations(struct writing *w) {
    for (size_t i = 0; i < w->p->nlocations; i++) {
        const struct pprof_location *l = &w->p->locations[i];
        put_int(&w->message, LOCATION_ID, i + 1);
        if (l->mapping != PPROF_NONE)
            put_int(&w->message, LOCATION_MAPPING, l->mapping + 1);
        put_int(&w->message, LOCATION_ADDRESS, l->address);
        for (uint32_t k = 0; k < l->nlines; k++) {
            const struct pprof_line *line = &w->p->lines[l->first_line + k];
            put_int(&w->part, LINE_FUNCTION, line->function + 1);
            put_int(&w->part, LINE_LINE, (uint64_t)line->line);
            put_message(&w->message, LOCATION_LINE, &w->part);
        }
        put_message(&w->out, PROFILE_LOCATION, &w->message);
    }
}

static void put_functions(struct writing *w) {
    for (size_t i = 0; i < w->p->nfunctions; i++) {
        const struct pprof_function *f = &w->p->functions[i];
        put_int(&w->message, FUNCTION_ID, i + 1);
        put_int(&w->message, FUNCTION_NAME, string(w, f->name));
        put_int(&w->message, FUNCTION_SYSTEM_NAME, string(w, f->system_name));
        put_int(&w->message, FUNCTION_FILENAME, string(w, f->file));
        put_message(&w->out, PROFILE_FUNCTION, &w->message);
    }
}

static void put_samples(struct writing *w) {
    static const enum pprof_value columns[] = {
        PPROF_ALLOC_OBJECTS, PPROF_ALLOC_SPACE, PPROF_INUSE_OBJECTS,
        PPROF_INUSE_SPACE};
    for (size_t i = 0; i < w->p->nsamples; i++) {
        const struct pprof_sample *s = &w->p->samples[i];
        for (uint32_t k = 0; k < s->n; k++)
            put_varint(&w->part, w->p->stack[s->first + k] + 1);
        put_message(&w->message, SAMPLE_LOCATION, &w->part);
        for (size_t k = 0; k < sizeof columns / sizeof columns[0]; k++)
            put_varint(&w->part, (uint64_t)s->values[columns[k]]);
        put_message(&w->message, SAMPLE_VALUE, &w->part);
        if (s->size > 0) {
            put_int(&w->part, LABEL_KEY, intern_add(&w->strings, "bytes"));
            put_int(&w->part, LABEL_NUM, s->size);
            put_message(&w->message, SAMPLE_LABEL, &w->part);
        }
        put_message(&w->out, PROFILE_SAMPLE, &w->message);
    }
}

// pack compresses; without memory for that it writes no gzip, which programs accept too.
static void pack(const struct bytes *b, struct bytes *ret) {
    enum { WINDOW_GZIP = 15 + 16, MEMORY = 8, CHUNK = 1 << 16 };
    z_stream z = {.next_in = (Bytef *)b->at, .avail_in = (uInt)b->n};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        bytes_add(ret, b->at, b->n);
        return;
    }
    int state = Z_OK;
    while (state == Z_OK) {
        Bytef chunk[CHUNK];
        z.next_out = chunk;
        z.avail_out = CHUNK;
        state = deflate(&z, Z_FINISH);
        bytes_add(ret, chunk, CHUNK - z.avail_out);
    }
    deflateEnd(&z);
}

void pprof_write(const struct pprof *p, struct bytes *ret) {
    struct writing w = {.p = p};
    intern_init(&w.strings);
    put_about(&w);
    put_mappings(&w);
    put_locations(&w);
    put_functions(&w);
    put_samples(&w);
    for (size_t i = 0; i < w.strings.n; i++) {
        const char *text = w.strings.texts[i];
        put_bytes(&w.out, PROFILE_STRING_TABLE, text, strlen(text));
    }
    pack(&w.out, ret);
    bytes_free(&w.out);
    bytes_free(&w.message);
    bytes_free(&w.part);
    intern_free(&w.strings);
}
