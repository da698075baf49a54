// publish.h: what is written into the page of this process, and when (page.h). All but
// publish_tick with the lock of the page, within a slow path.
#ifndef MOUND_PUBLISH_H
#define MOUND_PUBLISH_H

#include "mound_page.h"
#include "base/compiler.h"

// publish_begin lets the counters of pages be written into the page, a new one, from
// now on.
void publish_begin(void);

// publish_forked is for the child of a fork, which has no page yet.
void publish_forked(void);

// publish_tick makes the page due (RUNTIME_CHORE_PAGE) if it is. Without the lock.
void publish_tick(const struct mound_page *page);

// publish_part_locked reads a part of what stats are, for some 10 us, and writes them
// once it has all, which takes 30 us more.
void publish_part_locked(struct mound_page *page);

// publish_all_locked reads and writes all. walks, unless NULL, is what walks over the
// heap found (snapshot_read_walks): RSS is read page by page, too, then.
void publish_all_locked(struct mound_page *page,
                        const struct mound_page_stats *walks);

#endif // MOUND_PUBLISH_H
