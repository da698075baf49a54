// doctor_proc.c: see doctor_proc.h.
#include "doctor_proc.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

char *doctor_proc_file(const char *path, size_t *ret_nbytes) {
    enum { CHUNK = 64 << 10 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    char *text = NULL;
    size_t n = 0, room = 0;
    for (;;) {
        if (room - n < 2) {
            char *more = realloc(text, room + CHUNK);
            if (more == NULL)
                break;
            text = more;
            room += CHUNK;
        }
        ssize_t got = read(fd, text + n, room - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        if (got == 0) {
            close(fd);
            text[n] = '\0';
            if (ret_nbytes != NULL)
                *ret_nbytes = n;
            return text;
        }
        n += (size_t)got;
    }
    int saved = errno;
    free(text);
    close(fd);
    errno = saved;
    return NULL;
}

bool doctor_proc_word(const char *path, char *ret, size_t nbytes) {
    ret[0] = '\0';
    char *text = doctor_proc_file(path, NULL);
    if (text == NULL)
        return false;
    size_t n = strcspn(text, " \t\n");
    snprintf(ret, nbytes, "%.*s", (int)(n < nbytes ? n : nbytes - 1), text);
    free(text);
    return ret[0] != '\0';
}

bool doctor_proc_number(const char *path, uint64_t *ret) {
    char word[32], *end;
    if (!doctor_proc_word(path, word, sizeof word) || word[0] < '0' ||
        word[0] > '9')
        return false;
    *ret = strtoull(word, &end, 10);
    return *end == '\0';
}

static char *whole_file(pid_t pid, const char *name, size_t *ret_nbytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return doctor_proc_file(path, ret_nbytes);
}

static const char *field(const char *status, const char *name) {
    const char *text = process_field(status, name);
    return text != NULL ? text : "";
}

static uint64_t kib(const char *status, const char *name) {
    return strtoull(field(status, name), NULL, 10) << 10;
}

bool doctor_proc_status(pid_t pid, struct doctor_proc *ret) {
    char *status = whole_file(pid, "status", NULL);
    if (status == NULL)
        return false;
    const char *name = field(status, "Name");
    ret->pid = pid;
    snprintf(ret->name, sizeof ret->name, "%.*s", (int)strcspn(name, "\n"),
             name);
    ret->parent = atoi(field(status, "PPid"));
    ret->state = *field(status, "State");
    ret->uid = process_effective(status, "Uid");
    ret->gid = process_effective(status, "Gid");
    ret->vm_bytes = kib(status, "VmSize");
    ret->locked_bytes = kib(status, "VmLck");
    ret->data_bytes = kib(status, "VmData");
    ret->seccomp = atoi(field(status, "Seccomp"));
    ret->thp_disabled = *field(status, "THP_enabled") == '0';
    free(status);
    return true;
}

bool doctor_proc_environment(pid_t pid, struct doctor_proc *ret) {
    size_t nbytes, n = 0;
    ret->environment_text = whole_file(pid, "environ", &nbytes);
    if (ret->environment_text == NULL)
        return false;
    for (size_t i = 0; i < nbytes; i++)
        n += ret->environment_text[i] == '\0';
    ret->environment = calloc(n + 2, sizeof ret->environment[0]);
    if (ret->environment == NULL)
        return false;
    n = 0;
    for (size_t i = 0; i < nbytes;) {
        ret->environment[n++] = ret->environment_text + i;
        i += strlen(ret->environment_text + i) + 1;
    }
    return true;
}

const char *doctor_proc_variable(char *const *environment, const char *name) {
    size_t n = strlen(name);
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
            return *environment + n + 1;
    return NULL;
}

static bool read_secure(pid_t pid, struct doctor_proc *ret) {
    size_t nbytes;
    char *auxv = whole_file(pid, "auxv", &nbytes);
    if (auxv == NULL)
        return false;
    Elf64_auxv_t entry;
    for (size_t i = 0; i + sizeof entry <= nbytes; i += sizeof entry) {
        memcpy(&entry, auxv + i, sizeof entry);
        if (entry.a_type == AT_SECURE)
            ret->secure = entry.a_un.a_val != 0;
    }
    free(auxv);
    return true;
}

static void add_library(struct doctor_proc *p, const char *path) {
    for (unsigned i = 0; i < p->nlibraries; i++)
        if (strcmp(p->libraries[i], path) == 0)
            return;
    char *copy = p->nlibraries < DOCTOR_LIBRARIES ? strdup(path) : NULL;
    if (copy != NULL)
        p->libraries[p->nlibraries++] = copy;
}

static bool read_maps(pid_t pid, struct doctor_proc *ret) {
    char *maps = whole_file(pid, "maps", NULL);
    if (maps == NULL)
        return false;
    char *rest = maps;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char rights[5];
        int path = 0;
        ret->nmaps++;
        if (sscanf(line, "%*x-%*x %4s %*x %*s %*u %n", rights, &path) == 1 &&
            rights[2] == 'x' && path > 0 && line[path] == '/') {
            add_library(ret, line + path);
            ret->nlibc += strcmp(strrchr(line, '/'), "/libc.so.6") == 0;
        }
    }
    free(maps);
    return true;
}

bool doctor_proc_read(pid_t pid, struct doctor_proc *ret) {
    char path[64];
    if (!doctor_proc_status(pid, ret))
        return false;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, ret->exe, sizeof ret->exe - 1);
    if (n < 0 && errno != ENOENT)
        return false;
    ret->exe[n < 0 ? 0 : n] = '\0';
    if (n <= 0)
        return true; // a kernel thread
    return read_secure(pid, ret) && doctor_proc_environment(pid, ret) &&
           read_maps(pid, ret);
}

void doctor_proc_end(struct doctor_proc *p) {
    free(p->environment_text);
    free(p->environment);
    for (unsigned i = 0; i < p->nlibraries; i++)
        free(p->libraries[i]);
    p->environment_text = NULL;
    p->environment = NULL;
    p->nlibraries = 0;
}
