// slowpath.c: see slowpath.h.
#include "slowpath.h"

#include "heap/duemalloc.h"
#include "heap/scavenger.h"
#include "runtime/sampling.h"
#include "watch/control.h"
#include "watch/page.h"
#include "watch/tracers.h"

// drain_orphan gives one cache that a fork left here back, unless this child has
// allocated little since its fork (mheap.quiet_pages).
static void drain_orphan(void) {
    if (atomic_load_explicit(&mound_heap.quiet_pages, memory_order_relaxed) <=
        0)
        thread_drain_orphan();
}

static COLD void do_chores(uint32_t chores) {
    if (chores & RUNTIME_CHORE_ORPHANS)
        drain_orphan();
    if (chores & RUNTIME_CHORE_PAGE)
        page_due();
    if (chores & RUNTIME_CHORE_PROFILE)
        control_write();
}

void slowpath_leave(void) {
    struct thread_tls *t = &thread_tls;
    if (++t->nticks >= SLOWPATH_TICKS) {
        t->nticks = 0;
        scavenger_tick(&mound_heap);
        if (t->own != NULL && !sampling_on())
            duemalloc_arm(t->own, &mound_heap);
        if (UNLIKELY(page_watched))
            page_tick();
        if (UNLIKELY(tracers_have_news()))
            tracers_look();
    }
    uint32_t chores = runtime_chores_now();
    if (UNLIKELY(chores != 0))
        do_chores(chores);
    thread_leave();
}
