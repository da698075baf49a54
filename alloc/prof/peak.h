// peak.h: a heap profile as of the moment at which the most was in use.
//
// Nothing is copied at a peak, of which a growing heap has one at each sample: it gets
// the next number. Who counts in a bucket first after a peak keeps there what the bucket
// had at it; all others still have that. What is in use is the estimate by samples, as in
// the profile itself: its sum is never higher in any other profile.
//
// Cost: 32 bytes a bucket, and a lock for each sampled object that comes or goes. So it
// is kept only if somebody said so.
#ifndef MOUND_PROF_PEAK_H
#define MOUND_PROF_PEAK_H

#include "prof/mprof.h"

// peak_keep begins to keep it. It is for the start of samples: what was counted before
// is not in it.
void peak_keep(struct mprof *mp);

static inline bool peak_is_kept(const struct mprof *mp) {
    return atomic_load_explicit(&mp->peak.kept, memory_order_relaxed);
}

// peak_count_in counts a sampled object in its bucket, peak_count_out its free. Without
// locks.
void peak_count_in(struct mprof *mp, struct mbucket *b);
void peak_count_out(struct mprof *mp, struct mbucket *b);

// peak_fell says whether the heap has fallen 5 % below a peak that is 5 % higher than the
// last one that was written, and more than 1 MiB; once for each. peak_written notes that
// it was.
bool peak_fell(struct mprof *mp);

// peak_hold keeps the peak what it is until peak_release, while it is written: a higher
// one is noticed after that.
void peak_hold(struct mprof *mp);
void peak_release(struct mprof *mp);

// peak_counts is mprof_counts as of the peak that is held.
struct mprof_counts peak_counts(const struct mprof *mp,
                                const struct mbucket *b);

#endif // MOUND_PROF_PEAK_H
