// snapshot.h: the figures and the identity of this process, in the form of its page
// (mound_page.h). mound_read_memstats comes from the same reading.
#ifndef MOUND_SNAPSHOT_H
#define MOUND_SNAPSHOT_H

#include "mound.h"
#include "mound_page.h"

// snapshot_take fills *ret except seq and npublished, from one reading of the heap's
// counters. whole adds huge pages and resident bytes, which takes a walk over the heap
// (some milliseconds a GiB) and three files of /proc instead of one. ret_memstats, unless
// NULL, gets the same reading. It returns false, and changes nothing, in a signal handler
// that interrupted a slow path. The variants:
//
//   snapshot_take          outside of a slow path
//   snapshot_take_inside   within one, with no lock held
//
// Allocates nothing. Takes the locks of the thread list, then of each class, then
// mheap.lock. Cost: threads x classes.
bool snapshot_take(struct mound_page_stats *ret, bool whole);
void snapshot_take_inside(struct mound_page_stats *ret, bool whole);
bool snapshot_take_with(struct mound_page_stats *ret,
                        struct mound_memstats *ret_memstats, bool whole);

// Parts of it, for callers whose stack may be small: the caller supplies the buffer text.
// snapshot_read_status fills in the figures of /proc/self/status, or 0 if that cannot
// be read; snapshot_read_rollup corrects RSS by smaps_rollup; snapshot_read_walks adds
// what a whole reading has more, as of the time now; snapshot_read_profile the profile's
// figures.
enum { SNAPSHOT_TEXT_BYTES = 2048 };
void snapshot_read_status(struct mound_page_stats *ret,
                          char text[SNAPSHOT_TEXT_BYTES]);
void snapshot_read_rollup(struct mound_page_stats *ret);
void snapshot_read_walks(struct mound_page_stats *ret, uint64_t now);
void snapshot_read_profile(struct mound_page_stats *ret);

// snapshot_serves returns which malloc serves now (enum mound_page_serves).
uint32_t snapshot_serves(void);

// snapshot_identity fills *ret for a process that has not ended.
void snapshot_identity(struct mound_page_identity *ret);
void snapshot_identity_by(struct mound_page_identity *ret,
                          char text[SNAPSHOT_TEXT_BYTES]);

// snapshot_start notes the present time as the start of this process: at the start of the
// library or, forked, in a child. Without it the kernel's start time is used, which has
// a resolution of 10 ms.
void snapshot_start(bool forked);

// snapshot_read_rounding estimates the rounding of live objects, for each class and in
// sum. Any thread, no lock.
void snapshot_read_rounding(struct mound_page_stats *ret);

#endif // MOUND_SNAPSHOT_H
