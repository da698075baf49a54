// fork.c: what runs when a process forks, in order:
//
//   before      our helper thread ends, if it is the only other one; every lock is
//               taken in the order of the ranks: starts of profiles, stdio's list,
//               the heap's (lock_heap). So the child finds every shared record whole
//   parent      the locks are given back; the helper goes on
//   child       the locks are given back; become_child; the caches of threads that
//               are not here become orphans; this thread's samples are chosen anew
//   bare child  one that was made without handlers: its first slow path repairs
//               the heap (fork_repair_child)
#include "life/fork.h"

#include <pthread.h>

#include "base/stdfd.h"
#include "hardened.h"
#include "heap/repair.h"
#include "heap/scavenger_visit.h"
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

// A child that was made by fork does not populate or release pages before it
// has needed so much itself: most children exec or exit soon.
enum { CHILD_QUIET_BYTES = 1 << 20 };

static bool helper_paused; // by one thread at a time, which forks

static bool alone(void) {
    thread_lock_list();
    size_t n = thread_count();
    thread_unlock_list();
    return n <= 1;
}

static void lock_heap(void) {
    page_lock();
    thread_lock_list();
    mutex_lock(&mound_heap.scavenger);
    mutex_lock(&mound_heap.central[0].lock);
    for (unsigned i = 1; i < mheap_ncentrals(&mound_heap); i++)
        mutex_lock(&mheap_central(&mound_heap, i)->lock);
    mutex_lock(&mound_heap.lock);
    hardened_lock();
    guards_lock();
    profile_lock_table();
    mutex_lock(&mound_heap.persistent.lock);
}

static void unlock_heap(void) {
    mutex_unlock(&mound_heap.persistent.lock);
    profile_unlock_table();
    guards_unlock();
    hardened_unlock();
    mutex_unlock(&mound_heap.lock);
    for (unsigned i = mheap_ncentrals(&mound_heap); i-- > 0;)
        mutex_unlock(&mheap_central(&mound_heap, i)->lock);
    mutex_unlock(&mound_heap.scavenger);
    thread_unlock_list();
    page_unlock();
}

static void before_fork(void) {
    // Where this is the only thread of the program, nobody is to find a second one
    // (Python warns of it).
    bool helped = atomic_load_explicit(&mound_heap.helper.tid,
                                       memory_order_relaxed) != 0 &&
                  alone();
    if (helped)
        process_pause_helper();
    lockrank_pause(); // a handler that forks may have interrupted a holder
    profile_lock_starts();
    forklock_before();
    // A handler that interrupted a slow path leaves the heap's state alone: the
    // slow path has seen to it, and is not through.
    if (thread_tls.depth == 0)
        runtime_enter();
    lock_heap();
    helper_paused = helped;
}

static void after_fork_parent(void) {
    bool helped = helper_paused;
    unlock_heap();
    if (helped)
        helper_resume(&mound_heap.helper);
    control_resume();
    forklock_after_parent();
    profile_unlock_starts();
    lockrank_resume();
}

static void become_child(void) {
    outname_forked();
    stdfd_forked();
    dump_forked();
    // Only what writes when the process ends looks at its number; and a filter that
    // came before the fork need not know this call.
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
    unlock_heap();
    become_child();
    // Here, where it is certain which thread goes on. Only a handler that has
    // interrupted a slow path leaves it to the next one: this one may be about
    // to make the thread's cache.
    if (outside)
        thread_orphan_others();
    runtime_set_state(outside ? RUNTIME_GOOD : RUNTIME_ORPHANS);
    forklock_after_child();
    thread_start_anew();
    profile_unlock_starts();
    lockrank_resume();
}

COLD void fork_start(void) {
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

// Locks may be held by threads that are not here, and what they guard may be half
// changed. It is rebuilt from what is always whole, the bits; what was on its way is
// leaked, and so are other threads' caches.
void fork_repair_child(void) {
    bool rebuilt[NUM_SIZECLASSES] = {false};
    page_repair();
    mheap_repair(&mound_heap, rebuilt);
    thread_orphan_repaired(rebuilt);
    hardened_repair();
    guards_repair();
    profile_repair();
    become_child();
    runtime_set_state(RUNTIME_GOOD);
}
