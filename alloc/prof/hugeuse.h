// hugeuse.h: how much of its huge pages a heap has no live object on, by a walk over
// its spans.
//
// What the books know is in which regions huge pages were filled or wished for, and
// which of these have all their pages. The kernel may have had none to give, or may
// have split one; the setting "always" makes others unasked; and what of a large
// object was not touched yet has no memory.
#ifndef MOUND_PROF_HUGEUSE_H
#define MOUND_PROF_HUGEUSE_H

#include "heap/mheap.h"

struct hugeuse {
    uint64_t bytes; // of regions of huge pages
    uint64_t
        unused; // of these: in no live object. A slot in a thread's cache, or
                // on its way between threads, counts as one
};

// hugeuse_read is exact when nobody allocates, else off by the calls in flight. It
// takes mheap.lock for some microseconds at a time, and allocates nothing. Cost: some
// milliseconds a GiB of small spans, or a step an arena where there are no huge pages.
struct hugeuse hugeuse_read(struct mheap *h);

#endif // MOUND_PROF_HUGEUSE_H
