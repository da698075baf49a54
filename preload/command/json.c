// json.c: see json.h.
#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, PATH_MAX_BYTES = 512, TEXT_MAX_BYTES = 1 << 16 };

// Writing.

// utf8_length returns how many bytes at s are one character, or 0.
static size_t utf8_length(const unsigned char *s) {
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (s[0] == 0xe0 && s[1] < 0xa0) || // overlong
                 (s[0] == 0xed && s[1] > 0x9f) || // a surrogate
                 (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
    return wrong ? 0 : n;
}

void json_string(struct bytes *out, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    bytes_add_text(out, "\"");
    while (*s != '\0') {
        size_t n = utf8_length(s);
        if (n == 0) {
            bytes_add_text(out, "\\ufffd");
            n = 1;
        } else if (*s < ' ' || strchr("<>&\"\\\x7f", *s) != NULL) {
            bytes_printf(out, "\\u%04x", *s);
        } else {
            bytes_add(out, s, n);
        }
        s += n;
    }
    bytes_add_text(out, "\"");
}

// Reading.

struct reading {
    const char *at;
    const char *end;
    const struct json_visitor *visitor;
    unsigned depth;
    char path[PATH_MAX_BYTES];
    size_t npath;
    struct bytes text; // the last one, ends in 0
};

static bool read_value(struct reading *r);

static void skip_blanks(struct reading *r) {
    while (r->at < r->end && strchr(" \t\r\n", *r->at) != NULL && *r->at != 0)
        r->at++;
}

static bool take(struct reading *r, char c) {
    skip_blanks(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take_word(struct reading *r, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

// read_escape reads what follows a backslash. Characters outside ASCII become '?': no
// name that is looked for has any.
static bool read_escape(struct reading *r) {
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    enum { DIGITS = 4 };
    if (r->at == r->end)
        return false;
    char c = *r->at++;
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    if (letter != NULL) {
        bytes_add(&r->text, &meant[letter - letters], 1);
        return true;
    }
    if (c != 'u' || r->end - r->at < DIGITS)
        return false;
    char digits[DIGITS + 1] = {0};
    memcpy(digits, r->at, DIGITS);
    if (strspn(digits, "0123456789abcdefABCDEF") != DIGITS)
        return false;
    long code = strtol(digits, NULL, 16);
    c = code > 0 && code < 0x80 ? (char)code : '?';
    bytes_add(&r->text, &c, 1);
    r->at += DIGITS;
    return true;
}

// read_text reads a text into r->text.
static bool read_text(struct reading *r) {
    r->text.n = 0;
    if (!take(r, '"'))
        return false;
    while (r->at < r->end && *r->at != '"') {
        char c = *r->at++;
        if ((unsigned char)c < ' ' || r->text.n > TEXT_MAX_BYTES)
            return false;
        if (c != '\\')
            bytes_add(&r->text, &c, 1);
        else if (!read_escape(r))
            return false;
    }
    bytes_add(&r->text, "", 1);
    return take(r, '"');
}

// enter appends a name to the path and returns the previous length, for leave.
static size_t enter(struct reading *r, const char *name) {
    size_t before = r->npath;
    size_t n = strlen(name);
    if (n + 2 < PATH_MAX_BYTES - r->npath) { // else the path stays its parent's
        if (before > 0)
            r->path[r->npath++] = '.';
        memcpy(r->path + r->npath, name, n);
        r->npath += n;
    }
    r->path[r->npath] = '\0';
    return before;
}

static void leave(struct reading *r, size_t before) {
    r->npath = before;
    r->path[before] = '\0';
}

static bool read_object(struct reading *r) {
    if (take(r, '}'))
        return true;
    do {
        if (!read_text(r) || !take(r, ':'))
            return false;
        size_t before = enter(r, r->text.at);
        if (!read_value(r))
            return false;
        leave(r, before);
    } while (take(r, ','));
    return take(r, '}');
}

static bool read_array(struct reading *r) {
    if (take(r, ']'))
        return true;
    unsigned index = 0;
    do {
        char *name = store_printf("%u", index++);
        size_t before = enter(r, name);
        free(name);
        if (!read_value(r))
            return false;
        leave(r, before);
    } while (take(r, ','));
    return take(r, ']');
}

static bool read_number(struct reading *r) {
    enum { DIGITS_MAX = 64 };
    char digits[DIGITS_MAX + 1];
    size_t n = 0;
    while (r->at < r->end && n < DIGITS_MAX && *r->at != '\0' &&
           strchr("+-.0123456789eE", *r->at) != NULL)
        digits[n++] = *r->at++;
    digits[n] = '\0';
    char *end = digits;
    double value = strtod(digits, &end);
    if (n == 0 || *end != '\0' || digits[0] == '+' || digits[0] == '.')
        return false;
    if (r->visitor != NULL && r->visitor->number != NULL)
        r->visitor->number(r->visitor->argument, r->path, value);
    return true;
}

static bool read_value(struct reading *r) {
    skip_blanks(r);
    if (r->at == r->end || r->depth == DEPTH_MAX)
        return false;
    bool ok;
    r->depth++;
    if (*r->at == '"') {
        ok = read_text(r);
        if (ok && r->visitor != NULL && r->visitor->text != NULL)
            r->visitor->text(r->visitor->argument, r->path, r->text.at);
    } else if (take(r, '{')) {
        ok = read_object(r);
    } else if (take(r, '[')) {
        ok = read_array(r);
    } else {
        ok = take_word(r, "true") || take_word(r, "false") ||
             take_word(r, "null") || read_number(r);
    }
    r->depth--;
    return ok;
}

const char *json_read(const char *s, size_t n,
                      const struct json_visitor *visitor) {
    struct reading r = {.at = s, .end = s + n, .visitor = visitor};
    bool ok = read_value(&r);
    skip_blanks(&r);
    bytes_free(&r.text);
    return ok && r.at == r.end ? NULL : "this is not JSON";
}
