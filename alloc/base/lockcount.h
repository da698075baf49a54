// lockcount.h: how often the locks of each rank were taken, and how often that
// had to wait, in builds with -Dlock_counts=true, for scripts/bench malloc
// --scaling. In other builds it does nothing.
#ifndef MOUND_BASE_LOCKCOUNT_H
#define MOUND_BASE_LOCKCOUNT_H

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/lockrank.h"

#ifdef MOUND_LOCK_COUNTS
enum { LOCKCOUNT_TAKEN, LOCKCOUNT_CONTENDED, LOCKCOUNT_KINDS };
extern _Atomic uint64_t lockcounts[LOCKRANK_COUNT][LOCKCOUNT_KINDS] HIDDEN;

static inline void lockcount(enum lockrank rank, bool contended) {
    atomic_fetch_add_explicit(&lockcounts[rank][LOCKCOUNT_TAKEN], 1,
                              memory_order_relaxed);
    if (contended)
        atomic_fetch_add_explicit(&lockcounts[rank][LOCKCOUNT_CONTENDED], 1,
                                  memory_order_relaxed);
}

// lockcount_write writes the counts as a line of JSON, {"RANK": [taken,
// contended]}, into a new file.
void lockcount_write(const char *path);
#else
static inline void lockcount(enum lockrank rank, bool contended) {
    (void)rank;
    (void)contended;
}
#endif

#endif // MOUND_BASE_LOCKCOUNT_H
