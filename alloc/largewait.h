// largewait.h: large objects that were freed in hardened mode, of either level, and
// wait where they cannot be touched before their pages serve again.
#ifndef MOUND_LARGEWAIT_H
#define MOUND_LARGEWAIT_H

#include "base/compiler.h"

struct mspan;
struct mutex;

// largewait_init is for the start, in hardened mode.
void largewait_init(void);

// largewait_takes says whether objects of npages are put there when they are freed.
bool largewait_takes(size_t npages);

// largewait_put frees the large object p of s into this place, where it takes no
// memory, or returns false. largewait_put_kept does so with one that is kept already
// (mheap_keep_large), of as many pages as it takes. Within a slow path.
bool largewait_put(struct mspan *s, void *p);
void largewait_put_kept(struct mspan *s);

// largewait_release frees the pages of those that have waited long enough, or of all;
// it returns whether there were any. Within a slow path.
bool largewait_release(bool all);

// For forks; largewait_repair is for a child that was made without handlers.
struct mutex *largewait_mutex(void);
void largewait_repair(void);

#endif // MOUND_LARGEWAIT_H
