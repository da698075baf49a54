// stats.h: writes the statistics of this process to a descriptor. Also
// mound_read_memstats and mound_write_memstats.
#ifndef MOUND_STATS_H
#define MOUND_STATS_H

#include <stdbool.h>

// The state of the process when they are written.
struct stats_end {
    bool ended;
    int status; // of its exit; -1: not known
    int signal; // that ends it; 0: none
};

// All write to fd by raw system calls, because stdio may be closed, locked or replaced,
// and return 0 or -errno. -EBUSY: another thread was still writing after a wait of
// OUTFILE_WAIT_S seconds, or this call is in a signal handler that interrupted a slow
// path or one of these calls.
int stats_write_summary(int fd, const struct stats_end *end, bool classes);
int stats_write_json(int fd, const struct stats_end *end);

#endif // MOUND_STATS_H
