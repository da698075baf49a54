// names.c: see names.h.
#include "names.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum {
    SYMBOL_MAX = 1 << 16,
    NAME_MAX_BYTES = 1 << 16,
    ARGUMENTS_MAX = 60, // a hash table of the standard library has a thousand
    DEPTH_MAX = 200,
};

static bool starts_with(const char *s, const char *with) {
    return strncmp(s, with, strlen(with)) == 0;
}

static bool ends_with(const struct bytes *b, const char *with) {
    size_t n = strlen(with);
    return b->n >= n && memcmp(b->at + b->n - n, with, n) == 0;
}

static void trim(struct bytes *b) {
    size_t begin = 0;
    while (begin < b->n && b->at[begin] == ' ')
        begin++;
    while (b->n > begin && b->at[b->n - 1] == ' ')
        b->n--;
    b->n -= begin;
    if (begin > 0)
        memmove(b->at, b->at + begin, b->n);
}

// A C++ name is parsed once, bracket by bracket. A name that cannot be parsed stays
// unchanged.

struct parsing {
    const char *at;
    unsigned depth;
    // Parts of the name outside of all brackets, as offsets.
    size_t begin;   // after the return type
    size_t end;     // before the parameters; 0: there are none
    bool had_group; // some parameters were read
    bool had_operator;
};

// operator_length returns the length of an operator at s that contains brackets.
static size_t operator_length(const char *s) {
    static const char *const all[] = {"<=>", "<<=", ">>=", "<<", ">>", "->*",
                                      "->",  "()",  "<=",  ">=", "<",  ">"};
    static const char word[] = "operator";
    if (!starts_with(s, word))
        return 0;
    s += sizeof word - 1;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (starts_with(s, all[i]))
            return sizeof word - 1 + strlen(all[i]);
    return isalnum((unsigned char)*s) || *s == '_' ? 0 : sizeof word - 1;
}

static char closing(char c) {
    switch (c) {
    case '<':
        return '>';
    case '(':
        return ')';
    case '[':
        return ']';
    case '{':
        return '}';
    }
    return '\0';
}

