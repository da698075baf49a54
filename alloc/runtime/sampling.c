// sampling.c: see sampling.h.
#include "runtime/sampling.h"

#include <string.h>

#include "heap/duemalloc.h"
#include "prof/sample.h"
#include "runtime/runtime.h"

_Atomic uint16_t sampling_epoch;

// As bits of a double: one thread may change the rate while others read.
static _Atomic uint64_t class_chances[NUM_SIZECLASSES];

_Atomic uint8_t sampling_watches;

void sampling_watch_sizes(void) {
    atomic_fetch_or_explicit(&sampling_watches, SAMPLING_SIZES,
                             memory_order_relaxed);
    sampling_turn(sampling_on());
}

void sampling_turn(bool on) {
    if (on)
        atomic_fetch_or_explicit(&sampling_watches, SAMPLING_PROFILE,
                                 memory_order_relaxed);
    else
        atomic_fetch_and_explicit(&sampling_watches, (uint8_t)~SAMPLING_PROFILE,
                                  memory_order_relaxed);
    uint16_t epoch = sampling_epoch_now();
    epoch = (uint16_t)(epoch + ((epoch & 1) == on ? 2 : 1));
    // release: a thread that sees the epoch sees the table and the stores of samples;
    // partner: acquire in sampling_epoch_now
    atomic_store_explicit(&sampling_epoch, epoch, memory_order_release);
}

void sampling_set_rate(uint64_t rate) {
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++) {
        double chance = sample_chance(sizeclass_bytes[i], rate);
        uint64_t bits;
        memcpy(&bits, &chance, sizeof bits);
        atomic_store_explicit(&class_chances[i], bits, memory_order_relaxed);
    }
}

double sampling_class_chance(unsigned sizeclass) {
    uint64_t bits =
        atomic_load_explicit(&class_chances[sizeclass], memory_order_relaxed);
    double chance;
    memcpy(&chance, &bits, sizeof chance);
    return chance;
}

void sampling_arm(struct mcache *c, uint64_t *random) {
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        duemalloc_after(c, &mound_heap, i,
                        sample_first(random, sampling_class_chance(i)));
}
