// dump.h: where the statistics at exit go.
#ifndef MOUND_DUMP_H
#define MOUND_DUMP_H

#include "base/compiler.h"

// dump_init, in the constructor, takes what the dump at exit will need and the
// program may have closed by then. Once.
void dump_init(void);

// dump_at_exit writes the statistics that MOUND_STATS names. process_exiting calls it, once in
// each process.
void dump_at_exit(void);

// dump_table writes the table to fd and returns 0 or -errno.
int dump_table(int fd);

#endif // MOUND_DUMP_H
