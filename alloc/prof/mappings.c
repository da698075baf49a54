// mappings.c: see mappings.h.
#include "prof/mappings.h"

#include "base/str.h"

void mappings_open(struct mappings *list) {
    maps_open(&list->maps, list->buf, sizeof list->buf);
}

void mappings_close(struct mappings *list) {
    maps_close(&list->maps);
}

// cut_deleted cuts what the kernel puts behind the name of a removed file.
static bool cut_deleted(char *name) {
    static const char mark[] = " (deleted)";
    size_t n = str_len(name);
    size_t nmark = sizeof mark - 1;
    if (n < nmark || !str_same(name + n - nmark, mark))
        return false;
    name[n - nmark] = '\0';
    return true;
}

bool mappings_next(struct mappings *list, struct mapping *ret_mapping) {
    struct maps_line l;
    do {
        if (!maps_next(&list->maps, &l))
            return false;
    } while (!l.executable || (l.no_file && l.name[0] == '\0'));
    bool deleted = cut_deleted(l.name);
    *ret_mapping =
        (struct mapping){l.start, l.limit, l.offset, l.name, deleted};
    return true;
}

size_t mappings_next_text(struct mappings *list, const char **ret_text) {
    return maps_next_text(&list->maps, ret_text);
}

size_t mappings_build_id(const struct mapping *m, char ret_text[BUILDID_TEXT]) {
    return m->name[0] != '/' || m->deleted ? 0
                                           : buildid_of_file(m->name, ret_text);
}
