// ranges.h: which address ranges a heap has mapped, for a page (mound_page.h).
#ifndef MOUND_PROF_RANGES_H
#define MOUND_PROF_RANGES_H

#include "heap/mheap.h"
#include "mound_page.h"

// ranges_version_locked returns a number that changes when the ranges do, with
// mheap.lock.
uint64_t ranges_version_locked(const struct mheap *h);

// ranges_read_locked fills all of *ret but seq, by address; ranges of one kind that
// touch are one. With mheap.lock; it takes that of persistent. Cost: a few hundred
// steps.
void ranges_read_locked(struct mheap *h, struct mound_page_ranges *ret);

#endif // MOUND_PROF_RANGES_H
