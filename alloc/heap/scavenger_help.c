// scavenger_help.c: see scavenger_help.h.
#include "heap/scavenger_help.h"

#include "heap/holes.h"
#include "heap/scavenger_goal.h"
#include "os/memwatch.h"
#include "os/sys.h"

// alone_locked says whether no other thread uses the heap now.
// __libc_single_threaded stays false after other threads ended, so the threads
// with caches are counted; threads that never allocated do not count and get no
// helper. A needless helper would make setns fail in a program with one thread
// left. If no thread has a cache (hardened mode), only the C library's flag is
// used.
static bool alone_locked(const struct mheap *h) {
    size_t norphans = __atomic_load_n(&h->stats->norphans, __ATOMIC_RELAXED);
    return !h->help_always &&
           (sys_single_threaded() || h->caches.ninuse - norphans == 1);
}

// away says whether no helper is working: none runs, or it rests (helper.h).
static bool away(const struct mheap *h) {
    return atomic_load_explicit(&h->helper.tid, memory_order_relaxed) == 0 ||
           atomic_load_explicit(&h->helper.resting, memory_order_relaxed);
}

// may_help says whether a helper may be started, if the program has other
// threads.
static bool may_help(struct mheap *h) {
    return (h->help_always || !sys_single_threaded()) && !memwatch_watched() &&
           away(h) &&
           !atomic_load_explicit(&h->release_refused, memory_order_relaxed) &&
           atomic_load_explicit(&h->quiet_pages, memory_order_relaxed) <= 0;
}

bool scavenger_help_locked(struct mheap *h) {
    bool much = scavenger_much_locked(h) ||
                atomic_load_explicit(&h->holes_left, memory_order_relaxed) !=
                    HOLES_NONE;
    return much && may_help(h) && !alone_locked(h);
}

void scavenger_holes_made(struct mheap *h) {
    if (h->holes.off || h->half_life_ns == SCAVENGE_NEVER)
        return;
    if (!atomic_load_explicit(&h->restless, memory_order_relaxed))
        atomic_store_explicit(&h->restless, true, memory_order_relaxed);
    if (!atomic_load_explicit(&h->trades, memory_order_relaxed)) {
        atomic_store_explicit(
            &h->trades_from,
            atomic_load_explicit(&h->fresh_bytes, memory_order_relaxed),
            memory_order_relaxed);
        atomic_store_explicit(&h->trade_owed, 0, memory_order_relaxed);
        atomic_store_explicit(&h->trades, true, memory_order_relaxed);
    }
    if (!may_help(h))
        return;
    mutex_lock(&h->lock);
    bool alone = alone_locked(h);
    mutex_unlock(&h->lock);
    if (!alone)
        scavenger_help(h);
}

void scavenger_help(struct mheap *h) {
    helper_ring_resting(&h->helper);
    helper_start(&h->helper, h->help, h);
}

void scavenger_resume(struct mheap *h) {
    mutex_lock(&h->lock);
    bool help = scavenger_help_locked(h);
    mutex_unlock(&h->lock);
    if (help)
        scavenger_help(h);
}
