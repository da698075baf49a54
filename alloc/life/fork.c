// fork.c: what runs when a process forks, in order:
//
//   before      the helper thread ends if the program itself has one thread only; every
//               lock is taken in the order of the ranks: starts of profiles, stdio's
//               list, the heap's (lock_at). So the child's shared records are whole
//   parent      the locks are released; the helper is started again
//   child       the locks are released; become_child; the caches of threads that do not
//               exist in the child become orphans; this thread chooses new samples
//   bare child  of a fork that ran no handlers, or got no locks: its first slow path
//               repairs the heap (fork_repair_child)
//
// A signal handler may fork while the slow path that it interrupted holds some of the
// locks and the holder of another lock waits for one of these. So a handler waits for at
// most LOCKS_NS, and then forks without the locks. For stdio's list it waits longer,
// since fork itself takes that lock; so a thread that holds the list's lock while it
// waits for one of ours releases it while handlers wait (nhandlers).
#include "life/fork.h"

#include <pthread.h>

#include "base/stdfd.h"
#include "hardened.h"
#include "heap/repair.h"
#include "heap/scavenger_visit.h"
#include "largewait.h"
#include "life/process.h"
#include "os/filter.h"
#include "os/forklock.h"
#include "os/helper.h"
#include "os/unwind.h"
#include "out/outname.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/control.h"
#include "watch/dump.h"
#include "watch/guards.h"
#include "watch/page.h"
#include "watch/profile.h"
#include "watch/profilefile.h"
#include "watch/sampled.h"
#include "watch/snapshot.h"

// A child of fork does not populate or release pages before it has taken this much memory
// itself: most children exec or exit soon.
enum { CHILD_QUIET_BYTES = 1 << 20 };

enum {
    LOCKS_NS = 20 * 1000 * 1000,
    STEP_NS = 4 * 1000 * 1000, // between two checks for waiting handlers
    GIVE_WAY_NS = 1000 * 1000,
};
static const uint64_t FOREVER_NS = UINT64_MAX;

// Handlers that wait for the locks. relaxed: a thread that sees it late gives way one
// step later
static _Atomic unsigned nhandlers;

static bool handlers_wait(void) {
    return atomic_load_explicit(&nhandlers, memory_order_relaxed) != 0;
}

// What before_fork passes on to after_fork, the last fork in the low bits: a signal
// handler may fork during a fork. (Guarded by stdio's list lock; there are other threads
// only if that is taken.)
enum { FORK_HELPED = 1, FORK_LOCKED = 2, FORK_NBITS = 2 };
static uint64_t forks;

static void forks_push(uint64_t what) {
    forks = forks << FORK_NBITS | what;
}

static uint64_t forks_pop(void) {
    uint64_t what = forks & (FORK_HELPED | FORK_LOCKED);
    forks >>= FORK_NBITS;
    return what;
}

// alone says whether this thread has the only cache. In a slow path, so that a handler
// that forks knows that a lock may be held.
static bool alone(void) {
    if (!thread_enter())
        return false;
    thread_lock_list();
    size_t n = thread_count();
    thread_unlock_list();
    thread_leave();
    return n <= 1;
}

// lock_at returns the i-th of the heap's nlocks() locks, or NULL if it is not in use.
// The number of classes is fixed once the first LOCKS_ABOVE locks are held.
enum { LOCKS_ABOVE = 3, LOCKS_BELOW = 6 };
static unsigned nlocks(void) {
    return LOCKS_ABOVE + mheap_ncentrals(&mound_heap) + LOCKS_BELOW;
}

static struct mutex *lock_at(unsigned i) {
    struct mheap *h = &mound_heap;
    switch (i) {
    case 0:
        return page_mutex();
    case 1:
        return thread_list_mutex();
    case 2:
        return &h->scavenger;
    }
    i -= LOCKS_ABOVE;
    if (i < mheap_ncentrals(h))
        return &mheap_central(h, i)->lock;
    switch (i - mheap_ncentrals(h)) {
    case 0:
        return &h->lock;
    case 1:
        return options->hardened > 0 ? hardened_mutex() : NULL;
    case 2:
        return options->hardened > 0 ? largewait_mutex() : NULL;
    case 3:
        return &guards_pool.lock;
    case 4:
        return &profile_table.lock;
    default:
        return &h->persistent.lock;
    }
}

// unlock_heap releases the first n locks.
static void unlock_heap(unsigned n) {
    while (n-- > 0) {
        struct mutex *m = lock_at(n);
        if (m != NULL)
            mutex_unlock(m);
    }
}

// take waits for a lock until end_ns; with FOREVER_NS, until a handler waits.
static bool take(struct mutex *m, uint64_t end_ns) {
    if (end_ns != FOREVER_NS)
        return mutex_lock_until(m, end_ns);
    while (!mutex_lock_until(m, sys_now_ns() + STEP_NS))
        if (handlers_wait())
            return false;
    return true;
}

