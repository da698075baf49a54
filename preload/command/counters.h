// counters.h: reads the counters of mound (alloc/heap/heapstats.h) from any memory: that
// of a live process, or a core.
#ifndef MOUND_COMMAND_COUNTERS_H
#define MOUND_COMMAND_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mound_page.h"

// struct memory is the memory of another process. read copies nbytes from an address and
// returns whether all of them could be read.
struct memory {
    bool (*read)(const struct memory *m, uint64_t address, void *to,
                 size_t nbytes);
    void *of;
};

enum counters_answer {
    COUNTERS_READ,
    COUNTERS_UNUSED,  // mound is loaded but has served nothing
    COUNTERS_OTHER,   // another version of mound
    COUNTERS_DAMAGED, // they contradict each other, or cannot be read
};

// counters_read reads the counters at the address of the symbol mound_stats and sets all
// figures of the heap in stats. Figures that are not in the counters are left unchanged;
// rounding is unknown. The process may run meanwhile: figures are off by what changes
// during these microseconds, and never negative. Cost: one read for each thread, at most
// COUNTERS_CACHES_MAX.
enum counters_answer counters_read(const struct memory *m, uint64_t address,
                                   struct mound_page_stats *stats);

enum { COUNTERS_CACHES_MAX = 1 << 16 };

#endif // MOUND_COMMAND_COUNTERS_H
