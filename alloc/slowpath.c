// slowpath.c: see slowpath.h.
#include "slowpath.h"

#include "heap/duemalloc.h"
#include "heap/scavenger.h"
#include "runtime/sampling.h"

// drain_orphan gives one cache back that a fork left here, once this child has
// needed some memory of its own.
static COLD void drain_orphan(void) {
    if (atomic_load_explicit(&mound_heap.quiet_pages, memory_order_relaxed) <=
        0)
        thread_drain_orphan();
}

void slowpath_leave(void) {
    struct thread_tls *t = &thread_tls;
    if (++t->nticks >= SLOWPATH_TICKS) {
        t->nticks = 0;
        scavenger_tick(&mound_heap);
        if (t->own != NULL && !sampling_on())
            duemalloc_arm(t->own, &mound_heap);
    }
    if (UNLIKELY(thread_has_orphans()))
        drain_orphan();
    thread_leave();
}
