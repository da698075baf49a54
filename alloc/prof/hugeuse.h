// hugeuse.h: how much of its huge pages a heap uses for live objects, by a walk
// over its spans.
//
// The heap knows the regions in which huge pages were filled or advised, and
// which of these have all their pages. That can differ from the kernel's: it
// may have had no huge page, or have split one; with the setting "always" it
// makes others without advice; and untouched parts of a large object have no
// memory.
#ifndef MOUND_PROF_HUGEUSE_H
#define MOUND_PROF_HUGEUSE_H

#include "heap/mheap.h"

struct hugeuse {
    uint64_t bytes; // of regions of huge pages
    uint64_t
        unused; // in no live object. Slots in caches and transfer stores count as live
                // on its way between threads, counts as one
};

// hugeuse_read is exact while no thread allocates, else off by the calls in
// progress. It takes mheap.lock for some microseconds at a time and allocates
// nothing. Cost: some milliseconds for each GiB of small spans, or one step for
// each arena without huge pages.
struct hugeuse hugeuse_read(struct mheap *h);

#endif // MOUND_PROF_HUGEUSE_H
