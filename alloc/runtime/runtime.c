// runtime.c: see runtime.h.
#include "runtime/runtime.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mutex.h"
#include "base/stdfd.h"
#include "watch/guards.h"
#include "heap/hugepages.h"
#include "heap/scavenger.h"
#include "malloc_slow.h"
#include "os/filter.h"
#include "os/mem.h"
#include "os/memname.h"
#include "life/process.h"
#include "watch/profile.h"
#include "os/sys.h"
#include "prof/canary.h"
#include "prof/quarantine.h"
#include "runtime/thread.h"

struct mheap mound_heap;
EXPORT struct heapstats mound_stats;
struct runtime_next runtime_next;

// The stamp: a word that says what state the heap is in, and reads as 0 in a
// child of any kind of fork (os/mem.h). NULL: not started.
enum { STAMP_FORKED = 0, STAMP_GOOD = 1, STAMP_ORPHANS = 2 };
AT_START _Atomic uint32_t *_Atomic runtime_stamp;
static _Atomic uint32_t plain_stamp; // where the kernel wipes no pages

enum { NOT_STARTED, STARTING, STARTED };
static AT_START _Atomic uint32_t phase;
AT_START _Atomic uint8_t runtime_mode;
static unsigned nforks;  // written in the child only, when alone
static AT_START int pid; // likewise

// A child that was made by fork does not populate or release pages before it
// has asked for so much itself: most children exec or exit soon.
enum { CHILD_QUIET_BYTES = 1 << 20 };

extern char **environ;

static COLD void start(char **envp) {
    uint32_t expected = NOT_STARTED;
    if (!atomic_compare_exchange_strong_explicit(&phase, &expected, STARTING,
                                                 memory_order_acquire,
                                                 memory_order_acquire)) {
        // Another thread is at it. (Threads before the first malloc: only a
        // program that makes them by raw system calls can have those.)
        while (atomic_load_explicit(&phase, memory_order_acquire) != STARTED)
            sys_spin();
        return;
    }
    options_read(envp);
    if (options->names)
        memname_start();
    mheap_init(&mound_heap, &mound_stats, sizeof(struct mcache));
    mound_heap.half_life_ns = options->half_life_ns;
    memlimit_set(&mound_heap, options->memlimit);
    mound_heap.help_always = options->help_always;
    mound_heap.trace = options->trace_scav;
    mound_heap.helper.open = options->trace_scav; // it prints
    slow_init();
    mound_heap.misuse = slow_misuse;
    hugepages_init(&mound_heap, options->thp);
    mound_heap.holes.off = options->hardened > 1; // see holes.h
    report_set_action(options->misuse);
    uint64_t secret = sys_secret();
    canary_init(secret);
    quarantine_set_secret(~secret);
    pid = sys_pid();
    _Atomic uint32_t *stamp = mem_fork_stamp();
    if (stamp == NULL)
        stamp = &plain_stamp;
    atomic_store_explicit(stamp, STAMP_GOOD, memory_order_relaxed);
    // release: partner in runtime_enter
    atomic_store_explicit(&runtime_stamp, stamp, memory_order_release);
    // release: partner is the acquire in runtime_started
    atomic_store_explicit(&phase, STARTED, memory_order_release);
}

// What start calls may be interposed and allocate. This thread is in a slow path
// then, here as in malloc, so that it is served without the heap and never comes
// to wait in start for itself.
void runtime_start_from(char **envp) {
    if (runtime_started())
        return;
    bool entered = thread_enter();
    start(envp);
    if (entered)
        thread_leave();
}

// With -z initfirst this runs before every other constructor, libc's included;
// malloc may have been called before all the same.
__attribute__((constructor)) static void
runtime_constructor(int argc, char **argv, char **envp) {
    (void)argc;
    (void)argv;
    process_start(envp);
}

bool runtime_started(void) {
    return atomic_load_explicit(&phase, memory_order_acquire) == STARTED;
}

void runtime_set_mode(enum runtime_mode mode, const struct runtime_next *next) {
    runtime_next = *next;
    // release: who sees the mode sees where to pass on to
    atomic_store_explicit(&runtime_mode, mode, memory_order_release);
}

