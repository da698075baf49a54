// process.c: see process.h.
#include "life/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/stdfd.h"
#include "base/str.h"
#include "base/turn.h"
#include "watch/dump.h"
#include "watch/endcheck.h"
#include "runtime/emergency.h"
#include "heap/scavenger.h"
#include "malloc_slow.h"
#include "os/filter.h"
#include "os/forklock.h"
#include "os/memwatch.h"
#include "os/sys.h"
#include "out/outfile.h"
#include "watch/profile.h"
#include "runtime/thread.h"

// What pauses the helper while this thread forks: see before_fork.
static bool helper_paused;

static bool alone(void) {
    thread_lock_list();
    size_t n = thread_count();
    thread_unlock_list();
    return n <= 1;
}

bool process_pause_helper(void) {
    return helper_pause(&mound_heap.helper);
}

void process_resume_helper(bool ran) {
    helper_resume(&mound_heap.helper);
    if (!ran || !thread_enter())
        return;
    runtime_enter();
    scavenger_resume(&mound_heap);
    thread_leave();
}

static void before_fork(void) {
    // Where this is the only thread of the program, nobody is to find a second one
    // (Python warns of it).
    bool helped = atomic_load_explicit(&mound_heap.helper.tid,
                                       memory_order_relaxed) != 0 &&
                  alone();
    if (helped)
        process_pause_helper();
    profile_before_fork();
    forklock_before();
    runtime_before_fork();
    helper_paused = helped; // by one thread at a time
}

static void after_fork_parent(void) {
    bool helped = helper_paused;
    runtime_after_fork_parent();
    if (helped)
        helper_resume(&mound_heap.helper);
    forklock_after_parent();
    profile_after_fork(/* child= */ false);
}

static void after_fork_child(void) {
    runtime_after_fork_child();
    forklock_after_child();
    profile_after_fork(/* child= */ true);
}

#ifdef MOUND_LOCK_COUNTS
static const char *lock_counts; // where to, or NULL

static void find_lock_counts(char **envp) {
    static const char name[] = "MOUND_LOCK_COUNTS=";
    for (; envp != NULL && *envp != NULL; envp++)
        if (str_after(*envp, name) != NULL)
            lock_counts = str_after(*envp, name);
}
#endif

void process_start(char **envp) {
    static AT_START bool done; // constructors run one after the other
    if (done)
        return;
    done = true;
    runtime_start_from(envp);
#ifdef MOUND_LOCK_COUNTS
    find_lock_counts(envp);
#endif
    thread_init_exit();
    memwatch_start(thread_go_away, thread_come_back);
    stdfd_start();
    if (!options->off && (options->misuse == REPORT_GO_ON ||
                          options->hardened > 0 || options->guard > 0))
        stdfd_keep(2, /* waiters= */ true); // for reports
    if (!options->off && options->trace_scav)
        stdfd_keep(2, /* waiters= */ false);
    dump_init();
    filter_start();
    // Registered before any other handlers (-z initfirst), so that ours run
    // last before a fork and first after it.
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
    at_quick_exit(process_exiting);
    profile_init();
}

// runtime_constructor (runtime.c) refers to process_start, so that a program
// that links the archive gets this file whatever it calls.
__attribute__((destructor)) static void finish(void) {
    process_exiting();
    if (!runtime_started() || runtime_passive() || !thread_enter())
        return;
    // What this thread and the shared stores hold goes back to its spans: there
    // a double free is seen.
    struct mcache *c = thread_tls.own;
    if (c != NULL)
        mcache_flush(c, &mound_heap);
    if (options->hardened > 1)
        slow_release_quarantine(/* all= */ true);
    if (options->hardened > 1)
        endcheck_live();
    runtime_reclaim();
    thread_leave();
}

// end_once writes what is to be written when this process ends, unless a thread of
// it has done so: whoever comes while that goes on waits for it, since the process
// is gone with all its threads when the first of them leaves.
static void end_once(void) {
    static struct turn turn;
    static int ended_pid; // whose turn it is
    int pid = sys_pid();
    if (pid != runtime_pid())
        return; // a child of vfork, in its parent's memory
    int error = turn_take(&turn, OUTFILE_WAIT_NS);
    if (error == -EDEADLK)
        outfile_abandon(); // a handler that ends the process interrupted us
    if (error != 0)
        return;
    if (ended_pid != pid) {
        profile_at_exit();
        dump_at_exit();
    }
    ended_pid = pid;
    turn_give(&turn);
}

void process_exiting(void) {
#ifdef MOUND_LOCK_COUNTS
    if (lock_counts != NULL)
        lockcount_write(lock_counts);
#endif
    if (!runtime_started() ||
        (options->stats == STATS_OFF && !profile_writes_at_exit()))
        return;
    runtime_enter();
    if (filter_came())
        return;
    end_once();
}

void process_filtered(void) {
    // A child that was made by a bare system call learns that it is one.
    if (runtime_started() && thread_enter()) {
        runtime_enter();
        thread_leave();
    }
    // A child of vfork runs in its parent's memory, and does not filter it.
    if (runtime_pid() != 0 && sys_pid() != runtime_pid())
        return;
    // For good. A filter is not to find a thread that it cannot be given to.
    process_pause_helper();
    profile_stop(); // first: that tells all threads, by a call to the system
    filter_note();
}

bool process_off(void) {
    return options->off;
}

bool process_keep_deepbind(void) {
    return options->keep_deepbind;
}

void process_go_passive(const struct runtime_next *next) {
    runtime_set_mode(RUNTIME_PASSIVE, next);
    profile_stop();
    if (!thread_enter())
        return;
    thread_drop_cache();
    thread_leave();
}

// Without a cache the next call of malloc comes the slow way, and is noticed.
void process_go_behind(const struct runtime_next *next) {
    runtime_set_mode(RUNTIME_UNCALLED, next);
    if (!thread_enter())
        return;
    thread_give_cache_back();
    thread_leave();
}

bool process_serves(size_t (*usable_size)(void *)) {
    void *p = emergency_slot();
    return usable_size(p) == emergency_usable_size(p);
}
