// profile.c: see profile.h.
#include "watch/profile.h"

#include <errno.h>

#include "mound.h"
#include "os/fault.h"
#include "os/filter.h"
#include "prof/mprof_write.h"
#include "runtime/mode.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/sampling.h"
#include "runtime/thread.h"
#include "watch/unwinder.h"

struct mprof profile_table;
static _Atomic bool begun; // the table and the stores of samples exist
static struct mutex starting = {.rank = LOCKRANK_FORK};

// (starting) Who started sampling: a tracer (tracers.h), or nrequested requests
// (control.h). If neither, and samples are taken: the program.
static bool followed;
static unsigned nrequested;

bool profile_wanted(void) {
    return options->profile_rate != 0 &&
           (options->profile_path[0] != '\0' || options->guard != 0);
}

// hide_caches sends every thread through one slow path, where it sees the new epoch.
// A thread leaves a slow path by first showing its cache and then reading the epoch.
// If it showed the cache before the barrier, the cache is hidden again here; if after,
// the thread sees the epoch.
static void hide_caches(void) {
    if (!sys_barrier_all())
        return;
    thread_lock_list();
    struct list *caches = thread_list();
    struct list *l = caches->next;
    for (size_t n = thread_count(); n > 0; n--, l = l->next) {
        struct mcache *c = list_entry(l, struct mcache, link);
        struct thread_tls *t = c->owner_tls;
        // A thread that ended by a raw system call left its cache, and its stack may
        // be unmapped or used by another.
        uint64_t own;
        if (fault_peek((uintptr_t)&t->own, &own) && own == (uintptr_t)c)
            __atomic_store_n(&t->cache_distance, 0, __ATOMIC_RELAXED);
    }
    thread_unlock_list();
}

static bool begin_once(void) {
    if (atomic_load_explicit(&begun, memory_order_relaxed))
        return true;
    if (!mheap_start_sampling(&mound_heap))
        return false;
    mprof_init(&profile_table, &mound_heap.persistent);
    atomic_store_explicit(&profile_table.start_unix_ns, sys_unix_ns(),
                          memory_order_relaxed);
    // release: partner in mheap_profile_bytes
    atomic_store_explicit(&mound_heap.profile_sys, &profile_table.sys_bytes,
                          memory_order_release);
    // release: partner in mound_memprofile_write
    atomic_store_explicit(&begun, true, memory_order_release);
    return true;
}

static void turn_sampling(bool on) {
    sampling_turn(on);
    hide_caches();
}

static bool start_locked(uint64_t rate) {
    followed = false;
    nrequested = 0;
    if (!begin_once())
        return false;
    atomic_store_explicit(&profile_table.rate, rate, memory_order_relaxed);
    sampling_set_rate(rate);
    turn_sampling(true);
    return true;
}

static void stop_locked(void) {
    followed = false;
    nrequested = 0;
    if (sampling_on())
        turn_sampling(false);
}

static int start_own_locked(uint64_t rate) {
    return start_locked(rate) ? 0 : -ENOMEM;
}

static int request_locked(uint64_t rate) {
    bool on = sampling_on();
    if (on && !followed && nrequested == 0)
        return 1;
    unsigned n = on ? nrequested : 0;
    if (!on && !start_locked(rate))
        return -ENOMEM;
    nrequested = n + 1;
    return 0;
}

void profile_follow(uint64_t rate) {
    mutex_lock(&starting);
    if (!sampling_on())
        followed = start_locked(rate);
    mutex_unlock(&starting);
}

void profile_unfollow(void) {
    mutex_lock(&starting);
    if (followed && nrequested == 0)
        stop_locked();
    followed = false;
    mutex_unlock(&starting);
}

static int start_by(uint64_t rate, int (*locked)(uint64_t rate)) {
    if (runtime_passive())
        return -ENOTSUP;
    if (rate > INT64_MAX)
        return -EINVAL;
    if (filter_noted())
        return -EPERM; // the barrier for all threads is a system call
    if (!thread_enter())
        return -EBUSY; // a signal handler that interrupted malloc
    runtime_enter();
    mutex_lock(&starting);
    int answer = locked(rate);
    mutex_unlock(&starting);
    thread_leave();
    return answer;
}

int profile_start(uint64_t rate) {
    return rate == 0 ? profile_stop() : start_by(rate, start_own_locked);
}

int profile_request(uint64_t rate) {
    return rate == 0 ? -EINVAL : start_by(rate, request_locked);
}

static int stop_own_locked(void) {
    stop_locked();
    return 0;
}

static int unrequest_locked(void) {
    if (nrequested == 1 && !followed)
        stop_locked();
    else if (nrequested > 0)
        nrequested--;
    return sampling_on() ? 1 : 0;
}

static int stop_by(int (*locked)(void)) {
    if (!runtime_started())
        return 0;
    if (!thread_enter())
        return -EBUSY;
    runtime_enter();
    mutex_lock(&starting);
    int answer = locked();
    mutex_unlock(&starting);
    thread_leave();
    return answer;
}

int profile_stop(void) {
    return stop_by(stop_own_locked);
}

int profile_unrequest(void) {
    return stop_by(unrequest_locked);
}

bool profile_begun(void) {
    // acquire: sees the table; partner: release in begin_once
    return atomic_load_explicit(&begun, memory_order_acquire);
}

int profile_write(enum mprof_format format, int fd) {
    return profile_begun() ? mprof_write(&profile_table, format, fd) : -ENODATA;
}

void profile_hurry(void) {
    if (filter_noted() || !thread_enter())
        return;
    mutex_lock(&starting);
    turn_sampling(sampling_on());
    mutex_unlock(&starting);
    thread_leave();
}

bool profile_begin(void) {
    if (profile_begun())
        return true;
    if (!thread_enter())
        return false; // a signal handler, perhaps inside begin_once
    mutex_lock(&starting);
    bool can = begin_once();
    mutex_unlock(&starting);
    thread_leave();
    return can;
}

struct mutex *profile_starts_mutex(void) {
    return &starting;
}

void profile_repair(void) {
    mutex_reset(&profile_table.lock); // no chain has an unfinished bucket
    mutex_reset(&starting);
}

// answer turns 0 or -errno into the return value of the calls of mound.h.
static int answer(int error) {
    if (error == 0)
        return 0;
    errno = -error;
    return -1;
}

EXPORT int mound_memprofile_start(size_t rate) {
    static _Atomic bool loaded;
    if (rate != 0 && !runtime_passive() &&
        !atomic_exchange_explicit(&loaded, true, memory_order_relaxed) &&
        !atomic_load_explicit(&begun, memory_order_relaxed) &&
        !options->unwind_asked)
        unwinder_load();
    return answer(profile_start(rate));
}

EXPORT int mound_memprofile_stop(void) {
    return answer(profile_stop());
}

EXPORT int mound_memprofile_write(int fd, enum mound_memprofile_format format) {
    switch (format) {
    case MOUND_MEMPROFILE_PPROF:
        return answer(profile_write(MPROF_PPROF, fd));
    case MOUND_MEMPROFILE_HEAP_V2:
        return answer(profile_write(MPROF_HEAP_V2, fd));
    }
    return answer(profile_begun() ? -EINVAL : -ENODATA);
}
