// mprof_write.h: a heap profile as other tools read it. Nothing here allocates
// from the heap, takes a lock or looks up a symbol: a signal handler may write a
// profile while other threads go on.
#ifndef MOUND_PROF_MPROF_WRITE_H
#define MOUND_PROF_MPROF_WRITE_H

#include "prof/mprof.h"

enum mprof_format {
    MPROF_PPROF,   // gzipped protobuf, as Go writes it: profile.proto
    MPROF_HEAP_V2, // the text of gperftools: heap_v2/RATE
};

// mprof_write writes all buckets to fd and returns 0 or -errno. Counters are read
// one after the other while other threads may go on counting; in-use is never
// negative. Uses a few MiB of address space while it runs. One call at a time:
// another returns -EBUSY.
int mprof_write(const struct mprof *mp, enum mprof_format format, int fd);

#endif // MOUND_PROF_MPROF_WRITE_H
