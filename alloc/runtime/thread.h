// thread.h: this thread's mcache. The only thread-local memory of mound.
#ifndef MOUND_THREAD_H
#define MOUND_THREAD_H

#include "heap/mcache.h"
#include "prof/sample.h"
#include "runtime/sampling.h"

enum thread_state {
    THREAD_NEW = 0,   // no slow path yet
    THREAD_ATTACHING, // a call made by its own attach
    THREAD_LIVE,      // has an mcache
    THREAD_BARE,      // has no mcache: hardened mode, or no memory for it
    THREAD_DEAD,      // past its end; served one slot at a time, under locks
    THREAD_AWAY,      // in a foreign function amid a slow path; served likewise
};

// struct thread_tls must be usable when all zero: the dynamic loader may call
// malloc before it has copied the initial values of thread-local memory. So the
// cache is stored as its distance from mcache_none; 0 means none.
struct thread_tls {
    uintptr_t cache_distance; // other threads may set it to 0 (hide_caches). An
                              // atomic load would cost the fast paths one more
                              // instruction, and no compiler splits this load
    struct mcache *own;       // the cache, while slow paths hide it; or NULL
    uint8_t depth;            // slow paths entered and not left
    uint8_t state;            // enum thread_state
    uint8_t nrounds;          // times the destructor of our key has run
    bool unwinding;           // its allocations are not sampled now
    uint16_t nticks;          // see SLOWPATH_TICKS
    uint16_t epoch;           // the last sampling_epoch that it saw
    void **deferred;          // frees deferred by handlers that interrupted it
    struct sampler sampler;   // for allocations outside of magazines
    uint64_t random;          // state of fastrand; 0: not yet seeded
};
_Static_assert(sizeof(struct thread_tls) <= 56,
               "thread-local memory is cut from every thread's stack");

extern __thread struct thread_tls thread_tls TLS_MODEL HIDDEN;

// thread_cache returns this thread's cache; MCACHE_NONE if it has none, or is
// in a slow path.
ALWAYS_INLINE struct mcache *thread_cache(void) {
    return (struct mcache *)((uintptr_t)mcache_none +
                             thread_tls.cache_distance);
}

// thread_enter begins a slow path: until thread_leave this thread has no hits, so that
// a signal handler takes the slow path too. It returns false in such a handler, which
// must not lock anything and does not call thread_leave.
ALWAYS_INLINE bool thread_enter(void) {
    struct thread_tls *t = &thread_tls;
    if (UNLIKELY(t->depth > 0))
        return false;
    t->depth = 1;
    __atomic_store_n(&t->cache_distance, 0, __ATOMIC_RELAXED);
    // A handler of this thread sees both before we touch any shared record.
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

// thread_run_deferred does the frees that handlers deferred.
COLD void thread_run_deferred(void);

// thread_see_epoch notes the present sampling_epoch for this thread and chooses its next
// sampled malloc. With its cache hidden.
COLD void thread_see_epoch(void);

ALWAYS_INLINE void thread_leave(void) {
    struct thread_tls *t = &thread_tls;
    if (UNLIKELY(t->deferred != NULL))
        thread_run_deferred();
    // While the cache is hidden: a handler's hit would change the counts.
    if (UNLIKELY(sampling_epoch_now() != t->epoch))
        thread_see_epoch();
    atomic_signal_fence(memory_order_seq_cst);
    if (t->own != NULL)
        __atomic_store_n(&t->cache_distance,
                         (uintptr_t)t->own - (uintptr_t)mcache_none,
                         __ATOMIC_RELAXED);
    // After the store: see hide_caches (watch/profile.c).
    atomic_signal_fence(memory_order_seq_cst);
    if (UNLIKELY(sampling_epoch_now() != t->epoch))
        __atomic_store_n(&t->cache_distance, 0, __ATOMIC_RELAXED);
    t->depth = 0;
}

// thread_mcache, within a slow path, returns this thread's cache, which the first call
// makes, or NULL if the thread has to do without.
struct mcache *thread_mcache(void);

// thread_go_away takes this thread out of its slow path, for a call of a function that
// may allocate; thread_come_back returns to the slow path. In between, the thread is
// served without its cache, which may be half changed. thread_go_away returns false
// outside of a slow path, while away already, and in the helper thread. ret_saved: see
// os/memwatch.h.
bool thread_go_away(uintptr_t *ret_saved);
void thread_come_back(const uintptr_t *saved);

// thread_defer_free defers a free in a handler that interrupted a slow path until that
// path ends. Without room the block is leaked, and all counters see a live object.
void thread_defer_free(void *p);

// thread_give_cache_back frees this thread's cache; its next slow path makes
// another. thread_drop_cache leaves it THREAD_BARE. Within a slow path.
void thread_give_cache_back(void);
void thread_drop_cache(void);

// thread_lock_list guards the list of live caches; see base/lockrank.h.
void thread_lock_list(void);
void thread_unlock_list(void);
struct mutex *thread_list_mutex(void); // for fork

// thread_list is the head of a ring of caches: first those of live threads,
// thread_count of them, then orphans. Under lock.
struct list *thread_list(void);
size_t thread_count(void);

// thread_init_exit makes at_end run when a thread with a cache ends. The constructor
// calls it once; it may allocate.
void thread_init_exit(void (*at_end)(void));

// thread_random is the state of this thread's random numbers, seeded.
uint64_t *thread_random(void);

// thread_start_anew makes this thread, in a child of a fork, choose new samples:
// siblings must not all sample the same calls.
void thread_start_anew(void);

// thread_slow_once makes this thread's next call take the slow path.
void thread_slow_once(void);

// Orphans are the caches of threads that do not exist in this process because it was
// forked. They are left alone at first, since most children exec or exit soon: a child
// of 800 threads that gave all back in its first call needed 143 ms and 1 868 page
// faults. Their slots count as free, as in any magazine, and no budget counts them.
// Slow paths give the caches back one by one when the child needs memory.
//
// thread_orphan_others makes every cache but this thread's an orphan; cost: a few
// stores. thread_orphan_repaired does the same after a fork without handlers, where
// the lock may be held and the magazines of rebuilt classes half changed.
void thread_orphan_others(void);
void thread_orphan_repaired(const bool rebuilt[NUM_SIZECLASSES]);

// thread_has_orphans: one load. thread_drain_orphan gives one back; false: there was
// none. Within a slow path; it takes locks.
bool thread_has_orphans(void);
bool thread_drain_orphan(void);

#endif // MOUND_THREAD_H
