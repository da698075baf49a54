// memstats_write.h: a reading of MemStats as JSON for tools, to a descriptor. For
// people: summary.h. Allocates nothing and takes no lock.
#ifndef MOUND_PROF_MEMSTATS_WRITE_H
#define MOUND_PROF_MEMSTATS_WRITE_H

#include "heap/sizeclass.h"
#include "mound.h"

struct mound_page;

// memstats_write_json writes {"cmdline":[...],"memstats":{...},"mound":{...}}, the first
// two as Go's expvar; of the command line (see summary_write_json) the first 64 KiB, and
// of each argument the first 512 bytes. st is what the page does not say of MemStats;
// NULL: not known. There are no PauseNs and PauseEnd, 256 zeros each: Go's readers leave
// them zero. Returns 0, or -errno of the first write that failed.
int memstats_write_json(const struct mound_memstats *st,
                        const struct mound_page *page, int cmdline_pid, int fd);

#endif // MOUND_PROF_MEMSTATS_WRITE_H
