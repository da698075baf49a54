// dump.c: see dump.h. Everything here is done by raw system calls: stdio may be
// closed, locked or replaced by now.
#include "dump.h"

#include <stdatomic.h>
#include <string.h>

#include "base/print.h"
#include "mound.h"
#include "options.h"
#include "os/sys.h"
#include "prof/memstats_write.h"
#include "runtime.h"

enum { SEQUENCE_MAX = 1000000 };

static int stderr_copy = -1;        // our own descriptor of the first stderr
static struct sys_file stderr_file; // what it was
static bool stderr_known;
static _Atomic int dumped_pid; // the process that has dumped
static char program_path[OPTION_PATH_MAX];

static void find_program(void) {
    long n = sys_program_path(program_path, sizeof program_path - 1);
    program_path[n > 0 ? n : 0] = '\0';
}

void dump_init(void) {
    if (options->stats == STATS_OFF)
        return;
    find_program(); // at its end the process may see no /proc
    if (options->stats != STATS_STDERR)
        return;
    // coreutils close stderr in an exit handler that runs before us.
    stderr_known = sys_file_of(2, &stderr_file);
    if (stderr_known)
        stderr_copy = sys_dup_high(2);
}

static const char *program_name(void) {
    const char *slash = strrchr(program_path, '/');
    const char *name = slash != NULL ? slash + 1 : program_path;
    return name[0] != '\0' ? name : "?";
}

static const char *option_text(void) {
    if (options->hardened)
        return "hardened";
    return "";
}

// number_after returns the number of KiB behind name in text, in bytes; or 0.
static uint64_t number_after(const char *text, const char *name) {
    const char *s = strstr(text, name);
    uint64_t n = 0;
    if (s == NULL)
        return 0;
    for (s += strlen(name); *s == ' '; s++)
        ;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    return n << 10;
}

static void fill_process(struct memstats_about *about) {
    char text[1024];
    about->rss_bytes = about->huge_bytes = 0;
    int fd = sys_open_read("/proc/self/smaps_rollup");
    if (fd < 0)
        return;
    long n = sys_read(fd, text, sizeof text - 1);
    sys_close(fd);
    text[n > 0 ? n : 0] = '\0';
    about->rss_bytes = number_after(text, "\nRss:");
    about->huge_bytes = number_after(text, "\nAnonHugePages:");
}

static void fill(struct mound_memstats *st, struct memstats_about *about) {
    mound_read_memstats(st, sizeof *st);
    if (program_path[0] == '\0')
        find_program();
    about->program = program_name();
    about->pid = sys_pid();
    about->options = option_text();
    fill_process(about);
}

int dump_table(int fd) {
    struct mound_memstats st;
    struct memstats_about about;
    fill(&st, &about);
    return memstats_write_table(&st, &about, fd);
}

static int dump_json(int fd) {
    struct mound_memstats st;
    mound_read_memstats(&st, sizeof st);
    return memstats_write_json(&st, fd);
}

// still_stderr says whether fd is what stderr was at the start.
static bool still_stderr(int fd) {
    struct sys_file now;
    return fd >= 0 && sys_file_of(fd, &now) &&
           sys_file_same(&now, &stderr_file);
}

static void dump_to_stderr(void) {
    if (!stderr_known)
        return;
    if (still_stderr(stderr_copy))
        dump_table(stderr_copy);
    else if (still_stderr(2))
        dump_table(2);
    // else nobody reads it any more, and the number may be another file's
}

// struct path is a file name being built; what does not fit is noticed.
struct path {
    size_t n;
    bool too_long;
    char text[OPTION_PATH_MAX];
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

// expand builds the path for this process; it says whether %n stood in it.
static bool expand(struct path *path, uint64_t sequence) {
    bool has_pid = false;
    bool has_sequence = false;
    path->n = 0;
    path->too_long = false;
    path->text[0] = '\0';
    for (const char *s = options->stats_path; *s != '\0'; s++) {
        if (s[0] != '%' || s[1] == '\0') {
            path_add(path, s, 1);
            continue;
        }
        s++;
        switch (*s) {
        case 'p':
            path_add_number(path, (uint64_t)sys_pid());
            has_pid = true;
            break;
        case 'e':
            path_add(path, program_name(), strlen(program_name()));
            break;
        case 'n':
            path_add_number(path, sequence);
            has_sequence = true;
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
    return has_sequence;
}

static bool ends_in_json(const char *s) {
    static const char ending[] = ".json";
    size_t n = strlen(s);
    return n >= sizeof ending - 1 &&
           strcmp(s + n - (sizeof ending - 1), ending) == 0;
}

static void complain(const char *path, const char *why, int error) {
    struct print out = print_to(2);
    print_str(&out, "mound: MOUND_STATS: cannot write ");
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

// dump_to_file writes beside the file and renames: a reader sees all or nothing,
// and a link at that name is replaced, not followed.
static void dump_to_file(void) {
    static struct path path; // one thread at a time: see dump_at_exit
    static struct path temporary;
    for (uint64_t i = 1; i <= SEQUENCE_MAX; i++)
        if (!expand(&path, i) || !sys_exists(path.text))
            break;
    temporary.n = 0;
    temporary.too_long = path.too_long;
    path_add(&temporary, path.text, path.n);
    path_add(&temporary, ".tmp", 4);
    path_add_number(&temporary, (uint64_t)sys_pid());
    if (temporary.too_long || !replaceable(path.text)) {
        complain(path.text, ": not the name of a plain file", 0);
        return;
    }
    int fd = sys_open_new(temporary.text);
    if (fd < 0) {
        sys_unlink(temporary.text); // left by a process of our number
        fd = sys_open_new(temporary.text);
    }
    int error = fd;
    if (fd >= 0) {
        error =
            ends_in_json(options->stats_path) ? dump_json(fd) : dump_table(fd);
        sys_close(fd);
        if (error == 0)
            error = sys_rename(temporary.text, path.text);
        if (error != 0)
            sys_unlink(temporary.text);
    }
    if (error < 0)
        complain(path.text, ", errno ", error);
}

void dump_at_exit(void) {
    if (!runtime_started() || options->stats == STATS_OFF)
        return;
    runtime_enter();
    int pid = sys_pid();
    if (pid != runtime_pid())
        return; // a child of vfork, in its parent's memory
    if (atomic_exchange_explicit(&dumped_pid, pid, memory_order_relaxed) == pid)
        return;
    if (options->stats == STATS_STDERR)
        dump_to_stderr();
    else
        dump_to_file();
}
