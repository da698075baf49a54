// populate.h: memory for pages before they are touched: one system call for many, or
// one huge page, in the place of a page fault for each.
//
// What is populated beyond a run is allocated meanwhile and becomes free and backed
// afterwards; address-ordered first fit hands it out next.
#ifndef MOUND_HEAP_POPULATE_H
#define MOUND_HEAP_POPULATE_H

#include "heap/run.h"

// populate_plan_locked decides how much of a run for spans of small objects is
// populated and how much behind it: the region of huge pages that begins in it
// (hugepages.h), else 1/64 of what is in use.
void populate_plan_locked(struct mheap *h, struct run *run);

// populate_plan_large_locked is for one large object that takes memory from the system:
// how much of it will be touched is not known, so only the region that it ends in is
// filled, as far as may be guessed and if it has no memory; the kernel fills those before
// it at their first touch.
void populate_plan_large_locked(struct mheap *h, struct run *run);

// populate_is_quiet_locked says whether this is a child of fork that populates nothing
// yet (mheap.quiet_pages), and takes the run off what it may still get.
bool populate_is_quiet_locked(struct mheap *h, const struct run *run);

// populate_run does what was planned. Without locks.
void populate_run(struct mheap *h, const struct run *run);

// populate_wish_large wishes for huge pages in what of a large object was guessed, or
// in all of it where they are wanted always. Without locks.
void populate_wish_large(struct mheap *h, const struct run *run);

#endif // MOUND_HEAP_POPULATE_H
