// heldback.h: which classes hold back memory that others could use: a transfer
// store of 16 KiB or more, or more empty spans than 1 in 16.
//
// Before the heap touches fresh memory it takes that back (takeback.h). One
// growth takes the locks of at most HELDBACK_STEPS classes, each for some
// dozens of slots or spans, and no lock if no bit is set; the next growth
// continues where this one stopped.
#ifndef MOUND_HEAP_HELDBACK_H
#define MOUND_HEAP_HELDBACK_H

#include <stdatomic.h>

#include "base/bits.h"
#include "heap/sizeclass.h"

enum { HELDBACK_STEPS = 64 };

// struct heldback: all zero means that nothing is held back. Bit i is for
// mheap_central(i) and changes under its lock.
enum { HELDBACK_WORDS = (2 * NUM_SIZECLASSES + WORD_BITS - 1) / WORD_BITS };
struct heldback {
    _Atomic uint64_t bits[HELDBACK_WORDS];
    _Atomic unsigned at; // relaxed: where the next growth begins
};

static inline void heldback_set(struct heldback *hb, unsigned i, bool held) {
    uint64_t bit = (uint64_t)1 << i % WORD_BITS;
    // release: a reader that sees the bit sees the store; partner: acquire in
    // heldback_next
    if (held)
        atomic_fetch_or_explicit(&hb->bits[i / WORD_BITS], bit,
                                 memory_order_release);
    else
        atomic_fetch_and_explicit(&hb->bits[i / WORD_BITS], ~bit,
                                  memory_order_relaxed);
}

static inline bool heldback_is_set(const struct heldback *hb, unsigned i) {
    uint64_t word =
        atomic_load_explicit(&hb->bits[i / WORD_BITS], memory_order_relaxed);
    return word >> i % WORD_BITS & 1;
}

// heldback_next returns the number of the next class from i on, cyclically,
// that holds something back; or HELDBACK_NONE.
enum { HELDBACK_NONE = HELDBACK_WORDS * WORD_BITS };
unsigned heldback_next(const struct heldback *hb, unsigned i);

#endif // MOUND_HEAP_HELDBACK_H
