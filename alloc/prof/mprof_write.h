// mprof_write.h: a heap profile as other tools read it. Nothing here allocates
// from the heap, takes a lock or looks up a symbol: a signal handler may write
// a profile while other threads go on.
#ifndef MOUND_PROF_MPROF_WRITE_H
#define MOUND_PROF_MPROF_WRITE_H

#include "prof/mprof.h"

enum mprof_format {
    // Gzipped protobuf, as Go writes it: profile.proto. Numbers are those of
    // the process. Go's pprof reads it, and most others.
    MPROF_PPROF,
    // The text of gperftools, for google-pprof: heap_v2/RATE with the numbers
    // that were sampled, which readers scale; "heapprofile" at a rate of 1.
    MPROF_HEAP_V2,
};

// mprof_write writes all buckets to fd and returns 0 or -errno. Counters are
// read one after the other while other threads may go on counting; in-use is
// never negative.
//
// MPROF_PPROF maps memory while it runs: 96 KiB, or up to 96 bytes for each
// different address; -ENOMEM, and nothing written, when that is refused.
// MPROF_HEAP_V2 needs none. Stack: 1 KiB. One call at a time in a process:
// another returns -EBUSY. Not for a child of vfork.
int mprof_write(const struct mprof *mp, enum mprof_format format, int fd);

// mprof_write_waiting, for the end of the process, waits for another call for a
// limited time. If it interrupted a call of its own thread, it takes over: that
// call must never continue.
int mprof_write_waiting(const struct mprof *mp, enum mprof_format format,
                        int fd, uint64_t wait_ns);

// mprof_write_peak is mprof_write_waiting as of the moment with the most in use, if that
// is kept: see peak.h.
int mprof_write_peak(struct mprof *mp, enum mprof_format format, int fd,
                     uint64_t wait_ns);

#endif // MOUND_PROF_MPROF_WRITE_H
