// stats.h: the statistics of this process, with what the kernel knows of it. Also
// mound_read_memstats and mound_write_memstats.
#ifndef MOUND_STATS_H
#define MOUND_STATS_H

// Both write to fd by raw system calls and return 0 or -errno: stdio may be closed,
// locked or replaced by then.
int stats_write_table(int fd);
int stats_write_json(int fd);

#endif // MOUND_STATS_H
