// value.c: see value.h. Like options.c, it calls no string functions of the C library.
#include "runtime/value.h"

#include "base/print.h"
#include "base/str.h"

static void complain(const char *name, const char *value, const char *why,
                     const char *allowed) {
    struct print out = print_to(2);
    print_str(&out, "mound: ");
    print_str(&out, name);
    print_str(&out, "=");
    // A value may be anything: print at most 64 bytes of it, on one line.
    for (size_t i = 0; i < 64 && value[i] != '\0'; i++)
        print_char(&out, value[i] >= ' ' && value[i] < 0x7f ? value[i] : '?');
    print_str(&out, ": ");
    print_str(&out, why);
    print_str(&out, allowed);
    print_str(&out, "; using the default\n");
    print_flush(&out);
}

void value_complain(const char *name, const char *value, const char *allowed) {
    complain(name, value, "not understood, expected ", allowed);
}

void value_complain_why(const char *name, const char *value, const char *why) {
    complain(name, value, why, "");
}

bool value_number(const char *text, uint64_t *ret, const char **ret_rest) {
    uint64_t n = 0;
    const char *s = text;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
            return false;
    *ret = n;
    *ret_rest = s;
    return s > text;
}

bool value_is_path(const char *value) {
    return str_find(value, '/') != NULL || str_find(value, '.') != NULL ||
           str_find(value, '%') != NULL;
}

size_t value_word(const char *text) {
    const char *comma = str_find(text, ',');
    return comma != NULL ? (size_t)(comma - text) : str_len(text);
}

bool value_word_is(const char *text, size_t n, const char *word) {
    const char *rest = str_after(text, word);
    return rest != NULL && rest == text + n;
}
