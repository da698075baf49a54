// largewait.h: the quarantine of large objects in hardened mode, at both levels. Their
// pages are inaccessible until they are used again.
#ifndef MOUND_LARGEWAIT_H
#define MOUND_LARGEWAIT_H

#include "base/compiler.h"

struct mspan;
struct mutex;

// largewait_init is called once, at the start, in hardened mode.
void largewait_init(void);

// largewait_takes says whether freed objects of npages are quarantined.
bool largewait_takes(size_t npages);

// largewait_put frees the large object p of s into the quarantine, which releases its
// memory, or returns false. largewait_put_kept does so for an object that is kept
// already (mheap_keep_large) and for which largewait_takes is true. Within a slow path.
bool largewait_put(struct mspan *s, void *p);
void largewait_put_kept(struct mspan *s);

// largewait_release frees the pages of those objects that leave the quarantine, or of
// all, and says whether there were any. Within a slow path.
bool largewait_release(bool all);

// For forks; largewait_repair is for a child whose fork ran no handlers.
struct mutex *largewait_mutex(void);
void largewait_repair(void);

#endif // MOUND_LARGEWAIT_H