// lock_heap takes all the heap's locks, or none.
static bool lock_heap(uint64_t end_ns) {
    for (unsigned i = 0; i < nlocks(); i++) {
        struct mutex *m = lock_at(i);
        if (m != NULL && !take(m, end_ns)) {
            unlock_heap(i);
            return false;
        }
    }
    return true;
}

// lock_all takes every lock; if it fails, only stdio's is held.
static bool lock_all(uint64_t end_ns) {
    bool starts = mutex_lock_until(profile_starts_mutex(), end_ns);
    forklock_before();
    if (!starts || lock_heap(end_ns))
        return starts;
    mutex_unlock(profile_starts_mutex());
    return false;
}

static bool lock_in_handler(void) {
    atomic_fetch_add_explicit(&nhandlers, 1, memory_order_relaxed);
    bool locked = lock_all(sys_now_ns() + LOCKS_NS);
    atomic_fetch_sub_explicit(&nhandlers, 1, memory_order_relaxed);
    return locked;
}

// lock_outside is a slow path, so that a handler that forks during it waits only for a
// bounded time.
static void lock_outside(void) {
    thread_enter();
    while (!lock_all(FOREVER_NS)) {
        forklock_after_parent();
        do
            sys_sleep_ns(GIVE_WAY_NS);
        while (handlers_wait());
    }
    thread_leave();
}

static void before_fork(void) {
    // In a handler that interrupted a slow path, runtime_enter was called by that, and
    // may not have finished.
    bool outside = thread_tls.depth == 0;
    if (outside)
        runtime_enter();
    // A program with one thread must not see a second one (Python warns about it).
    bool helped = outside &&
                  atomic_load_explicit(&mound_heap.helper.tid,
                                       memory_order_relaxed) != 0 &&
                  alone();
    if (helped)
        process_pause_helper();
    lockrank_pause(); // a handler that forks may have interrupted a lock's holder
    bool locked = true;
    if (outside)
        lock_outside();
    else
        locked = lock_in_handler();
    forks_push((helped ? FORK_HELPED : 0) | (locked ? FORK_LOCKED : 0));
}

static void after_fork_parent(void) {
    uint64_t fork = forks_pop();
    if (fork & FORK_LOCKED)
        unlock_heap(nlocks());
    if (fork & FORK_HELPED)
        helper_resume(&mound_heap.helper);
    control_resume();
    forklock_after_parent();
    if (fork & FORK_LOCKED)
        mutex_unlock(profile_starts_mutex());
    lockrank_resume();
}

static void become_child(void) {
    outname_forked();
    stdfd_forked();
    dump_forked();
    // The process ID is needed only for output at the end, and a filter set before the
    // fork may not permit getpid.
    bool stats = options_write_stats(options);
    bool writes = stats || options->profile_path[0] != '\0' ||
                  options->control || page_watched;
    runtime_set_pid(writes && !filter_noted() ? sys_pid() : 0);
    if (stats && !filter_noted())
        snapshot_start(/* forked= */ true);
    atomic_store_explicit(&mound_heap.quiet_pages,
                          CHILD_QUIET_BYTES / PAGE_SIZE, memory_order_relaxed);
    page_forked();
    helper_forked(&mound_heap.helper);
    control_forked();
    scavenger_forked(&mound_heap);
    sampled_forked();
    profilefile_forked();
    unwind_forked();
}

static void after_fork_child(void) {
    bool outside = thread_tls.depth == 0;
    atomic_store_explicit(&nhandlers, 0, memory_order_relaxed); // the parent's
    if (!(forks_pop() & FORK_LOCKED)) {
        runtime_set_state(RUNTIME_FORKED); // a bare child
        forklock_after_child();
        lockrank_resume();
        return;
    }
    unlock_heap(nlocks());
    become_child();
    // Here it is certain which thread continues. Only a handler that interrupted a slow
    // path leaves it to the next slow path, since the interrupted one may be making the
    // thread's cache.
    if (outside)
        thread_orphan_others();
    runtime_set_state(outside ? RUNTIME_GOOD : RUNTIME_ORPHANS);
    forklock_after_child();
    thread_start_anew();
    mutex_unlock(profile_starts_mutex());
    lockrank_resume();
}

COLD void fork_start(void) {
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

// Threads that do not exist here may have held locks, and what those guard may be half
// changed. The repair rebuilds it from the free bits, which are always whole. Slots and
// spans that were being moved are leaked, and so are other threads' caches.
void fork_repair_child(void) {
    bool rebuilt[NUM_SIZECLASSES] = {false};
    atomic_store_explicit(&nhandlers, 0, memory_order_relaxed); // the parent's
    page_repair();
    mheap_repair(&mound_heap, rebuilt);
    thread_orphan_repaired(rebuilt);
    hardened_repair();
    guards_repair();
    profile_repair();
    become_child();
    runtime_set_state(RUNTIME_GOOD);
}
