// publish.h: what is written into the page of this process, and when (page.h). All calls
// but publish_tick need the lock of the page, within a slow path.
#ifndef MOUND_PUBLISH_H
#define MOUND_PUBLISH_H

#include "mound_page.h"
#include "base/compiler.h"

// publish_begin has the counters of pages written into the page, a new one.
void publish_begin(void);

// publish_forked is for the child of a fork, which has no page yet.
void publish_forked(void);

// publish_tick makes the page due (RUNTIME_CHORE_PAGE) if it is time. Without the lock.
void publish_tick(const struct mound_page *page);

// publish_part_locked continues the reading for some 10 us; when that is complete it writes
// stats, which takes 30 us more.
void publish_part_locked(struct mound_page *page);

// publish_all_locked reads and writes everything. walks, unless NULL, has the results of
// walks over the heap (snapshot_read_walks); RSS is then read page by page, too.
void publish_all_locked(struct mound_page *page,
                        const struct mound_page_stats *walks);

#endif // MOUND_PUBLISH_H
