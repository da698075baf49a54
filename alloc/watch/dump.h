// dump.h: the statistics that are written when the process ends, and by signals
// (MOUND_STATS, MOUND_STATS_SIGNAL, MOUND_STATS_ON).
#ifndef MOUND_DUMP_H
#define MOUND_DUMP_H

#include "watch/stats.h"

// dump_init, in the constructor, copies the descriptors that the dump at exit needs, as
// the program may close them. Once.
void dump_init(void);

// dump_at_exit writes the statistics to where MOUND_STATS says; if that is nowhere and
// a signal ends the process, to stderr. exit.c calls it once in each process.
void dump_at_exit(const struct stats_end *end);

// dump_now writes the statistics of a running process to where MOUND_STATS says, or to
// stderr; a file gets the next number. Not within a slow path.
void dump_now(void);

// dump_forked closes, in a child of fork, the copy of a descriptor that dump_init made.
void dump_forked(void);

#endif // MOUND_DUMP_H
