// whose.c: see whose.h.
#include "whose.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static int by_start(const void *a, const void *b) {
    uint64_t x = ((const struct whose_process *)a)->start_ticks;
    uint64_t y = ((const struct whose_process *)b)->start_ticks;
    return x < y ? -1 : x > y;
}

static void fill(struct whose *seen) {
    struct process_walk walk = {NULL};
    struct process p;
    size_t max = 0;
    pid_t pid;
    seen->filled = true;
    while ((pid = process_next(&walk)) != 0) {
        if (!process_read(pid, &p))
            continue;
        if (seen->nprocesses == max) {
            max = max * 2 + 256;
            void *more =
                realloc(seen->processes, max * sizeof *seen->processes);
            if (more == NULL)
                break;
            seen->processes = more;
        }
        seen->processes[seen->nprocesses++] =
            (struct whose_process){p.start_ticks, pid};
    }
    process_stop(&walk);
    if (seen->nprocesses > 0)
        qsort(seen->processes, seen->nprocesses, sizeof *seen->processes,
              by_start);
}

void whose_end(struct whose *seen) {
    free(seen->processes);
    *seen = (struct whose){0};
}

// maps_file says whether a process maps a file.
static bool maps_file(pid_t pid, const struct pagefile *file) {
    char name[64], *line = NULL;
    size_t nbytes = 0;
    snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(name, "re");
    if (maps == NULL)
        return true; // not readable for us
    bool found = false, any = false;
    while (!found && getline(&line, &nbytes, maps) > 0) {
        unsigned major, minor;
        uint64_t ino;
        any = true;
        found = sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &major, &minor,
                       &ino) == 3 &&
                makedev(major, minor) == file->dev && ino == file->ino;
    }
    free(line);
    fclose(maps);
    return found || !any;
}

static bool is(pid_t pid, const struct mound_page_identity *who,
               const struct pagefile *file) {
    struct process p;
    return process_read(pid, &p) && process_runs(&p) &&
           (who->start_ticks == 0 || p.start_ticks == who->start_ticks) &&
           p.inner == (pid_t)who->pid &&
           (who->pid_namespace == 0 || p.pid_namespace == 0 ||
            p.pid_namespace == who->pid_namespace) &&
           maps_file(pid, file);
}

pid_t whose_process(struct whose *seen, const struct mound_page_identity *who,
                    const struct pagefile *file) {
    if (who->pid_namespace == 0 || who->pid_namespace == process_namespace())
        return is((pid_t)who->pid, who, file) ? (pid_t)who->pid : 0;
    if (!seen->filled)
        fill(seen);
    size_t low = 0, high = seen->nprocesses;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (seen->processes[middle].start_ticks < who->start_ticks)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < seen->nprocesses &&
           seen->processes[low].start_ticks == who->start_ticks;
         low++)
        if (is(seen->processes[low].pid, who, file))
            return seen->processes[low].pid;
    return 0;
}

bool whose_is_seen(const struct mound_page_identity *who) {
    enum { FIRST_NAMESPACE = 0xeffffffc }; // PROC_PID_INIT_INO of the kernel
    return who->pid_namespace == 0 ||
           who->pid_namespace == process_namespace() ||
           process_namespace() == FIRST_NAMESPACE;
}
