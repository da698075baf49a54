// str.c: see str.h.
#include "base/str.h"

// Without this, the compiler recognises the loop and calls strlen.
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
