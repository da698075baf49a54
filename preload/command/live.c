// live.c: see live.h.
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "counters.h"
#include "heapread.h"
#include "library.h"

// struct mapping is the lowest mapping of a file in a process.
struct mapping {
    uint64_t begin, end;
    char path[PATH_MAX]; // as the process names it
};

// find_mapping finds libmound.so among the mappings of a process, or the file exe if
// there is none. It returns 0, ENOENT or why the mappings cannot be read.
static int find_mapping(pid_t pid, const char *exe, struct mapping *ret) {
    char name[64], *line = NULL;
    size_t nbytes = 0;
    bool found = false, own = false;
    snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(name, "re");
    if (maps == NULL)
        return errno;
    errno = 0;
    while (!found && getline(&line, &nbytes, maps) > 0) {
        struct mapping m;
        uint64_t offset;
        int path = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n",
                   &m.begin, &m.end, &offset, &path) < 3 ||
            path == 0 || line[path] != '/' || offset != 0)
            continue;
        snprintf(m.path, sizeof m.path, "%s", line + path);
        found = library_is_named(m.path);
        if (found || (!own && exe != NULL && strcmp(exe, m.path) == 0)) {
            *ret = m;
            own = true;
        }
    }
    int e = ferror(maps) ? errno : 0;
    free(line);
    fclose(maps);
    return found || own ? 0 : e != 0 ? e : ENOENT;
}

bool live_has(pid_t pid) {
    struct mapping m;
    return find_mapping(pid, NULL, &m) == 0;
}

// open_mapped opens the file of a mapping: by its path in the process's container or, if
// the file is gone, through the mapping.
static int open_mapped(pid_t pid, const struct mapping *m) {
    char path[PATH_MAX + 64];
    static const char gone[] = " (deleted)";
    size_t n = strlen(m->path), ngone = sizeof gone - 1;
    if (n > ngone && strcmp(m->path + n - ngone, gone) == 0)
        snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
                 (int)pid, m->begin, m->end);
    else
        snprintf(path, sizeof path, "/proc/%d/root%s", (int)pid, m->path);
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

// read_library caches the last result: most processes have the same library.
static int read_library(pid_t pid, const struct mapping *m,
                        struct library *ret) {
    static struct library last;
    static struct stat last_of;
    struct stat st;
    int fd = open_mapped(pid, m);
    if (fd < 0)
        return errno;
    int e = fstat(fd, &st) == 0 ? 0 : errno;
    bool known = last.stats != 0 && e == 0 && st.st_dev == last_of.st_dev &&
                 st.st_ino == last_of.st_ino &&
                 st.st_mtim.tv_sec == last_of.st_mtim.tv_sec &&
                 st.st_mtim.tv_nsec == last_of.st_mtim.tv_nsec;
    if (e == 0 && !known) {
        struct library library;
        if (S_ISREG(st.st_mode) && library_read(fd, &library)) {
            library_end(&last);
            last = library;
            last_of = st;
        } else {
            e = ENOEXEC;
        }
    }
    close(fd);
    if (e == 0)
        *ret = last;
    return e;
}

struct reader {
    pid_t pid;
    int error; // of the last read that failed
};

static bool read_process(const struct memory *m, uint64_t address, void *to,
                         size_t nbytes) {
    struct reader *r = m->of;
    struct iovec here = {to, nbytes};
    struct iovec there = {(void *)(uintptr_t)address, nbytes};
    ssize_t n = process_vm_readv(r->pid, &here, 1, &there, 1, 0);
    r->error = n < 0 ? errno : n < (ssize_t)nbytes ? EFAULT : 0;
    return r->error == 0;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// program_name is the name by which the program was started, without folders. The kernel
// has its first 15 bytes, or the name that the program gave itself.
static void program_name(const struct process *p, char *ret, size_t nbytes) {
    enum { KERNEL_BYTES = 15 };
    char line[PATH_MAX];
    const char *name = p->name;
    size_t n = strlen(name);
    if (n == KERNEL_BYTES &&
        process_file(p->pid, "cmdline", line, sizeof line) > 0) {
        const char *slash = strrchr(line, '/');
        const char *base = slash != NULL ? slash + 1 : line;
        if (strncmp(base, name, n) == 0)
            name = base;
    }
    snprintf(ret, nbytes, "%.63s", name);
    for (; *ret != '\0'; ret++)
        if ((unsigned char)*ret < ' ' || *ret == 0x7f)
            *ret = '?';
}

// begin_page fills a page for a process that has none.
static void begin_page(const struct process *p, struct mound_page *page) {
    uint64_t now = clock_ns(CLOCK_REALTIME), up = clock_ns(CLOCK_BOOTTIME);
    uint64_t started = p->start_ticks * (1000000000 / sysconf(_SC_CLK_TCK));
    page->magic = MOUND_PAGE_MAGIC;
    page->version = MOUND_PAGE_VERSION;
    page->nbytes = sizeof *page;
    page->identity = (struct mound_page_identity){
        .pid = (uint32_t)p->inner,
        .uid = p->uid,
        .pid_namespace = p->pid_namespace,
        .start_ticks = p->start_ticks,
        .start_unix_ns = up > started ? now - (up - started) : now,
        .state = MOUND_PAGE_RUNNING,
    };
}

void live_process(const struct process *p, struct mound_page *page) {
    struct mound_page_stats *st = &page->stats;
    st->rss = p->rss;
    st->rss_peak = p->rss_peak;
    st->rss_anon = p->rss_anon;
    st->rss_file = p->rss_file;
    st->rss_shmem = p->rss_shmem;
    st->swap = p->swap;
    if (page->magic != MOUND_PAGE_MAGIC)
        begin_page(p, page);
    // The name that ps prints: it may have changed since the page was made.
    program_name(p, page->identity.program, sizeof page->identity.program);
}

static enum live_answer refuse(struct live_why *ret, enum live_answer answer,
                               const char *why) {
    snprintf(ret->s, sizeof ret->s, "%s", why);
    return answer;
}

// forbidden sets the reason, which says what would permit reading.
static enum live_answer forbidden(const struct process *p, int e,
                                  struct live_why *ret) {
    char scope[16] = "0";
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, scope, sizeof scope - 1);
        scope[n < 0 ? 0 : n] = '\0';
        close(fd);
    }
    const char *permits;
    if (geteuid() == 0)
        permits = "root needs CAP_SYS_PTRACE for it";
    else if (p->uid != geteuid())
        permits = "it belongs to another user; use sudo";
    else if (atoi(scope) > 0)
        permits = "kernel.yama.ptrace_scope forbids it; use sudo, or start it "
                  "by mound run";
    else
        permits = "it has rights of its own; use sudo";
    snprintf(ret->s, sizeof ret->s, "its memory cannot be read: %s: %s",
             strerror(e), permits);
    return LIVE_FORBIDDEN;
}

