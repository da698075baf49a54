// mode.c: see mode.h.
#include "runtime/mode.h"

AT_START _Atomic uint8_t runtime_mode;
// For readers outside the process, like mound_layout_heap.
extern _Atomic uint8_t mound_layout_mode
    __attribute__((alias("runtime_mode"), visibility("default")));
struct runtime_next runtime_next;

void runtime_set_mode(enum runtime_mode mode, const struct runtime_next *next) {
    runtime_next = *next;
    // release: a reader that sees the mode sees runtime_next
    atomic_store_explicit(&runtime_mode, mode, memory_order_release);
}

bool runtime_passes_on_slow(enum runtime_name name) {
    uint8_t expected = RUNTIME_UNCALLED;
    if (!(runtime_next.front & name))
        return true;
    // relaxed: runtime_next was written before the mode
    return !atomic_compare_exchange_strong_explicit(
               &runtime_mode, &expected, RUNTIME_BEHIND, memory_order_relaxed,
               memory_order_relaxed) &&
           expected != RUNTIME_BEHIND;
}
