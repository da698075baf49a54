// flame.c: see flame.h.
#include "flame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "page_files.h"

enum {
    PIXELS = 4000, // the width of a wide screen
    NODES_MAX = 30000,
    NAME_BYTES = 400,
};

void flame_head(struct bytes *out, const char *title, const char *const *facts,
                size_t n) {
    bytes_add_text(out, "{\"mound\":\"head\",\"version\":1,\"title\":");
    json_string(out, title);
    bytes_add_text(out, ",\"facts\":[");
    for (size_t i = 0; i < n; i++) {
        bytes_add_text(out, i > 0 ? "," : "");
        json_string(out, facts[i]);
    }
    bytes_add_text(out, "]}\n");
}

// struct weight is the width of a node: the sums of all additions and subtractions
// below it.
struct weight {
    uint64_t values[PPROF_VALUES];
};

static uint64_t magnitude(int64_t value) {
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static struct weight *weights_of(const struct calltree *t) {
    struct weight *w = store_new(t->n * sizeof w[0]);
    for (size_t i = t->n; i-- > 0;) // children come after their parents
        for (size_t k = 0; k < PPROF_VALUES; k++) {
            w[i].values[k] += magnitude(t->nodes[i].self[k]);
            if (i > 0)
                w[t->nodes[i].parent].values[k] += w[i].values[k];
        }
    return w;
}

// is_seen says whether a node is at least 1 / parts as wide as the root, by some value.
static bool is_seen(const struct weight *w, const struct weight *all,
                    double parts) {
    for (size_t k = 0; k < PPROF_VALUES; k++)
        if (w->values[k] > 0 &&
            (double)w->values[k] * parts >= (double)all->values[k])
            return true;
    return false;
}

// choose numbers the nodes that are shown; the others get 0. No node is wider than its
// parent, so the parent of a shown node is shown too.
static size_t choose(const struct calltree *t, const struct weight *w,
                     uint32_t *numbers) {
    size_t n;
    double parts = 2 * PIXELS;
    do {
        parts /= 2;
        n = 1;
        for (size_t i = 1; i < t->n; i++)
            numbers[i] = is_seen(&w[i], &w[0], parts) ? (uint32_t)n++ : 0;
    } while (n > NODES_MAX && parts > 1);
    return n;
}

static void put_numbers(struct bytes *out, const struct calltree *t,
                        const struct weight *w, const uint32_t *numbers,
                        size_t value, bool weights) {
    bytes_add_text(out, value == 0 ? "[" : ",[");
    for (size_t i = 0; i < t->n; i++)
        if (i == 0 || numbers[i] != 0) {
            if (i > 0)
                bytes_add_text(out, ",");
            if (weights)
                bytes_printf(out, "%" PRIu64, w[i].values[value]);
            else
                bytes_printf(out, "%" PRId64, t->nodes[i].total[value]);
        }
    bytes_add_text(out, "]");
}

// put_name adds a name, cut to NAME_BYTES.
static void put_name(struct bytes *out, const char *name) {
    char *text = store_copy(name, strnlen(name, NAME_BYTES));
    json_string(out, text);
    free(text);
}

static void put_names(struct bytes *out, const struct calltree *t,
                      const uint32_t *numbers) {
    struct intern names;
    intern_init(&names);
    bytes_add_text(out, ",\"function\":[0");
    for (size_t i = 1; i < t->n; i++)
        if (numbers[i] != 0)
            bytes_printf(out, ",%" PRIu32,
                         intern_add(&names, calltree_name(t, (uint32_t)i)));
    bytes_add_text(out, "],\"names\":[\"\"");
    for (size_t i = 1; i < names.n; i++) {
        bytes_add_text(out, ",");
        put_name(out, names.texts[i]);
    }
    bytes_add_text(out, "]");
    intern_free(&names);
}

void flame_profile(struct bytes *out, const struct calltree *t,
                   const char *name, const char *about, double seconds,
                   bool is_diff) {
    struct weight *w = weights_of(t);
    uint32_t *numbers = store_new(t->n * sizeof numbers[0]);
    choose(t, w, numbers);
    bytes_add_text(out, "{\"mound\":\"profile\",\"name\":");
    json_string(out, name);
    bytes_add_text(out, ",\"about\":");
    json_string(out, about);
    if (seconds >= 0)
        bytes_printf(out, ",\"seconds\":%.3f", seconds);
    bytes_add_text(out, ",\"parent\":[0");
    for (size_t i = 1; i < t->n; i++)
        if (numbers[i] != 0)
            bytes_printf(out, ",%" PRIu32, numbers[t->nodes[i].parent]);
    bytes_add_text(out, "]");
    put_names(out, t, numbers);
    bytes_add_text(out, ",\"total\":[");
    for (size_t k = 0; k < PPROF_VALUES; k++)
        put_numbers(out, t, w, numbers, k, false);
    if (is_diff) {
        bytes_add_text(out, "],\"width\":[");
        for (size_t k = 0; k < PPROF_VALUES; k++)
            put_numbers(out, t, w, numbers, k, true);
    }
    bytes_add_text(out, "]}\n");
    free(w);
    free(numbers);
}

// put_objects adds them separated by commas. "<" occurs only in texts, where it is
// escaped, so no text can end the HTML element.
static void put_objects(struct bytes *out, const struct bytes *objects) {
    bytes_add_text(out, "[");
    for (size_t i = 0; i < objects->n; i++) {
        char c = objects->at[i];
        if (c == '<')
            bytes_add_text(out, "\\u003c");
        else if (c == '\n' && i + 1 < objects->n)
            bytes_add_text(out, ",\n");
        else
            bytes_add(out, &c, 1);
    }
    bytes_add_text(out, "]");
}

void flame_page(struct bytes *out, const struct bytes *objects) {
    static const char *const scripts[] = {tools_js, flame_js, series_js,
                                          page_js};
    bytes_add_text(
        out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width\">\n"
             // The page loads nothing, whatever its names contain.
             "<meta http-equiv=\"Content-Security-Policy\" "
             "content=\"default-src 'none'; style-src 'unsafe-inline'; "
             "script-src 'unsafe-inline'\">\n<title>mound</title>\n<style>\n");
    bytes_add_text(out, page_css);
    bytes_add_text(out, "</style>\n<body>\n<script id=\"data\" "
                        "type=\"application/json\">\n");
    put_objects(out, objects);
    bytes_add_text(out, "\n</script>\n<script>\n");
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        bytes_add_text(out, scripts[i]);
    bytes_add_text(out, "</script>\n</html>\n");
}
