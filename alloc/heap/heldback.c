// heldback.c: see heldback.h.
#include "heap/heldback.h"

static unsigned next_from(const struct heldback *hb, unsigned i) {
    for (; i < HELDBACK_NONE; i = (i / WORD_BITS + 1) * WORD_BITS) {
        // acquire: partner in heldback_set
        uint64_t word = atomic_load_explicit(&hb->bits[i / WORD_BITS],
                                             memory_order_acquire) >>
                        i % WORD_BITS;
        if (word != 0)
            return i + (unsigned)__builtin_ctzl(word);
    }
    return HELDBACK_NONE;
}

unsigned heldback_next(const struct heldback *hb, unsigned i) {
    unsigned next = next_from(hb, i);
    return next == HELDBACK_NONE ? next_from(hb, 0) : next;
}