static enum live_answer failed(const struct process *p, int e,
                               struct live_why *ret) {
    if (e == EACCES || e == EPERM)
        return forbidden(p, e, ret);
    if (e == ENOEXEC)
        return refuse(ret, LIVE_UNREADABLE,
                      "its libmound.so has no symbol mound_stats");
    snprintf(ret->s, sizeof ret->s, "it cannot be read: %s", strerror(e));
    return LIVE_UNREADABLE;
}

// has_variable says whether a process started with an entry in its environment.
static bool has_variable(pid_t pid, const char *entry) {
    enum { ENVIRONMENT_BYTES = 1 << 17 }; // the kernel's limit of one string
    static char text[ENVIRONMENT_BYTES];
    ssize_t n = process_file(pid, "environ", text, sizeof text);
    for (const char *s = text; n > 0 && s < text + n; s += strlen(s) + 1)
        if (strcmp(s, entry) == 0)
            return true;
    return false;
}

// who_serves returns which malloc serves, for a process without a page.
static uint32_t who_serves(const struct process *p, uint32_t mode,
                           const struct mound_page *page) {
    if (mode == MOUND_PAGE_SANITIZER && has_variable(p->pid, "MOUND_OFF=1"))
        return MOUND_PAGE_OFF;
    // A library that does not export its mode.
    if (mode == MOUND_PAGE_SERVES && page->stats.mallocs == 0)
        return has_variable(p->pid, "MOUND_OFF=1") ? MOUND_PAGE_OFF
                                                   : MOUND_PAGE_FRONT;
    return mode;
}

static enum live_answer read_counters(const struct process *p,
                                      const struct library *library,
                                      uint64_t bias, struct mound_page *page,
                                      struct live_why *ret_why) {
    struct reader reader = {.pid = p->pid};
    const struct memory memory = {read_process, &reader};
    struct mound_page_stats *st = &page->stats;
    switch (counters_read(&memory, bias + library->stats, st)) {
    case COUNTERS_UNUSED:
    case COUNTERS_READ:
        break;
    case COUNTERS_OTHER:
        return refuse(
            ret_why, LIVE_UNREADABLE,
            "its libmound.so is of another version than this command");
    case COUNTERS_DAMAGED:
        if (reader.error != 0 && reader.error != EFAULT)
            return failed(p, reader.error, ret_why);
        return refuse(ret_why, LIVE_UNREADABLE,
                      "the counters of mound in it are damaged");
    }
    if (page->stats.npublished == 0)
        page->identity.serves =
            who_serves(p, heapread_mode(&memory, library, bias), page);
    heapread(&memory, library, bias, page);
    st->published_ns = clock_ns(CLOCK_MONOTONIC);
    st->published_unix_ns = clock_ns(CLOCK_REALTIME);
    page->now.inuse = st->inuse;
    page->now.idle = st->idle;
    page->now.released = st->released;
    page->now.sys = st->inuse + st->idle + st->released;
    return LIVE_READ;
}

enum live_answer live_read(const struct process *p, struct mound_page *ret,
                           struct live_why *ret_why) {
    char link[64], exe[PATH_MAX];
    struct mapping m;
    struct library library = {0};
    snprintf(link, sizeof link, "/proc/%d/exe", (int)p->pid);
    ssize_t n = readlink(link, exe, sizeof exe - 1);
    exe[n < 0 ? 0 : n] = '\0';
    int e = find_mapping(p->pid, exe, &m);
    if (e == ENOENT)
        return refuse(ret_why, LIVE_ABSENT, "mound is not in it");
    if (e == 0)
        e = read_library(p->pid, &m, &library);
    if (e == ENOEXEC && !library_is_named(m.path))
        return refuse(ret_why, LIVE_ABSENT, "mound is not in it");
    if (e != 0)
        return failed(p, e, ret_why);
    live_process(p, ret);
    if (ret->identity.library == 0)
        ret->identity.library = library.table.library != 0
                                    ? library.table.library
                                    : library_version(m.path);
    return read_counters(p, &library, m.begin - library.begin, ret, ret_why);
}
