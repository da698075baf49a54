// sampling.h: whether mallocs are sampled now, and with which probability in each class.
#ifndef MOUND_SAMPLING_H
#define MOUND_SAMPLING_H

#include <stdatomic.h>

#include "base/compiler.h"

struct mcache;

// sampling_epoch is 0 until a profile is started, rises with each start and stop,
// and is odd while samples are taken.
extern _Atomic uint16_t sampling_epoch HIDDEN;

ALWAYS_INLINE uint16_t sampling_epoch_now(void) {
    return atomic_load_explicit(&sampling_epoch, memory_order_acquire);
}

ALWAYS_INLINE bool sampling_on(void) {
    return sampling_epoch_now() & 1;
}

// sampling_watched says whether a malloc that is due, or large, is looked at: for a
// profile, or for its size (sizes.h). One test covers both.
enum { SAMPLING_PROFILE = 1, SAMPLING_SIZES = 2 };
extern _Atomic uint8_t sampling_watches HIDDEN;

ALWAYS_INLINE uint8_t sampling_watched(void) {
    return atomic_load_explicit(&sampling_watches, memory_order_relaxed);
}

// sampling_watch_sizes makes each thread look at sizes from when it leaves its next slow
// path on. Called while there is one thread.
void sampling_watch_sizes(void);

// sampling_turn begins a new epoch. Threads see it when they leave their next slow
// path. One caller at a time.
void sampling_turn(bool on);

// sampling_set_rate sets the probability of each class for a mean of rate bytes between
// samples; sampling_class_chance returns the probability of one class.
void sampling_set_rate(uint64_t rate);
double sampling_class_chance(unsigned sizeclass);

// sampling_arm chooses the first malloc that is sampled in each magazine.
void sampling_arm(struct mcache *c, uint64_t *random);

#endif // MOUND_SAMPLING_H
