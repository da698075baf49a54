// stats.h: the statistics of this process, to a descriptor. Also mound_read_memstats and
// mound_write_memstats.
#ifndef MOUND_STATS_H
#define MOUND_STATS_H

#include <stdbool.h>

// How the process stands when they are written.
struct stats_end {
    bool ended;
    int status; // of its exit; -1: not known
    int signal; // that it dies of; 0: none
};

// All write to fd by raw system calls and return 0 or -errno: stdio may be closed,
// locked or replaced by then. -EBUSY: another thread is at it, or this one, and was
// interrupted; or a slow path was. One that ends waits for others.
int stats_write_summary(int fd, const struct stats_end *end, bool classes);
int stats_write_json(int fd, const struct stats_end *end);

#endif // MOUND_STATS_H
