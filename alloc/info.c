// info.c: the calls of mound.h that look at the heap as a whole.
#include "mound.h"

#include <string.h>

#include "watch/dump.h"
#include "heap/scavenger.h"
#include "prof/memstats.h"
#include "runtime/mode.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

EXPORT int mound_version(void) {
    return MOUND_VERSION_MAJOR * 10000 + MOUND_VERSION_MINOR * 100 +
           MOUND_VERSION_PATCH;
}

EXPORT void mound_read_memstats(struct mound_memstats *ret_stats, size_t size) {
    // 6 KiB: too much for small stacks. Guarded by the lock of the list.
    static struct mound_memstats reading;
    size_t known = size < sizeof reading ? size : sizeof reading;
    memset(ret_stats, 0, size);
    if (!thread_enter())
        return; // in a handler that interrupted a slow path: no locks
    runtime_enter();
    thread_lock_list();
    memstats_read_locked(&mound_heap, thread_list(), thread_count(), &reading);
    memcpy(ret_stats, &reading, known);
    thread_unlock_list();
    thread_leave();
}

EXPORT int mound_write_memstats(int fd) {
    return dump_table(fd) == 0 ? 0 : -1;
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
