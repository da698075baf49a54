// mprof_pprof.h: mprof_write.c's other half: the heap profile as profile.proto.
#ifndef MOUND_PROF_MPROF_PPROF_H
#define MOUND_PROF_MPROF_PPROF_H

#include "prof/gzip.h"
#include "prof/mappings.h"
#include "prof/mprof.h"

// struct mprof_output is a profile on its way out. 220 KiB: static.
struct mprof_output {
    const struct mprof *mp;
    const struct mbucket *newest; // what is written: this bucket and all older
    const struct image *newest_image;
    uint64_t rate;
    bool peak; // as of the peak, not of now
    struct gzip file;
    struct mappings list;
};

// mprof_output_counts returns what of a bucket is written.
struct mprof_counts mprof_output_counts(const struct mprof_output *out,
                                        const struct mbucket *b);

// mprof_pprof_write returns 0 or -errno. With -ENOMEM nothing was written.
int mprof_pprof_write(struct mprof_output *out, int fd);

#endif // MOUND_PROF_MPROF_PPROF_H
