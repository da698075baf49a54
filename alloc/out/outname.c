// outname.c: see outname.h. By hand, since this runs before the C library is
// ready and after it has ended.
#include "out/outname.h"

#include <string.h>

#include "base/str.h"
#include "os/sys.h"

enum { DIGITS_MAX = 20 }; // of 64 bits

static char program_path[OUTNAME_PATH_MAX];
static bool forked; // from the process that was started; written when alone

const char *outname_set(char *ret_path, const char *value) {
    size_t n = str_len(value);
    long used = 0;
    if (value[0] != '/') {
        // The program may change its directory before it ends.
        used = sys_getcwd(ret_path, OUTNAME_PATH_MAX - 1);
        bool found = used > 0 && ret_path[0] == '/';
        ret_path[found ? used++ : 0] = found ? '/' : '\0';
        if (!found) // it was removed, or is outside of our root
            return "the current directory has no path";
    }
    if ((size_t)used + n >= OUTNAME_PATH_MAX) {
        ret_path[0] = '\0';
        return "the path is too long";
    }
    memcpy(ret_path + used, value, n + 1);
    return NULL;
}

void outname_init(void) {
    // The name that a user knows: redis-server may be a link to a program with
    // several names; a script has its own.
    size_t n = str_len(sys_started_as());
    if (n > 0 && n < sizeof program_path) {
        memcpy(program_path, sys_started_as(), n + 1);
        return;
    }
    long length = sys_program_path(program_path, sizeof program_path - 1);
    program_path[length > 0 ? length : 0] = '\0';
}

void outname_forked(void) {
    forked = true;
}

const char *outname_program(void) {
    if (program_path[0] == '\0')
        outname_init();
    const char *slash = str_find_last(program_path, '/');
    const char *name = slash != NULL ? slash + 1 : program_path;
    return name[0] != '\0' ? name : "?";
}

bool outname_ends_in(const char *path, const char *ending) {
    size_t n = str_len(path), m = str_len(ending);
    return n >= m && str_same(path + n - m, ending);
}

// struct text is a buffer that is being filled; what does not fit is noticed.
struct text {
    char *buf;
    size_t size, n;
    bool too_long;
};

static void add(struct text *text, const char *s, size_t n) {
    if (text->n + n >= text->size) {
        text->too_long = true;
        return;
    }
    memcpy(text->buf + text->n, s, n);
    text->n += n;
    text->buf[text->n] = '\0';
}

static void add_number(struct text *text, uint64_t number) {
    char digits[DIGITS_MAX];
    char *p = digits + DIGITS_MAX;
    do {
        *--p = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(text, p, (size_t)(digits + DIGITS_MAX - p));
}

static void add_dot_number(struct text *text, uint64_t number) {
    add(text, ".", 1);
    add_number(text, number);
}

static bool has_escape(const char *s, char escape) {
    for (; s[0] != '\0' && s[1] != '\0'; s++)
        if (*s == '%' && *++s == escape)
            return true;
    return false;
}

static void add_escape(struct text *text, const char *s, uint64_t counter) {
    switch (s[1]) {
    case 'p':
        add_number(text, (uint64_t)sys_pid());
        break;
    case 'e':
        add(text, outname_program(), str_len(outname_program()));
        break;
    case 'n':
        add_number(text, counter);
        break;
    case '%':
        add(text, "%", 1);
        break;
    default: // not ours: as it stands
        add(text, s, 2);
    }
}

// expand adds n bytes of a template.
static void expand(struct text *text, const char *s, size_t n,
                   uint64_t counter) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '%' && i + 1 < n)
            add_escape(text, s + i++, counter);
        else
            add(text, s + i, 1);
    }
}

static const char *last_part(const char *template) {
    const char *slash = str_find_last(template, '/');
    return slash != NULL ? slash + 1 : template;
}

void outname_start(struct outname *name, const char *template,
                   uint64_t number) {
    const char *last = last_part(template);
    struct text folder = {name->folder, sizeof name->folder, 0, false};
    name->template = template;
    name->tag = NULL;
    name->number = number;
    name->counts = has_escape(last, 'n');
    name->own = has_escape(template, 'p') || forked;
    name->folder[0] = '\0';
    expand(&folder, template, (size_t)(last - template), 1);
    name->nfolder = folder.n;
    name->too_long = folder.too_long;
}

// make fills in the last part. Numbers go before its ending, which begins at
// its first dot; the PID of a forked process goes at its end.
static void make(struct outname *name, bool tagged, uint64_t counter,
                 uint64_t number, uint64_t other, uint64_t pid) {
    const char *last = last_part(name->template);
    const char *dot = last[0] == '\0' ? NULL : str_find(last + 1, '.');
    size_t nstem = dot != NULL ? (size_t)(dot - last) : str_len(last);
    struct text text = {name->text, sizeof name->text, 0, false};
    name->text[0] = '\0';
    expand(&text, last, nstem, counter);
    if (tagged && name->tag != NULL) {
        add(&text, ".", 1);
        add(&text, name->tag, str_len(name->tag));
    }
    if (number > 0)
        add_dot_number(&text, number);
    if (other > 0)
        add_dot_number(&text, other);
    expand(&text, last + nstem, str_len(last + nstem), counter);
    if (pid > 0)
        add_dot_number(&text, pid);
    name->ntext = text.n;
    name->too_long |= text.too_long;
}

void outname_bare(struct outname *name) {
    make(name, /* tagged= */ false, 1, 0, 0, 0);
}

void outname_try(struct outname *name, uint64_t i) {
    bool add_pid = !has_escape(name->template, 'p') && forked;
    make(name, /* tagged= */ true, i, name->counts ? 0 : name->number,
         name->counts || i < 2 ? 0 : i, add_pid ? (uint64_t)sys_pid() : 0);
}
