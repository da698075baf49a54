// info.c: the calls of mound.h that concern the heap as a whole. Its statistics are in
// watch/stats.c.
#include "mound.h"

#include "heap/keptspans.h"
#include "heap/mcache_slow.h"
#include "heap/scavenger_visit.h"
#include "heap/verify.h"
#include "runtime/mode.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

EXPORT int mound_version(void) {
    return MOUND_VERSION_MAJOR * 10000 + MOUND_VERSION_MINOR * 100 +
           MOUND_VERSION_PATCH;
}

EXPORT int mound_malloc_trim(size_t pad) {
    struct mheap *h = &mound_heap;
    if (runtime_passive())
        return runtime_next.malloc_trim(pad);
    if (!thread_enter())
        return 0;
    runtime_enter();
    struct mcache *c = thread_mcache();
    if (c != NULL)
        mcache_flush(c, h);
    while (thread_drain_orphan())
        continue;
    runtime_reclaim();
    mheap_drop_held(h);
    atomic_store_explicit(&h->release_refused, false, memory_order_relaxed);
    mutex_lock(&h->lock);
    uint64_t nbacked = h->pages.nbacked;
    mutex_unlock(&h->lock);
    size_t keep = pad >> PAGE_SHIFT;
    size_t released = 0;
    if (nbacked > keep)
        released = scavenger_release(h, nbacked - keep);
    size_t holes = scavenger_release_holes(h);
    thread_leave();
    return released > 0 || holes > 0;
}

EXPORT int mound_verify(void) {
    if (!thread_enter())
        return 0;
    runtime_enter();
    unsigned nwrong = mheap_verify(&mound_heap);
    thread_leave();
    return (int)nwrong;
}
