// str.h: functions on NUL-terminated text. The C library's are not used: each
// would cost every start about 600 instructions in the loader, and sanitizers
// intercept them with functions that are not ready at our start.
#ifndef MOUND_BASE_STR_H
#define MOUND_BASE_STR_H

#include "base/compiler.h"

// str_same is strcmp(a, b) == 0.
static inline bool str_same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

// str_after returns what follows prefix in text, or NULL if text does not begin
// with it.
static inline const char *str_after(const char *text, const char *prefix) {
    for (; *prefix != '\0'; text++, prefix++)
        if (*text != *prefix)
            return NULL;
    return text;
}

// Like strlen, and like strchr and strrchr for a char other than NUL.
size_t str_len(const char *s);
char *str_find(const char *s, char c);
char *str_find_last(const char *s, char c);

#endif // MOUND_BASE_STR_H
