// str.h: what is done with text that ends in a NUL. The C library's functions are not
// called: each would cost every start some 600 instructions in the loader, and a
// sanitizer has its own in front of them, which are not ready at our start.
#ifndef MOUND_BASE_STR_H
#define MOUND_BASE_STR_H

#include "base/compiler.h"

// As strcmp, for equality.
static inline bool str_same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

// str_after returns what follows prefix in text, or NULL: it does not begin so.
static inline const char *str_after(const char *text, const char *prefix) {
    for (; *prefix != '\0'; text++, prefix++)
        if (*text != *prefix)
            return NULL;
    return text;
}

// As strlen, and as strchr and strrchr for a char that is not NUL.
size_t str_len(const char *s);
char *str_find(const char *s, char c);
char *str_find_last(const char *s, char c);

#endif // MOUND_BASE_STR_H
