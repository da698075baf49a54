// record.c: see record.h.
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"
#include "prof/parts.h"

enum { FILE_BYTES_MAX = 1 << 28 };

void record_sample(struct bytes *out, const struct series_point *point) {
    const struct parts *p = &point->parts;
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"rss", p->rss},           {"live", p->live},
        {"rounding", p->rounding}, {"holes", p->holes},
        {"caches", p->caches},     {"idle", p->idle},
        {"records", p->records},   {"other", p->other},
        {"absent", p->absent},     {"mallocs", point->mallocs},
        {"frees", point->frees},
    };
    bytes_printf(out, "{\"mound\":\"sample\",\"seconds\":%.3f", point->seconds);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        bytes_printf(out, ",\"%s\":%" PRIu64, fields[i].name, fields[i].value);
    bytes_add_text(out, "}\n");
}

// struct row is a class; rows are sorted by waste.
struct row {
    uint64_t waste;
    unsigned class;
};

static int by_waste(const void *a, const void *b) {
    const struct row *x = a;
    const struct row *y = b;
    if (x->waste != y->waste)
        return x->waste > y->waste ? -1 : 1;
    return x->class < y->class ? -1 : x->class > y->class;
}

void record_classes(struct bytes *out, const struct mound_page *page) {
    struct row rows[MOUND_PAGE_CLASSES];
    size_t n = 0;
    for (unsigned i = 0; i < MOUND_PAGE_CLASSES; i++)
        if (page->stats.classes[i].mallocs > 0)
            rows[n++] = (struct row){parts_waste(page, i), i};
    qsort(rows, n, sizeof rows[0], by_waste);
    bytes_add_text(out, "{\"mound\":\"classes\",\"rows\":[");
    for (size_t i = 0; i < n; i++) {
        const struct mound_page_class *c = &page->stats.classes[rows[i].class];
        bytes_printf(out, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",",
                     i > 0 ? "," : "", c->size, c->live, c->live_bytes);
        if (c->rounding <= c->live_bytes)
            bytes_printf(out, "%" PRIu64, c->rounding);
        else
            bytes_add_text(out, "null");
        bytes_printf(out, ",%" PRIu64 "]",
                     parts_cached(page, rows[i].class) +
                         parts_free(page, rows[i].class));
    }
    bytes_add_text(out, "]}\n");
}

void record_end(struct bytes *out, const char *text) {
    bytes_add_text(out, "{\"mound\":\"end\",\"text\":");
    json_string(out, text);
    bytes_add_text(out, "}\n");
}

// Reading.

static const char *read_lines(FILE *f, struct bytes *ret) {
    static const char begin[] = "{\"mound\":\"";
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    const char *wrong = NULL;
    while (wrong == NULL && (n = getline(&line, &capacity, f)) > 0) {
        // A program that was killed may leave half a line.
        if (line[n - 1] != '\n')
            break;
        if (strncmp(line, begin, sizeof begin - 1) != 0 ||
            json_read(line, (size_t)n - 1, NULL) != NULL)
            wrong = "this is not what mound record writes";
        else
            bytes_add(ret, line, (size_t)n);
        if (ret->n > FILE_BYTES_MAX)
            wrong = "it has more than 256 MiB";
    }
    free(line);
    if (wrong == NULL && ferror(f))
        wrong = strerror(errno);
    return wrong != NULL ? wrong
           : ret->n == 0 ? "this is not what mound record writes"
                         : NULL;
}

bool record_read(const char *path, struct bytes *ret) {
    FILE *f = fopen(path, "re");
    const char *wrong = f == NULL ? strerror(errno) : read_lines(f, ret);
    if (f != NULL)
        fclose(f);
    if (wrong != NULL) {
        message_error("%s: %s", path, wrong);
        bytes_free(ret);
    }
    return wrong == NULL;
}
