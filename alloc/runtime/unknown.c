// unknown.c: see unknown.h. Like options.c, it calls no string functions of the C
// library.
#include "runtime/unknown.h"

#include "base/print.h"
#include "base/str.h"
#include "os/sys.h"

enum { NAMES = 4, NAME_BYTES = 40 };

static AT_START unsigned nunknown;
static char unknown[NAMES][NAME_BYTES]; // the names; long ones are cut

// Variables that tools, tests and builds read, not the loaded library.
static const char others[][24] = {"MOUND_LOCK_COUNTS", "MOUND_LIB",
                                  "MOUND_PROBES",      "MOUND_SOURCE",
                                  "MOUND_COMMAND",     "MOUND_BUILD"};

static bool is_other(const char *name) {
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        if (str_same(name, others[i]))
            return true;
    return false;
}

void unknown_note(const char *entry) {
    const char *end = str_find(entry, '=');
    if (end == NULL || end[1] == '\0' || nunknown == NAMES)
        return;
    char *name = unknown[nunknown];
    size_t n = 0;
    for (; n < NAME_BYTES - 1 && entry + n < end; n++)
        name[n] = entry[n] > ' ' && entry[n] < 0x7f ? entry[n] : '?';
    name[n] = '\0';
    if (!is_other(name))
        nunknown++;
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

// Algorithm: Wagner and Fischer, with exchanges of neighbours (Damerau). Only the last
// three rows of the table are kept.
unsigned unknown_distance(const char *a, const char *b) {
    unsigned rows[3][NAME_BYTES + 1];
    size_t na = str_len(a), nb = str_len(b);
    if (na > NAME_BYTES || nb > NAME_BYTES)
        return UNKNOWN_FAR;
    for (unsigned j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]),
                           least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

// nearest returns the known name that is most similar, or NULL.
static const char *nearest(const char *name, const char *(*name_of)(unsigned i),
                           unsigned n) {
    // One in three of the letters after MOUND_ may differ.
    enum { PREFIX = 6, SHARE = 3 };
    const char *found = NULL;
    unsigned best = (unsigned)(str_len(name) - PREFIX) / SHARE + 1;
    for (unsigned i = 0; i < n; i++) {
        unsigned distance = unknown_distance(name, name_of(i));
        if (distance < best) {
            best = distance;
            found = name_of(i);
        }
    }
    return found;
}

// struct wanted is a text to find in a stream of bytes.
struct wanted {
    const char *text;
    unsigned matched; // bytes of text; all of them: found
    bool broken;      // in this entry
};

static bool is_found(const struct wanted *w) {
    return w->text[w->matched] == '\0';
}

// match_name matches text only at the beginning of an entry.
static void match_name(struct wanted *w, char c, bool first) {
    if (is_found(w))
        return;
    if (first) {
        w->matched = 0;
        w->broken = false;
    }
    if (!w->broken && w->text[w->matched] == c)
        w->matched++;
    else
        w->broken = true;
}

// parent_told says whether the parent process was started with a variable of that
// name and with LD_PRELOAD.
static bool parent_told(const char *name, int parent) {
    enum { CHUNK = 512 };
    char chunk[CHUNK];
    struct print text = print_to(PRINT_NOWHERE);
    print_str(&text, name);
    print_str(&text, "=");
    print_char(&text, '\0');
    struct print path = print_to(PRINT_NOWHERE);
    print_str(&path, "/proc/");
    print_u64(&path, (uint64_t)parent);
    print_str(&path, "/environ");
    print_char(&path, '\0');
    struct wanted entry = {.text = text.buf}, preload = {.text = "LD_PRELOAD="};
    int fd = sys_open_read(path.buf);
    bool first = true;
    long got;
    while (fd >= 0 && (got = sys_read(fd, chunk, sizeof chunk)) > 0)
        for (long i = 0; i < got; i++) {
            match_name(&entry, chunk[i], first);
            match_name(&preload, chunk[i], first);
            first = chunk[i] == '\0';
        }
    if (fd >= 0)
        sys_close(fd);
    return is_found(&entry) && is_found(&preload);
}

COLD void unknown_complain(const char *(*name_of)(unsigned i), unsigned n) {
    for (unsigned i = 0; i < nunknown; i++) {
        const char *name = unknown[i];
        if (parent_told(name, sys_parent()))
            continue;
        const char *near = nearest(name, name_of, n);
        struct print out = print_to(2);
        print_str(&out, "mound: ");
        print_str(&out, name);
        print_str(&out, ": not a variable of mound");
        if (near != NULL) {
            print_str(&out, "; the nearest is ");
            print_str(&out, near);
        }
        print_str(&out, "\n");
        print_flush(&out);
    }
    nunknown = 0;
}
