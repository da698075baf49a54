// memstats_write.h: a reading of MemStats as text for people and as JSON for
// tools, to a descriptor. Allocates nothing and takes no lock.
#ifndef MOUND_PROF_MEMSTATS_WRITE_H
#define MOUND_PROF_MEMSTATS_WRITE_H

#include "heap/sizeclass.h"
#include "mound.h"
#include "prof/hugeuse.h"

// struct memstats_about says whose figures they are.
struct memstats_about {
    const char *program; // its name without folders
    int pid;
    const char *options; // what was set, for people; "" if nothing
    uint64_t rss_bytes;  // of the process, 0 if the system did not say
    uint64_t huge_bytes; // the part of it in transparent huge pages
    struct hugeuse huge; // what the heap knows of its own
};

// memstats_write_table writes the table of MOUND_STATS=1. Both return 0 or
// -errno of the first write that failed.
int memstats_write_table(const struct mound_memstats *st,
                         const struct memstats_about *about, int fd);

// memstats_write_json writes, with the huge pages of about, {"cmdline":[...],"memstats":{...}} as Go's expvar; of
// the command line the first 64 KiB, and of each argument the first 512 bytes.
int memstats_write_json(const struct mound_memstats *st,
                        const struct memstats_about *about, int fd);

#endif // MOUND_PROF_MEMSTATS_WRITE_H
