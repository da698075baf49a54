// peak.h: a heap profile as of the moment at which the most was in use.
//
// Nothing is copied at a peak, since a growing heap has a new one at each
// sample: the peak gets the next number. The first change of a bucket after a
// peak stores the bucket's counts at it; unchanged buckets still have them.
// What is in use is the estimate by samples, as in the profile itself: its sum
// is never higher in any other profile.
//
// Cost: 32 bytes for each bucket, and a lock for each sampled object at malloc
// and free. So peaks are kept only on request.
#ifndef MOUND_PROF_PEAK_H
#define MOUND_PROF_PEAK_H

#include "prof/mprof.h"

// peak_keep begins to keep peaks. Call it when sampling starts: earlier counts
// are not included.
void peak_keep(struct mprof *mp);

static inline bool peak_is_kept(const struct mprof *mp) {
    return atomic_load_explicit(&mp->peak.kept, memory_order_relaxed);
}

// peak_count_in counts a sampled object in its bucket, peak_count_out its free. Without
// locks.
void peak_count_in(struct mprof *mp, struct mbucket *b);
void peak_count_out(struct mprof *mp, struct mbucket *b);

// peak_fell says, once for each peak, whether the heap has fallen 5 % below a
// peak that is more than 1 MiB and 5 % higher than the last one written.
// peak_written notes that it was written.
bool peak_fell(struct mprof *mp);

// peak_hold fixes the peak until peak_release, while it is written: a higher
// one is noticed after that.
void peak_hold(struct mprof *mp);
void peak_release(struct mprof *mp);

// peak_counts is mprof_counts as of the peak that is held.
struct mprof_counts peak_counts(const struct mprof *mp,
                                const struct mbucket *b);

#endif // MOUND_PROF_PEAK_H
