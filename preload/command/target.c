// target.c: see target.h.
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "lastmoment.h"
#include "live.h"
#include "message.h"
#include "pagefile.h"
#include "pages.h"
#include "process.h"
#include "verb.h"
#include "whose.h"

// keep_rounding applies the share of rounding in live objects of an older reading: the
// counters do not have rounding.
static void keep_rounding(const struct mound_page_stats *before,
                          struct mound_page_stats *st) {
    bool any = false;
    uint64_t sum = 0;
    for (unsigned c = 0; c < MOUND_PAGE_CLASSES; c++) {
        const struct mound_page_class *old = &before->classes[c];
        struct mound_page_class *class = &st->classes[c];
        if (old->rounding > old->live_bytes || old->live_bytes == 0)
            continue; // not known
        class->rounding =
            (uint64_t)((double)class->live_bytes * (double)old->rounding /
                       (double)old->live_bytes);
        sum += class->rounding;
        any = true;
    }
    if (any)
        st->rounding = sum;
}

// read_now replaces an older reading of a page by the counters of the live process.
// False: they may not be read.
static bool read_now(struct target *t, const struct process *p,
                     enum live_answer *ret, struct live_why *ret_why) {
    struct mound_page page = t->page;
    // Any user may read its RSS; the process that publishes may not open the file.
    if (t->path != NULL)
        live_process(p, &t->page);
    *ret = live_read(p, &page, ret_why);
    if (*ret != LIVE_READ)
        return false;
    if (t->path != NULL)
        keep_rounding(&t->page.stats, &page.stats);
    t->page = page;
    t->fresh = true;
    return true;
}

// read_last updates a reading that is not of now to the page counts, which always are.
static void read_last(struct target *t) {
    struct mound_page_stats *st = &t->page.stats;
    uint64_t rss = st->rss, peak = st->rss_peak;
    if (!t->fresh)
        t->differs = lastmoment_bring_up(&t->page);
    if (t->alive) { // they are up to date: see read_now
        st->rss = rss;
        st->rss_peak = peak;
    }
}

bool target_of_page(const struct pages_entry *entry, struct target *ret) {
    struct process p;
    enum live_answer answer;
    *ret = (struct target){.pid = entry->pid,
                           .alive = entry->pid != 0,
                           .source = TARGET_PAGE,
                           .path = strdup(entry->path),
                           .torn = entry->file->torn,
                           .elsewhere = entry->elsewhere,
                           .page = *entry->page};
    if (ret->alive && process_read(ret->pid, &p))
        read_now(ret, &p, &answer, &(struct live_why){{0}});
    read_last(ret);
    return ret->path != NULL;
}

bool target_of_process(const struct process *p, struct target *ret,
                       enum live_answer *ret_answer, struct live_why *ret_why) {
    *ret = (struct target){.pid = p->pid, .alive = true, .source = TARGET_LIVE};
    return read_now(ret, p, ret_answer, ret_why);
}

// find_page takes the page that belongs to the process, among those with its ID.
static bool find_page(const struct pages_entry *entry, void *argument) {
    struct target *t = argument;
    return entry->pid != t->pid || !target_of_page(entry, t);
}

// is_young says whether a process began less than half a second ago: it may still load its
// libraries, and have no page yet.
static bool is_young(const struct process *p) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double start = (double)p->start_ticks / (double)sysconf(_SC_CLK_TCK);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 < start + 0.5;
}

bool target_open_pid(pid_t pid, struct target *ret) {
    enum { STEP_NS = 10 * 1000 * 1000 };
    struct process p;
    struct live_why why;
    enum live_answer answer;
    for (;;) {
        *ret = (struct target){.pid = pid};
        if (!process_read(pid, &p)) {
            message_error("%d: %s", (int)pid, strerror(ESRCH));
            return false;
        }
        if (!process_runs(&p)) {
            message_error(
                "%d (%s): it has ended, and its parent has not waited for it",
                (int)pid, p.name);
            return false;
        }
        pages_of(&p, find_page, ret);
        if (ret->path != NULL)
            return true;
        if (!is_young(&p))
            break;
        nanosleep(&(struct timespec){0, STEP_NS}, NULL);
    }
    if (target_of_process(&p, ret, &answer, &why))
        return true;
    message_error("%d (%s): %s%s", (int)pid, p.name, why.s,
                  answer == LIVE_ABSENT ? "; mound doctor says why" : "");
    return false;
}

static bool open_file(const char *path, struct target *t) {
    struct pagefile file;
    struct pagefile_why why;
    if (!pagefile_read(AT_FDCWD, path, &t->page, &file, &why)) {
        message_error("%s: %s", path, why.s);
        return false;
    }
    struct whose seen = {0};
    t->source = TARGET_PAGE;
    t->path = strdup(path);
    t->torn = file.torn;
    t->pid = whose_process(&seen, &t->page.identity, &file);
    t->alive = t->pid != 0;
    t->elsewhere = !t->alive && !whose_is_seen(&t->page.identity);
    whose_end(&seen);
    struct process p;
    enum live_answer answer;
    if (t->alive && process_read(t->pid, &p))
        read_now(t, &p, &answer, &(struct live_why){{0}});
    read_last(t);
    return t->path != NULL;
}

static bool open_core(const char *path, struct target *t) {
    struct core_why why;
    t->source = TARGET_CORE;
    if (!core_read(path, &t->page, &why)) {
        message_error("%s: %s", path, why.s);
        return false;
    }
    t->path = strdup(path);
    return t->path != NULL;
}