bool runtime_passes_on_slow(enum runtime_name name) {
    uint8_t expected = RUNTIME_UNCALLED;
    if (!(runtime_next.front & name))
        return true;
    // relaxed: where to pass on to was there before
    return !atomic_compare_exchange_strong_explicit(
               &runtime_mode, &expected, RUNTIME_BEHIND, memory_order_relaxed,
               memory_order_relaxed) &&
           expected != RUNTIME_BEHIND;
}

void runtime_before_fork(void) {
    // A handler that interrupted a slow path leaves the heap's state alone: the
    // slow path has seen to it, and is not through.
    if (thread_tls.depth == 0)
        runtime_enter();
    lockrank_pause();
    thread_lock_list();
    mutex_lock(&mound_heap.scavenger);
    mutex_lock(&mound_heap.central[0].lock);
    for (unsigned i = 1; i < mheap_ncentrals(&mound_heap); i++)
        mutex_lock(&mheap_central(&mound_heap, i)->lock);
    mutex_lock(&mound_heap.lock);
    slow_lock_quarantine();
    guards_lock();
    profile_lock_tables();
    mutex_lock(&mound_heap.persistent.lock);
}

void runtime_after_fork_parent(void) {
    mutex_unlock(&mound_heap.persistent.lock);
    profile_unlock_tables();
    guards_unlock();
    slow_unlock_quarantine();
    mutex_unlock(&mound_heap.lock);
    for (unsigned i = mheap_ncentrals(&mound_heap); i-- > 0;)
        mutex_unlock(&mheap_central(&mound_heap, i)->lock);
    mutex_unlock(&mound_heap.scavenger);
    thread_unlock_list();
    lockrank_resume();
}

static void set_stamp(uint32_t value) {
    _Atomic uint32_t *stamp =
        atomic_load_explicit(&runtime_stamp, memory_order_relaxed);
    atomic_store_explicit(stamp, value, memory_order_relaxed);
}

static void become_child(void) {
    nforks++;
    stdfd_forked();
    // Only what writes when the process ends looks at it; and a filter that came
    // before the fork need not know this call.
    bool writes =
        options->stats != STATS_OFF || options->profile_path[0] != '\0';
    pid = writes && !filter_noted() ? sys_pid() : 0;
    atomic_store_explicit(&mound_heap.quiet_pages,
                          CHILD_QUIET_BYTES / PAGE_SIZE, memory_order_relaxed);
    helper_forked(&mound_heap.helper);
    scavenger_forked(&mound_heap);
}

void runtime_after_fork_child(void) {
    // The forking thread holds every lock, here as in the parent.
    runtime_after_fork_parent();
    become_child();
    // Here, where it is certain which thread goes on. Only a handler that has
    // interrupted a slow path leaves it to the next one: this one may be about
    // to make the thread's cache.
    if (thread_tls.depth == 0)
        thread_orphan_others();
    set_stamp(thread_tls.depth == 0 ? STAMP_GOOD : STAMP_ORPHANS);
}

// A child without handlers: locks may be held by threads that are not here, and
// what they guard may be half changed. It is rebuilt from what is always whole,
// the bits; what was on its way is leaked, and so are other threads' caches.
static COLD void repair_child(void) {
    bool rebuilt[NUM_SIZECLASSES] = {false};
    mheap_repair(&mound_heap, rebuilt);
    thread_orphan_repaired(rebuilt);
    slow_reset_quarantine();
    guards_repair();
    profile_repair();
    become_child();
    set_stamp(STAMP_GOOD);
}

void runtime_enter_slow(void) {
    if (!runtime_started())
        start(environ);
    uint32_t stamp = atomic_load_explicit(
        atomic_load_explicit(&runtime_stamp, memory_order_relaxed),
        memory_order_relaxed);
    if (stamp == STAMP_FORKED)
        repair_child();
    if (stamp == STAMP_ORPHANS) {
        set_stamp(STAMP_GOOD);
        thread_orphan_others();
    }
}

unsigned runtime_forks(void) {
    return nforks;
}

int runtime_pid(void) {
    return pid;
}

void runtime_reclaim(void) {
    for (unsigned i = mheap_next_used(&mound_heap, 0);
         i < mheap_ncentrals(&mound_heap);
         i = mheap_next_used(&mound_heap, i + 1))
        mcentral_drain(mheap_central(&mound_heap, i));
}
