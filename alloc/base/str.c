// str.c: see str.h.
#include "base/str.h"

// A compiler that recognises such a loop makes it a call of strlen.
__attribute__((optimize("no-tree-loop-distribute-patterns"))) size_t
str_len(const char *s) {
    const char *end = s;
    while (*end != '\0')
        end++;
    return (size_t)(end - s);
}

char *str_find(const char *s, char c) {
    for (; *s != '\0'; s++)
        if (*s == c)
            return (char *)(uintptr_t)s;
    return NULL;
}

char *str_find_last(const char *s, char c) {
    char *last = NULL;
    for (; *s != '\0'; s++)
        if (*s == c)
            last = (char *)(uintptr_t)s;
    return last;
}
