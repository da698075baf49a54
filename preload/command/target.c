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
#include <unistd.h>

#include "message.h"
#include "pagefile.h"
#include "pages.h"
#include "process.h"
#include "verb.h"
#include "whose.h"

// find_page finds the page of a live process that this user may read.
struct search {
    pid_t pid;
    struct target *target;
};

static bool match(const struct pages_entry *entry, void *argument) {
    struct search *s = argument;
    if (entry->pid != s->pid)
        return true;
    s->target->path = strdup(entry->path);
    s->target->page = *entry->page;
    s->target->torn = entry->file->torn;
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
    whose_end(&seen);
    return t->path != NULL;
}

bool target_open_pid(pid_t pid, struct target *ret) {
    struct process p;
    *ret = (struct target){.pid = pid, .source = TARGET_PAGE};
    if (!process_read(pid, &p)) {
        message_error("%d: %s", (int)pid, strerror(ESRCH));
        return false;
    }
    struct search s = {pid, ret};
    pages_each(match, &s);
    if (ret->path == NULL) {
        message_error("%d (%s): no page of mound: start it by mound run",
                      (int)pid, p.name);
        return false;
    }
    ret->alive = true;
    return true;
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
    return open_file(what, ret);
}

void target_close(struct target *t) {
    if (t->mapped != NULL)
        munmap(t->mapped, sizeof *t->mapped);
    free(t->path);
    t->mapped = NULL;
    t->path = NULL;
}

bool target_refresh(struct target *t) {
    struct pagefile file;
    struct pagefile_why why;
    struct mound_page page;
    if (t->path == NULL ||
        !pagefile_read(AT_FDCWD, t->path, &page, &file, &why)) {
        struct process p;
        t->alive = t->alive && process_read(t->pid, &p) && process_runs(&p);
        return false;
    }
    struct whose seen = {0};
    t->page = page;
    t->torn = file.torn;
    pid_t pid = whose_process(&seen, &page.identity, &file);
    t->alive = pid != 0;
    whose_end(&seen);
    return true;
}

static void shortened(int sig) {
    static const char said[] =
        "mound: the page was made shorter while it was in use\n";
    (void)sig;
    if (write(2, said, sizeof said - 1) < 0)
        _exit(VERB_UNUSABLE);
    _exit(VERB_UNUSABLE);
}

struct mound_page *target_map(struct target *t) {
    if (t->mapped != NULL)
        return t->mapped;
    if (t->path == NULL || !t->alive) {
        message_error("%d: no page of mound that it listens to: start it by "
                      "mound run",
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
