// statistics.c: see statistics.h.
#include "statistics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"
#include "prof/parts.h"
#include "store.h"
#include "target.h"

enum { JSON_BYTES_MAX = 1 << 24 };

static void set(struct statistics *s, enum statistics_figure figure,
                uint64_t value) {
    s->figures[figure] = value;
    s->known[figure] = true;
}

// From a page.

static void take_class(struct statistics *s, const struct mound_page *page,
                       unsigned i) {
    const struct mound_page_class *c = &page->stats.classes[i];
    if (c->mallocs > 0)
        s->classes[s->nclasses++] = (struct statistics_class){
            c->size, c->live, c->live_bytes, parts_waste(page, i), c->mallocs};
}

static void take_page(struct statistics *s, const struct mound_page *page) {
    const struct mound_page_stats *st = &page->stats;
    struct parts parts;
    uint64_t objects = 0;
    parts_of(page, &parts);
    memcpy(s->program, page->identity.program, sizeof s->program - 1);
    s->pid = page->identity.pid;
    s->seconds = (double)parts_duration(page) / 1e9;
    set(s, STATISTICS_RSS, parts.rss);
    set(s, STATISTICS_LIVE, parts.live);
    if (parts.rounding_known)
        set(s, STATISTICS_ROUNDING, parts.rounding);
    set(s, STATISTICS_FREE_SLOTS, parts.holes);
    set(s, STATISTICS_CACHES, parts.caches);
    set(s, STATISTICS_IDLE, parts.idle);
    set(s, STATISTICS_RECORDS, parts.records);
    set(s, STATISTICS_OTHER, parts.other);
    set(s, STATISTICS_RSS_PEAK, st->rss_peak);
    for (unsigned i = 0; i < MOUND_PAGE_CLASSES; i++) {
        objects += st->classes[i].live;
        take_class(s, page, i);
    }
    set(s, STATISTICS_OBJECTS, objects);
    set(s, STATISTICS_MALLOCS, st->mallocs);
    set(s, STATISTICS_FREES, st->frees);
}

// From JSON.

static uint64_t whole(double value) {
    const double most = 0x1p63;
    return value >= 0 && value < most ? (uint64_t)value : 0;
}

// set_class sets the figure "mound.classes.N.NAME".
static void set_class(struct statistics *s, const char *rest, double value) {
    char *name;
    unsigned long i = strtoul(rest, &name, 10);
    if (i >= MOUND_PAGE_CLASSES || *name != '.')
        return;
    struct statistics_class *c = &s->classes[i];
    if (i >= s->nclasses)
        s->nclasses = i + 1;
    name++;
    if (strcmp(name, "size") == 0)
        c->size = whole(value);
    else if (strcmp(name, "live") == 0)
        c->live = whole(value);
    else if (strcmp(name, "live_bytes") == 0)
        c->live_bytes = whole(value);
    else if (strcmp(name, "mallocs") == 0)
        c->mallocs = whole(value);
    else if (strcmp(name, "free_bytes") == 0 ||
             strcmp(name, "cached_bytes") == 0 || strcmp(name, "rounding") == 0)
        c->waste += whole(value);
}

static void number(void *argument, const char *path, double value) {
    static const struct {
        const char *path;
        enum statistics_figure figure;
    } all[] = {
        {"mound.rss", STATISTICS_RSS},
        {"mound.rss_peak", STATISTICS_RSS_PEAK},
        {"mound.parts.live", STATISTICS_LIVE},
        {"mound.parts.rounding", STATISTICS_ROUNDING},
        {"mound.parts.free_slots", STATISTICS_FREE_SLOTS},
        {"mound.parts.caches", STATISTICS_CACHES},
        {"mound.parts.idle", STATISTICS_IDLE},
        {"mound.parts.records", STATISTICS_RECORDS},
        {"mound.parts.not_mound", STATISTICS_OTHER},
        {"memstats.HeapObjects", STATISTICS_OBJECTS},
        {"memstats.Mallocs", STATISTICS_MALLOCS},
        {"memstats.Frees", STATISTICS_FREES},
    };
    static const char classes[] = "mound.classes.";
    struct statistics *s = argument;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(path, all[i].path) == 0)
            set(s, all[i].figure, whole(value));
    if (strcmp(path, "mound.pid") == 0)
        s->pid = whole(value);
    else if (strcmp(path, "mound.duration") == 0 && value >= 0)
        s->seconds = value;
    else if (strncmp(path, classes, sizeof classes - 1) == 0)
        set_class(s, path + sizeof classes - 1, value);
}

static void text(void *argument, const char *path, const char *value) {
    struct statistics *s = argument;
    if (strcmp(path, "mound.program") == 0)
        snprintf(s->program, sizeof s->program, "%s", value);
}

static const char *read_json(FILE *f, struct statistics *ret) {
    const struct json_visitor visitor = {ret, number, text};
    char *data = store_new(JSON_BYTES_MAX);
    size_t n = fread(data, 1, JSON_BYTES_MAX, f);
    const char *wrong = NULL;
    if (ferror(f))
        wrong = strerror(errno);
    else if (n == JSON_BYTES_MAX)
        wrong = "it has more than 16 MiB, too many for statistics";
    else
        wrong = json_read(data, n, &visitor);
    free(data);
    if (wrong == NULL && !ret->known[STATISTICS_RSS] &&
        !ret->known[STATISTICS_MALLOCS])
        wrong = "these are not statistics of mound";
    return wrong;
}

static bool open_json(const char *path, struct statistics *ret) {
    FILE *f = fopen(path, "re");
    const char *wrong = f == NULL ? strerror(errno) : read_json(f, ret);
    if (f != NULL)
        fclose(f);
    if (wrong != NULL)
        message_error("%s: %s", path, wrong);
    return wrong == NULL;
}

bool statistics_is_json(const char *path) {
    FILE *f = fopen(path, "re");
    int c = EOF;
    if (f != NULL) {
        c = getc(f);
        fclose(f);
    }
    return c == '{';
}

bool statistics_read(const char *what, struct statistics *ret) {
    struct target target;
    *ret = (struct statistics){.pid = 0};
    if (what[0] != '\0' && what[strspn(what, "0123456789")] != '\0' &&
        statistics_is_json(what))
        return open_json(what, ret);
    if (!target_open(what, &target))
        return false;
    take_page(ret, &target.page);
    target_close(&target);
    return true;
}
