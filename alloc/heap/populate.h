// populate.h: gives pages memory before they are touched: one system call for
// many pages, or one huge page, instead of one page fault each.
//
// Pages populated beyond a run are allocated meanwhile and then freed as
// backed; address-ordered first fit hands them out next.
#ifndef MOUND_HEAP_POPULATE_H
#define MOUND_HEAP_POPULATE_H

#include "heap/run.h"

// populate_plan_locked decides how much of a run for spans of small objects is
// populated and how much after it: the region of huge pages that begins in it
// (hugepages.h), else 1/64 of what is in use.
void populate_plan_locked(struct mheap *h, struct run *run);

// populate_plan_large_locked is for a large object that takes memory from the
// system. How much of it will be touched is unknown, so only the region that it
// ends in is filled, if guesses allow it and it has no memory; the kernel fills
// the regions before it at their first touch.
void populate_plan_large_locked(struct mheap *h, struct run *run);

// populate_is_quiet_locked says whether this is a child of fork that does not
// populate yet (mheap.quiet_pages), and subtracts the run from what it may
// still take.
bool populate_is_quiet_locked(struct mheap *h, const struct run *run);

// populate_run does what was planned. Without locks.
void populate_run(struct mheap *h, const struct run *run);

// populate_wish_large advises huge pages for the guessed part of a large
// object, or for all of it with the option always. Without locks.
void populate_wish_large(struct mheap *h, const struct run *run);

#endif // MOUND_HEAP_POPULATE_H