static bool is_default(const struct bytes *argument) {
    static const char *const all[] = {
        "std::allocator<", "std::char_traits<", "std::default_delete<",
        "std::less<",      "std::hash<",        "std::equal_to<"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (argument->n >= strlen(all[i]) &&
            memcmp(argument->at, all[i], strlen(all[i])) == 0)
            return true;
    return false;
}

// end_argument appends a template argument to list.
static void end_argument(struct bytes *list, struct bytes *argument) {
    trim(argument);
    if (list->n == 0 || !is_default(argument)) {
        if (list->n > 0)
            bytes_add_text(list, ", ");
        else
            bytes_add_text(list, "<");
        bytes_add(list, argument->at, argument->n);
    }
    argument->n = 0;
}

static bool shorten_part(struct parsing *p, char until, struct bytes *out);

// shorten_template parses the text between < and >.
static bool shorten_template(struct parsing *p, struct bytes *out) {
    static const char string[] = "std::__cxx11::basic_string";
    struct bytes list = {0};
    struct bytes argument = {0};
    bool ok = true;
    do {
        ok = shorten_part(p, ',', &argument);
        end_argument(&list, &argument);
    } while (ok && *p->at++ == ',');
    bytes_add_text(&list, ">");
    if (list.n == strlen("<char>") && memcmp(list.at, "<char>", list.n) == 0 &&
        ends_with(out, string)) {
        out->n -= sizeof string - 1;
        bytes_add_text(out, "std::string");
    } else if (list.n <= ARGUMENTS_MAX) {
        bytes_add(out, list.at, list.n);
    } else {
        bytes_add_text(out, "<...>");
    }
    bytes_free(&list);
    bytes_free(&argument);
    return ok;
}

static bool shorten_bracket(struct parsing *p, char open, struct bytes *out) {
    bytes_add(out, &open, 1);
    if (!shorten_part(p, closing(open), out))
        return false;
    bytes_add(out, p->at++, 1);
    return true;
}

// note_outside notes where the name proper begins and ends in a whole name.
static void note_outside(struct parsing *p, const struct bytes *out, char c) {
    char before = out->n > 0 ? out->at[out->n - 1] : ' ';
    if (c == ' ' && !p->had_group && !p->had_operator) {
        p->begin = out->n + 1;
    } else if (c == '(' && before != ' ' && before != ':') {
        p->had_group = true;
        p->end = out->n;
    } else if (c == ':') { // they were an enclosing function's
        p->end = 0;
    }
}

static bool is_blank(const struct bytes *b, size_t from) {
    for (size_t i = from; i < b->n; i++)
        if (b->at[i] != ' ')
            return false;
    return true;
}

// shorten_part parses up to the closing bracket until, which p->at then points to. A
// comma as until also stops at '>'.
static bool shorten_part(struct parsing *p, char until, struct bytes *out) {
    size_t from = out->n;
    bool outside = until == '\0';
    if (++p->depth > DEPTH_MAX)
        return false;
    while (*p->at != '\0') {
        char c = *p->at;
        bool in_word = out->n > from &&
                       (isalnum((unsigned char)p->at[-1]) || p->at[-1] == '_');
        size_t n = in_word ? 0 : operator_length(p->at);
        if (c == until || (until == ',' && c == '>' && p->at[-1] != '-')) {
            p->depth--;
            return true;
        }
        if (n > 0) {
            if (outside && !p->had_group)
                p->had_operator = true;
            bytes_add(out, p->at, n);
            p->at += n;
            continue;
        }
        p->at++;
        if (outside)
            note_outside(p, out, c);
        if (closing(c) == '\0') {
            if (strchr(")]}", c) != NULL || (c == '>' && p->at[-2] != '-'))
                return false;
            bytes_add(out, &c, 1);
        } else if (c == '<' && !is_blank(out, from)) {
            if (!shorten_template(p, out))
                return false;
        } else if (!shorten_bracket(p, c, out)) {
            // In Rust, what begins with < is a type: <T as Trait>::method.
            return false;
        }
        if (out->n > NAME_MAX_BYTES)
            return false;
    }
    p->depth--;
    return outside;
}

// without_clone removes " [clone .cold]", which demanglers make of such endings.
static void without_clone(char *name) {
    for (char *at; (at = strstr(name, " [clone ")) != NULL;)
        *at = '\0';
}

// shorten returns name, or a shorter one in its place.
static char *shorten(char *name) {
    struct bytes out = {0};
    struct parsing p = {.at = name};
    without_clone(name);
    if (!shorten_part(&p, '\0', &out)) {
        bytes_free(&out);
        return name;
    }
    size_t end = p.end > p.begin ? p.end : out.n;
    size_t begin = p.end > p.begin ? p.begin : 0;
    char *result = store_copy(out.at + begin, end - begin);
    bytes_free(&out);
    free(name);
    return result;
}

// Rust's old mangling is C++'s with a hash at the end and special characters spelled out.

static size_t rust_hash_at(const char *name) {
    enum { HASH = 19 }; // ::h and 16 digits
    size_t n = strlen(name);
    if (n <= HASH || !starts_with(name + n - HASH, "::h"))
        return 0;
    for (size_t i = n - HASH + 3; i < n; i++)
        if (!isxdigit((unsigned char)name[i]))
            return 0;
    return n - HASH;
}

static char *rust_name(const char *name, size_t n) {
    static const struct {
        const char *code;
        const char *sign;
    } codes[] = {
        {"$LT$", "<"},   {"$GT$", ">"},  {"$LP$", "("},  {"$RP$", ")"},
        {"$C$", ","},    {"$RF$", "&"},  {"$BP$", "*"},  {"$SP$", "@"},
        {"$u20$", " "},  {"$u5b$", "["}, {"$u5d$", "]"}, {"$u7b$", "{"},
        {"$u7d$", "}"},  {"$u27$", "'"}, {"$u3b$", ";"}, {"$u2b$", "+"},
        {"$u22$", "\""}, {"_$", "$"},    {"..", "::"}};
    struct bytes out = {0};
    for (size_t at = 0; at < n;) {
        size_t step = 0;
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
            if (starts_with(name + at, codes[i].code)) {
                bool is_escape = strcmp(codes[i].code, "_$") == 0;
                step = is_escape ? 1 : strlen(codes[i].code);
                if (!is_escape)
                    bytes_add_text(&out, codes[i].sign);
                break;
            }
        if (step == 0) {
            bytes_add(&out, name + at, 1);
            step = 1;
        }
        at += step;
    }
    char *result = store_copy(out.at, out.n);
    bytes_free(&out);
    return result;
}

// Symbols.

typedef char *demangler(const char *, char *, size_t *, int *);

static demangler *find_demangler(void) {
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};
    static demangler *found;
    static bool searched;
    for (size_t i = 0; !searched && found == NULL &&
                       i < sizeof libraries / sizeof libraries[0];
         i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL);
        if (library != NULL)
            found = (demangler *)dlsym(library, "__cxa_demangle");
    }
    searched = true;
    return found;
}

static char *demangle(const char *symbol) {
    demangler *f = find_demangler();
    int status = 0;
    if (f == NULL || !starts_with(symbol, "_Z") || strlen(symbol) > SYMBOL_MAX)
        return NULL;
    char *name = f(symbol, NULL, NULL, &status);
    if (name != NULL && (status != 0 || strlen(name) > NAME_MAX_BYTES)) {
        free(name);
        return NULL;
    }
    return name;
}

// without_copy removes the endings of parts and copies: .cold, .constprop.0.
static char *without_copy(const char *symbol) {
    static const char *const endings[] = {"cold",     "constprop", "isra",
                                          "lto_priv", "part",      "llvm"};
    size_t n = strlen(symbol);
    for (;;) {
        size_t at = n;
        while (at > 1 && (isdigit((unsigned char)symbol[at - 1]) ||
                          symbol[at - 1] == '.'))
            at--;
        bool cut = false;
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
            size_t nending = strlen(endings[i]);
            if (at > nending + 1 && symbol[at - nending - 1] == '.' &&
                memcmp(symbol + at - nending, endings[i], nending) == 0) {
                n = at - nending - 1;
                cut = true;
                break;
            }
        }
        if (!cut)
            return store_copy(symbol, n);
    }
}

char *names_readable(const char *symbol) {
    char *name = demangle(symbol);
    if (name == NULL)
        return without_copy(symbol);
    size_t rust = rust_hash_at(name);
    if (rust > 0) {
        char *plain = rust_name(name, rust);
        free(name);
        name = plain;
    }
    return shorten(name);
}
