// process.c: see process.h. proc(5) has the formats.
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t process_file(pid_t pid, const char *name, char *buf, size_t nbytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t n = 0;
    ssize_t got;
    while (n < nbytes - 1 && (got = read(fd, buf + n, nbytes - 1 - n)) != 0) {
        if (got < 0) {
            if (errno == EINTR)
                continue;
            int e = errno;
            close(fd);
            return -e;
        }
        n += (size_t)got;
    }
    close(fd);
    buf[n] = '\0';
    return (ssize_t)n;
}

static bool read_stat(pid_t pid, struct process *ret) {
    char text[2048];
    ssize_t n = process_file(pid, "stat", text, sizeof text);
    if (n < 0) {
        errno = (int)-n;
        return false;
    }
    // The name is in parentheses and may contain parentheses.
    char *begin = strchr(text, '('), *end = strrchr(text, ')');
    if (begin == NULL || end == NULL || end < begin || end[1] != ' ') {
        errno = ESRCH;
        return false;
    }
    *end = '\0';
    snprintf(ret->name, sizeof ret->name, "%s", begin + 1);
    for (char *s = ret->name; *s != '\0'; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = '?';
    ret->state = end[2];
    enum { STATE = 3, START = 22 };
    char *field = end + 2;
    for (int i = STATE; i < START && field != NULL; i++) {
        field = strchr(field, ' ');
        field = field == NULL ? NULL : field + 1;
    }
    ret->start_ticks = field == NULL ? 0 : strtoull(field, NULL, 10);
    return true;
}

const char *process_field(const char *status, const char *name) {
    size_t n = strlen(name);
    for (const char *line = status; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    }
    return NULL;
}

unsigned process_effective(const char *status, const char *name) {
    unsigned real, effective;
    const char *numbers = process_field(status, name);
    return numbers != NULL && sscanf(numbers, "%u %u", &real, &effective) == 2
               ? effective
               : 0;
}

static uint64_t number(const char *status, const char *name) {
    const char *text = process_field(status, name);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void read_status(pid_t pid, struct process *ret) {
    char status[8192];
    if (process_file(pid, "status", status, sizeof status) < 0)
        return;
    ret->uid = process_effective(status, "Uid");
    // One ID for each namespace that it is in; the last is of its own.
    const char *inner = process_field(status, "NSpid");
    for (char *end; inner != NULL && *inner != '\n'; inner = end) {
        long n = strtol(inner, &end, 10);
        if (end == inner)
            break;
        ret->inner = (pid_t)n;
        end += strspn(end, " \t");
    }
    ret->threads = number(status, "Threads");
    ret->rss = number(status, "VmRSS") << 10;
    ret->rss_peak = number(status, "VmHWM") << 10;
    ret->rss_anon = number(status, "RssAnon") << 10;
    ret->rss_file = number(status, "RssFile") << 10;
    ret->rss_shmem = number(status, "RssShmem") << 10;
    ret->swap = number(status, "VmSwap") << 10;
}

static uint64_t namespace_of(const char *process) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%s/ns/pid", process);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

uint64_t process_namespace(void) {
    static uint64_t mine;
    if (mine == 0)
        mine = namespace_of("self");
    return mine;
}

bool process_has_our_root(pid_t pid) {
    char path[64];
    struct stat ours, theirs;
    snprintf(path, sizeof path, "/proc/%d/root/dev/shm", (int)pid);
    return stat("/dev/shm", &ours) != 0 || stat(path, &theirs) != 0 ||
           (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino);
}

bool process_read(pid_t pid, struct process *ret) {
    struct process p = {.pid = pid, .inner = pid, .uid = (uid_t)-1};
    if (!read_stat(pid, &p))
        return false;
    read_status(pid, &p);
    char digits[16];
    snprintf(digits, sizeof digits, "%d", (int)pid);
    p.pid_namespace = namespace_of(digits);
    *ret = p;
    return true;
}

bool process_runs(const struct process *p) {
    return p->state != 'Z' && p->state != 'X' && p->state != 'x';
}

pid_t process_next(struct process_walk *at) {
    if (at->dir == NULL)
        at->dir = opendir("/proc");
    struct dirent *e;
    while (at->dir != NULL && (e = readdir(at->dir)) != NULL) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (*end == '\0' && pid > 0)
            return (pid_t)pid;
    }
    process_stop(at);
    return 0;
}

void process_stop(struct process_walk *at) {
    if (at->dir != NULL)
        closedir(at->dir);
    at->dir = NULL;
}

struct process_user_name process_user(uid_t uid) {
    struct process_user_name ret;
    // The last result is cached: lists have many processes of one user.
    static struct process_user_name last;
    static uid_t last_uid;
    if (last.s[0] == '\0' || last_uid != uid) {
        struct passwd *pw = getpwuid(uid);
        if (pw != NULL)
            snprintf(last.s, sizeof last.s, "%s", pw->pw_name);
        else
            snprintf(last.s, sizeof last.s, "%u", uid);
        last_uid = uid;
    }
    ret = last;
    return ret;
}
