// options.c: see options.h. No libc call that may allocate or lock is made: the
// first malloc may come before the C library is ready.
#include "options.h"

#include <string.h>

#include "base/print.h"
#include "os/sys.h"

static struct options values;
const struct options *const options = &values;

// In a program with raised rights only what hardens is read: the environment
// belongs to a user with fewer.
enum trust { ANYONE, NOT_SECURE };

struct choice {
    const char *text;
    int value;
};

static void complain(const char *name, const char *value, const char *allowed) {
    struct print out = print_to(2);
    print_str(&out, "mound: ");
    print_str(&out, name);
    print_str(&out, "=");
    // A value may be anything; one line and not too long.
    for (size_t i = 0; i < 64 && value[i] != '\0'; i++)
        print_char(&out, value[i] >= ' ' && value[i] < 0x7f ? value[i] : '?');
    print_str(&out, ": not understood, allowed is ");
    print_str(&out, allowed);
    print_str(&out, "; using the default\n");
    print_flush(&out);
}

// choose returns the value of a choice, or otherwise after a complaint.
static int choose(const char *name, const char *text,
                  const struct choice *choices, const char *allowed,
                  int otherwise) {
    for (; choices->text != NULL; choices++)
        if (strcmp(text, choices->text) == 0)
            return choices->value;
    complain(name, text, allowed);
    return otherwise;
}

static const struct choice on_off[] = {{"0", 0}, {"1", 1}, {NULL, 0}};

static void read_stats(const char *value) {
    if (strcmp(value, "0") == 0)
        return;
    if (strcmp(value, "1") == 0 || strcmp(value, "/dev/stderr") == 0) {
        values.stats = STATS_STDERR;
        return;
    }
    size_t n = strlen(value);
    long used = 0;
    if (n > 0 && value[0] != '/') {
        // The program may change its directory before it ends.
        used = sys_getcwd(values.stats_path, OPTION_PATH_MAX);
        if (used > 0 && used < OPTION_PATH_MAX - 1)
            values.stats_path[used++] = '/';
    }
    if (n == 0 || used < 0 || (size_t)used + n >= OPTION_PATH_MAX) {
        complain("MOUND_STATS", value, "0, 1 or the path of a file");
        return;
    }
    memcpy(values.stats_path + used, value, n + 1);
    values.stats = STATS_FILE;
}

static void read_hardened(const char *value) {
    values.hardened = choose("MOUND_HARDENED", value, on_off, "0 or 1", 0);
}

static void read_off(const char *value) {
    values.off = choose("MOUND_OFF", value, on_off, "0 or 1", 0);
}

static void read_misuse(const char *value) {
    static const struct choice choices[] = {{"abort", REPORT_ABORT},
                                            {"report", REPORT_GO_ON},
                                            {"ignore", REPORT_IGNORE},
                                            {NULL, 0}};
    values.misuse =
        (enum report_action)choose("MOUND_MISUSE", value, choices,
                                   "abort, report or ignore", REPORT_ABORT);
}

static void read_deepbind(const char *value) {
    static const struct choice choices[] = {
        {"clear", 0}, {"keep", 1}, {NULL, 0}};
    values.keep_deepbind =
        choose("MOUND_DEEPBIND", value, choices, "clear or keep", 0);
}

static void read_thp(const char *value) {
    static const struct choice choices[] = {{"auto", THP_AUTO},
                                            {"never", THP_NEVER},
                                            {"always", THP_ALWAYS},
                                            {NULL, 0}};
    values.thp = (enum thp_mode)choose("MOUND_THP", value, choices,
                                       "auto, never or always", THP_AUTO);
}

static const struct {
    const char *name;
    enum trust trust;
    void (*read)(const char *value);
} variables[] = {
    {"MOUND_STATS", NOT_SECURE, read_stats},
    {"MOUND_HARDENED", ANYONE, read_hardened},
    {"MOUND_MISUSE", NOT_SECURE, read_misuse},
    {"MOUND_OFF", NOT_SECURE, read_off},
    {"MOUND_DEEPBIND", NOT_SECURE, read_deepbind},
    {"MOUND_THP", NOT_SECURE, read_thp},
};
enum { NVARIABLES = sizeof variables / sizeof variables[0] };

static void read_variable(const char *entry, bool secure) {
    static const char prefix[] = "MOUND_";
    if (strncmp(entry, prefix, sizeof prefix - 1) != 0)
        return;
    for (unsigned i = 0; i < NVARIABLES; i++) {
        size_t n = strlen(variables[i].name);
        if (strncmp(entry, variables[i].name, n) == 0 && entry[n] == '=' &&
            !(secure && variables[i].trust == NOT_SECURE))
            variables[i].read(entry + n + 1);
    }
}

// read_proc reads the environment as it was at the start of the process, entry
// by entry. One that is longer than the buffer is not one of ours.
static void read_proc(bool secure) {
    char buf[OPTION_PATH_MAX + 64];
    size_t n = 0;
    bool skipping = false;
    int fd = sys_open_read("/proc/self/environ");
    if (fd < 0)
        return;
    for (;;) {
        long got = sys_read(fd, buf + n, sizeof buf - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        size_t from = 0;
        for (size_t i = 0; i < n; i++) {
            if (buf[i] != '\0')
                continue;
            if (!skipping)
                read_variable(buf + from, secure);
            skipping = false;
            from = i + 1;
        }
        if (from == 0 && n == sizeof buf) {
            skipping = true;
            n = 0;
        } else {
            memmove(buf, buf + from, n - from);
            n -= from;
        }
    }
    sys_close(fd);
}

void options_read(char **envp) {
    bool secure = sys_secure();
    if (envp == NULL) {
        read_proc(secure);
        return;
    }
    for (; *envp != NULL; envp++)
        read_variable(*envp, secure);
}
