// snapshot.h: this process as a page shows it (mound_page.h): its figures now, and who
// it is. Also the reading that mound_read_memstats gives out.
#ifndef MOUND_SNAPSHOT_H
#define MOUND_SNAPSHOT_H

#include "mound.h"
#include "mound_page.h"

// snapshot_take fills *ret but for seq and npublished, from one reading of the heap's
// counters; whole: with huge pages and what has memory, which takes a walk over the heap
// (some milliseconds a GiB) and three files of /proc, else one. ret_memstats, unless
// NULL, is the same reading. It returns false, and changes nothing, in a signal handler
// that interrupted a slow path. Of the rest:
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

// Parts of it, for callers whose stack may be small: text is theirs to lend.
// snapshot_read_status fills what the kernel says in /proc/self/status, all
// 0 if that cannot be read, snapshot_read_rollup corrects RSS by smaps_rollup,
// snapshot_read_walks fills what a whole reading has more of the heap, of the time now,
// and snapshot_read_profile what is known of the profile.
enum { SNAPSHOT_TEXT_BYTES = 2048 };
void snapshot_read_status(struct mound_page_stats *ret,
                          char text[SNAPSHOT_TEXT_BYTES]);
void snapshot_read_rollup(struct mound_page_stats *ret);
void snapshot_read_walks(struct mound_page_stats *ret, uint64_t now);
void snapshot_read_profile(struct mound_page_stats *ret);

// snapshot_serves returns who serves malloc now (enum mound_page_serves).
uint32_t snapshot_serves(void);

// snapshot_identity fills *ret: a process that runs.
void snapshot_identity(struct mound_page_identity *ret);
void snapshot_identity_by(struct mound_page_identity *ret,
                          char text[SNAPSHOT_TEXT_BYTES]);

// snapshot_start notes the time at which this process started, from the start of the
// library or, forked, of a child. Without it the start is the kernel's, in 10 ms.
void snapshot_start(bool forked);

// snapshot_read_rounding estimates it from the live objects of each class. Any thread, no
// lock.
void snapshot_read_rounding(struct mound_page_stats *ret);

#endif // MOUND_SNAPSHOT_H
