// sampling.h: whether mallocs are sampled now, and with which chance in each class.
#ifndef MOUND_SAMPLING_H
#define MOUND_SAMPLING_H

#include <stdatomic.h>

#include "base/compiler.h"

struct mcache;

// sampling_epoch is 0 until a profile is started, rises with each start and stop,
// and is odd while one is taken.
extern _Atomic uint16_t sampling_epoch HIDDEN;

ALWAYS_INLINE uint16_t sampling_epoch_now(void) {
    return atomic_load_explicit(&sampling_epoch, memory_order_relaxed);
}

ALWAYS_INLINE bool sampling_on(void) {
    return sampling_epoch_now() & 1;
}

// sampling_turn begins a new epoch. Threads see it when they leave their next slow
// path. One caller at a time.
void sampling_turn(bool on);

// sampling_set_rate sets the chance of each class for a mean of rate bytes between
// samples; sampling_class_chance returns that of one.
void sampling_set_rate(uint64_t rate);
double sampling_class_chance(unsigned sizeclass);

// sampling_arm chooses the first malloc of each magazine that is sampled.
void sampling_arm(struct mcache *c, uint64_t *random);

#endif // MOUND_SAMPLING_H
