// doctor_limits.c: limits of a process (setrlimit) and of its control groups.
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "units.h"

static const uint64_t NONE = UINT64_MAX;
static const uint64_t LITTLE = UINT64_C(256) << 20; // for address space

// limit_of returns a soft limit by its name in /proc/PID/limits.
static uint64_t limit_of(const char *limits, const char *name) {
    const char *line = strstr(limits, name);
    if (line == NULL)
        return NONE;
    line += strlen(name);
    line += strspn(line, " ");
    return *line >= '0' && *line <= '9' ? strtoull(line, NULL, 10) : NONE;
}

static bool near(uint64_t used, uint64_t limit) {
    return limit != NONE && used > limit / 10 * 9;
}

static void look_at_address_space(struct doctor *d, const char *limits,
                                  const struct doctor_proc *p) {
    static const struct {
        const char *name, *what;
    } rows[] = {{"Max address space", "RLIMIT_AS (ulimit -v)"},
                {"Max data size", "RLIMIT_DATA (ulimit -d)"}};
    for (size_t i = 0; i < 2; i++) {
        uint64_t limit = limit_of(limits, rows[i].name);
        uint64_t used = p == NULL ? 0 : i == 0 ? p->vm_bytes : p->data_bytes;
        if (near(used, limit))
            doctor_found(
                d, "%s: %s of %s used: malloc will soon return NULL; raise it",
                rows[i].what, units_bytes(used).s, units_bytes(limit).s);
        else if (p == NULL && limit < LITTLE)
            doctor_found(d,
                         "%s: %s for each program started here: malloc returns "
                         "NULL above it; raise it",
                         rows[i].what, units_bytes(limit).s);
    }
}

static void look_at_locks(struct doctor *d, const char *limits,
                          const struct doctor_proc *p) {
    uint64_t limit = limit_of(limits, "Max locked memory");
    if (p == NULL || p->locked_bytes == 0)
        return;
    if (p->locked_bytes > p->vm_bytes / 2)
        doctor_found(d,
                     "mlockall: %s of %s address space are locked: no freed "
                     "memory returns to the system; lock less",
                     units_bytes(p->locked_bytes).s,
                     units_bytes(p->vm_bytes).s);
    if (near(p->locked_bytes, limit) && p->uid != 0)
        doctor_found(d,
                     "RLIMIT_MEMLOCK (ulimit -l): %s of %s used: with "
                     "mlockall, malloc will soon return NULL; raise it",
                     units_bytes(p->locked_bytes).s, units_bytes(limit).s);
}

// struct group is a control group of either version.
struct group {
    char folder[4096];
    const char *max, *current;
};

// find_group returns false if the process is in none that counts memory.
static bool find_group(pid_t pid, struct group *ret) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    char *text = doctor_proc_file(path, NULL), *rest = text;
    bool found = false;
    for (char *line; text != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        char *second = strchr(line, ':');
        char *third = second != NULL ? strchr(second + 1, ':') : NULL;
        if (third == NULL)
            continue;
        *third++ = '\0';
        if (strcmp(second, ":memory") == 0) {
            snprintf(ret->folder, sizeof ret->folder, "/sys/fs/cgroup/memory%s",
                     third);
            ret->max = "memory.limit_in_bytes";
            ret->current = "memory.usage_in_bytes";
            found = true;
            break; // if both versions are mounted, version 1 counts memory
        }
        if (strcmp(second, ":") == 0) {
            snprintf(ret->folder, sizeof ret->folder, "/sys/fs/cgroup%s",
                     third);
            ret->max = "memory.max";
            ret->current = "memory.current";
            found = true;
        }
    }
    free(text);
    return found;
}

static bool group_number(const struct group *g, const char *name,
                         uint64_t *ret) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", g->folder, name);
    return doctor_proc_number(path, ret);
}

static void look_at_group(struct doctor *d, const struct group *g) {
    static const uint64_t UNLIMITED = UINT64_C(1) << 60;
    uint64_t max, current;
    if (!group_number(g, g->max, &max) || max > UNLIMITED ||
        !group_number(g, g->current, &current))
        return;
    if (near(current, max))
        doctor_found(d,
                     "%s: %s of %s used: the kernel kills at the limit; raise "
                     "%s, or set MOUND_MEMLIMIT=cgroup",
                     g->folder, units_bytes(current).s, units_bytes(max).s,
                     g->max);
    else
        doctor_note(d,
                    "%s: %s of %s used; mound keeps below with "
                    "MOUND_MEMLIMIT=cgroup",
                    g->folder, units_bytes(current).s, units_bytes(max).s);
}

void doctor_limits(struct doctor *d, const struct doctor_proc *p) {
    pid_t pid = p != NULL ? p->pid : getpid();
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    char *limits = doctor_proc_file(path, NULL);
    if (limits != NULL) {
        look_at_address_space(d, limits, p);
        look_at_locks(d, limits, p);
    }
    free(limits);
    static struct group g;
    if (!find_group(pid, &g))
        return;
    // The limits of parent groups apply too.
    while (strlen(g.folder) > strlen("/sys/fs/cgroup")) {
        look_at_group(d, &g);
        *strrchr(g.folder, '/') = '\0';
    }
}
