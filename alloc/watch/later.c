// later.c: see later.h.
#include "watch/later.h"

#include <stdatomic.h>

#include "runtime/thread.h"

enum { SIGNALS = 65 };

char later_mark;
static void (*_Atomic waiting[SIGNALS])(int signal);

bool later_put(void (*handle)(int signal), int signal) {
    if (thread_tls.depth == 0 || signal <= 0 || signal >= SIGNALS)
        return false;
    atomic_store_explicit(&waiting[signal], handle, memory_order_relaxed);
    thread_defer_free(&later_mark);
    return true;
}

// The deferred functions take locks, so they run outside of the slow path, like the
// unwinder (watch/sampled.c).
void later_run(void) {
    thread_leave();
    for (int signal = 1; signal < SIGNALS; signal++) {
        void (*handle)(int) = atomic_exchange_explicit(&waiting[signal], NULL,
                                                       memory_order_relaxed);
        if (handle != NULL)
            handle(signal);
    }
    thread_enter();
}