// find_named returns the only process on mound of that name; 0: there is none; -1 after a
// complaint: there are several.
static pid_t find_named(const char *name) {
    char numbers[128] = "";
    size_t n = 0;
    pid_t pid, found = 0;
    struct process p;
    struct process_walk walk = {NULL};
    while ((pid = process_next(&walk)) != 0) {
        if (!process_read(pid, &p) || strcmp(p.name, name) != 0 ||
            !process_runs(&p) || !live_has(pid))
            continue;
        if (n < sizeof numbers - 1)
            n += (size_t)snprintf(numbers + n, sizeof numbers - n, "%s%d",
                                  found != 0 ? ", " : "", (int)pid);
        found = found == 0 ? pid : -1;
    }
    if (found == -1)
        message_error("%s: several processes have that name: %s%s", name,
                      numbers, n >= sizeof numbers - 1 ? "..." : "");
    return found;
}

bool target_open(const char *what, struct target *ret) {
    char *end;
    errno = 0;
    long pid = strtol(what, &end, 10);
    if (end > what && *end == '\0' && what[0] != '-') {
        if (errno != 0 || pid > INT_MAX || pid == 0) {
            message_error("%s: %s", what, strerror(ESRCH));
            return false;
        }
        return target_open_pid((pid_t)pid, ret);
    }
    *ret = (struct target){0};
    struct stat st;
    if (strchr(what, '/') == NULL && what[0] != '\0' && stat(what, &st) != 0) {
        pid_t named = find_named(what);
        if (named != 0)
            return named > 0 && target_open_pid(named, ret);
    }
    return core_is(what) ? open_core(what, ret) : open_file(what, ret);
}

void target_close(struct target *t) {
    if (t->mapped != NULL)
        munmap(t->mapped, sizeof *t->mapped);
    free(t->path);
    t->mapped = NULL;
    t->path = NULL;
}

// reread reads the page file again.
static bool reread(struct target *t) {
    struct pagefile file;
    struct pagefile_why why;
    struct mound_page page;
    if (t->path == NULL ||
        !pagefile_read(AT_FDCWD, t->path, &page, &file, &why))
        return false;
    struct whose seen = {0};
    t->page = page;
    t->torn = file.torn;
    t->alive = whose_process(&seen, &page.identity, &file) != 0;
    t->fresh = false;
    whose_end(&seen);
    return true;
}

bool target_reread(struct target *t) {
    struct process p;
    if (t->source == TARGET_CORE || !reread(t))
        return false;
    t->fresh = true;
    if (t->alive && process_read(t->pid, &p))
        live_process(&p, &t->page);
    return true;
}

bool target_refresh(struct target *t) {
    struct process p;
    enum live_answer answer;
    struct live_why why;
    if (t->source == TARGET_CORE)
        return true;
    bool read = reread(t);
    if (!read)
        t->alive = t->alive && process_read(t->pid, &p) && process_runs(&p) &&
                   p.start_ticks == t->page.identity.start_ticks;
    t->fresh = false;
    if (t->alive && process_read(t->pid, &p))
        read |= read_now(t, &p, &answer, &why);
    read_last(t);
    return read;
}

struct target_text target_state(const struct target *t) {
    const struct mound_page_identity *who = &t->page.identity;
    struct target_text ret = {"running"};
    if (who->state == MOUND_PAGE_EXITED && who->status >= 0)
        snprintf(ret.s, sizeof ret.s, "exited %d", who->status);
    else if (who->state == MOUND_PAGE_EXITED)
        snprintf(ret.s, sizeof ret.s, "exited");
    else if (who->state == MOUND_PAGE_SIGNALLED && who->status > 0)
        snprintf(ret.s, sizeof ret.s, "signal %d", who->status);
    else if (t->source == TARGET_CORE)
        snprintf(ret.s, sizeof ret.s, "core");
    else if (t->elsewhere)
        snprintf(ret.s, sizeof ret.s, "elsewhere");
    else if (!t->alive)
        snprintf(ret.s, sizeof ret.s, "killed");
    else if (who->serves != MOUND_PAGE_SERVES)
        snprintf(ret.s, sizeof ret.s, "off");
    return ret;
}

void target_settle(struct target *t) {
    struct mound_page_identity *who = &t->page.identity;
    if (t->alive || t->elsewhere || who->state != MOUND_PAGE_RUNNING)
        return;
    who->state = MOUND_PAGE_SIGNALLED;
    who->status = -1; // the signal is not known
}

static void shortened(int sig) {
    static const char said[] =
        "mound: the page was truncated while it was being read\n";
    (void)sig;
    if (write(2, said, sizeof said - 1) < 0)
        _exit(VERB_UNUSABLE);
    _exit(VERB_UNUSABLE);
}

struct mound_page *target_map(struct target *t) {
    if (t->mapped != NULL)
        return t->mapped;
    if (t->path == NULL || !t->alive) {
        message_error("%d: it has no page of mound, or does not answer "
                      "requests: start it by mound run",
                      (int)t->pid);
        return NULL;
    }
    int fd = open(t->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    void *p = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0) {
        errno = EINVAL;
        if (S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof *t->mapped)
            p = mmap(NULL, sizeof *t->mapped, PROT_READ | PROT_WRITE,
                     MAP_SHARED, fd, 0);
    }
    int e = errno;
    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED) {
        message_error("%s: %s", t->path, strerror(e));
        return NULL;
    }
    signal(SIGBUS, shortened);
    t->mapped = p;
    return p;
}
