// outfile.c: see outfile.h.
#include "outfile.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/print.h"
#include "errfile.h"
#include "os/sys.h"
#include "runtime.h"

enum { SEQUENCE_MAX = 1000000 };

static char program_path[OUTFILE_PATH_MAX];

bool outfile_set(char *ret_path, const char *value) {
    size_t n = strlen(value);
    long used = 0;
    if (n > 0 && value[0] != '/') {
        // The program may change its directory before it ends.
        used = sys_getcwd(ret_path, OUTFILE_PATH_MAX);
        if (used > 0 && used < OUTFILE_PATH_MAX - 1)
            ret_path[used++] = '/';
    }
    if (n == 0 || used < 0 || (size_t)used + n >= OUTFILE_PATH_MAX)
        return false;
    memcpy(ret_path + used, value, n + 1);
    return true;
}

void outfile_init(void) {
    long n = sys_program_path(program_path, sizeof program_path - 1);
    program_path[n > 0 ? n : 0] = '\0';
}

const char *outfile_program(void) {
    if (program_path[0] == '\0')
        outfile_init();
    const char *slash = strrchr(program_path, '/');
    const char *name = slash != NULL ? slash + 1 : program_path;
    return name[0] != '\0' ? name : "?";
}

bool outfile_ends_in(const char *path, const char *ending) {
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcmp(path + n - m, ending) == 0;
}

// struct path is a file name being built; what does not fit is noticed.
struct path {
    size_t n;
    bool too_long;
    char text[OUTFILE_PATH_MAX];
};

static void path_add(struct path *path, const char *s, size_t n) {
    if (path->n + n >= sizeof path->text) {
        path->too_long = true;
        return;
    }
    memcpy(path->text + path->n, s, n);
    path->n += n;
    path->text[path->n] = '\0';
}

static void path_add_number(struct path *path, uint64_t number) {
    struct print digits = print_to(PRINT_NOWHERE);
    print_u64(&digits, number);
    path_add(path, digits.buf, digits.n);
}

// The ending that a number goes before: all of the last name from its first dot.
static const char *ending_of(const char *template) {
    const char *slash = strrchr(template, '/');
    const char *name = slash != NULL ? slash + 1 : template;
    const char *dot = name[0] == '\0' ? NULL : strchr(name + 1, '.');
    return dot != NULL ? dot : template + strlen(template);
}

static bool has_escape(const char *template, char escape) {
    for (const char *s = template; s[0] != '\0' && s[1] != '\0'; s++)
        if (*s == '%' && *++s == escape)
            return true;
    return false;
}

// expand builds the path for this process; sequence stands for %n. A number that
// has no %n stands before the ending, as does the number of a forked process.
static void expand(struct path *path, const char *template, uint64_t sequence,
                   uint64_t number) {
    const char *ending = ending_of(template);
    bool has_pid = has_escape(template, 'p');
    path->n = 0;
    path->too_long = false;
    path->text[0] = '\0';
    for (const char *s = template;; s++) {
        if (s == ending && number > 0 && !has_escape(template, 'n')) {
            path_add(path, ".", 1);
            path_add_number(path, number);
        }
        if (*s == '\0')
            break;
        if (s[0] != '%' || s[1] == '\0') {
            path_add(path, s, 1);
            continue;
        }
        s++;
        switch (*s) {
        case 'p':
            path_add_number(path, (uint64_t)sys_pid());
            break;
        case 'e':
            path_add(path, outfile_program(), strlen(outfile_program()));
            break;
        case 'n':
            path_add_number(path, sequence);
            break;
        case '%':
            path_add(path, s, 1);
            break;
        default: // not ours: as it stands
            path_add(path, s - 1, 2);
        }
    }
    if (!has_pid && runtime_forks() > 0) {
        path_add(path, ".", 1);
        path_add_number(path, (uint64_t)sys_pid());
    }
}

static void complain(const char *variable, const char *path, const char *why,
                     int error) {
    int fd = errfile_fd();
    if (fd < 0)
        return;
    struct print out = print_to(fd);
    print_str(&out, "mound: ");
    print_str(&out, variable);
    print_str(&out, ": cannot write ");
    print_str(&out, path);
    print_str(&out, why);
    if (error != 0)
        print_u64(&out, (uint64_t)-error);
    print_str(&out, "\n");
    print_flush(&out);
}

// replaceable says whether a file may be put at path. By rename a privileged
// process would put one in the place of /dev/stdout, for every other program.
static bool replaceable(const char *path) {
    static const char *const never[] = {"/dev/", "/proc/", "/sys/"};
    static const char shared[] = "/dev/shm/";
    if (sys_is_special(path))
        return false;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (strncmp(path, never[i], strlen(never[i])) == 0)
            return strncmp(path, shared, sizeof shared - 1) == 0;
    return true;
}

static int write_at(const struct outfile *out, const char *path,
                    const char *temporary) {
    int fd = sys_open_new(temporary);
    if (fd < 0) {
        sys_unlink(temporary); // left by a process of our number
        fd = sys_open_new(temporary);
    }
    if (fd < 0)
        return fd;
    int error = out->write(fd);
    sys_close(fd);
    if (error == 0)
        error = sys_rename(temporary, path);
    if (error != 0)
        sys_unlink(temporary);
    return error;
}

static int write_locked(const struct outfile *out, uint64_t number) {
    static struct path path, temporary; // under busy
    bool numbered = has_escape(out->path, 'n');
    for (uint64_t i = 1; i <= SEQUENCE_MAX; i++) {
        expand(&path, out->path, i, number);
        if (!numbered || !sys_exists(path.text))
            break;
    }
    temporary.n = 0;
    temporary.too_long = path.too_long;
    path_add(&temporary, path.text, path.n);
    path_add(&temporary, ".tmp", 4);
    path_add_number(&temporary, (uint64_t)sys_pid());
    if (temporary.too_long || !replaceable(path.text)) {
        complain(out->variable, path.text, ": not the name of a plain file", 0);
        return -EINVAL;
    }
    int error = write_at(out, path.text, temporary.text);
    if (error < 0 && error != -EBUSY) // who is busy comes again
        complain(out->variable, path.text, ", errno ", error);
    return error;
}

int outfile_write(const struct outfile *out, uint64_t number) {
    static _Atomic int
        busy; // the process that writes: a child of fork is not it
    int pid = sys_pid();
    // acquire and release: the paths are this thread's meanwhile
    if (atomic_exchange_explicit(&busy, pid, memory_order_acquire) == pid)
        return -EBUSY;
    int error = write_locked(out, number);
    atomic_store_explicit(&busy, 0, memory_order_release);
    return error;
}
