// json.h: JSON, written and read.
#ifndef MOUND_COMMAND_JSON_H
#define MOUND_COMMAND_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

// json_string adds a text in quotes. It may contain any bytes: invalid UTF-8 becomes
// U+FFFD, and "<", ">" and "&" are escaped, so that the text can be in HTML.
void json_string(struct bytes *out, const char *s);

// struct json_visitor is called for each number and text in a document.
struct json_visitor {
    void *argument;
    // path has the names and indices that lead there: "memstats.BySize.3.Size".
    void (*number)(void *argument, const char *path, double value);
    void (*text)(void *argument, const char *path, const char *value);
};

// json_read parses a document of n bytes, which may be any. It returns NULL, or what is
// wrong; the visitor may then have been called for a part. visitor may be NULL.
const char *json_read(const char *s, size_t n,
                      const struct json_visitor *visitor);

#endif // MOUND_COMMAND_JSON_H
