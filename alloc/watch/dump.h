// dump.h: the statistics that are written when the process ends (MOUND_STATS).
#ifndef MOUND_DUMP_H
#define MOUND_DUMP_H

// dump_init, in the constructor, takes what the dump at exit will need and the
// program may have closed by then. Once.
void dump_init(void);

// dump_at_exit writes the statistics that MOUND_STATS names. process_exiting calls it,
// once in each process.
void dump_at_exit(void);

#endif // MOUND_DUMP_H
