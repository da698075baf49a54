// mutex.h: a lock of one word, which identifies its owner.
//
// The owner is needed for fork: a forking thread holds every lock, and the fork
// handlers of other libraries may allocate on it meanwhile. So a lock may be
// taken again by its owner, which counts. Otherwise a thread never takes a lock
// twice: a signal handler that interrupted a slow path is served without locks
// (see runtime/thread.h).
//
// But such a handler may fork, and it may have interrupted mutex_lock or
// mutex_unlock. So owner and state are one word, written by one instruction:
// before it the lock is free and the handler may take it, after it the lock is
// ours and the handler counts. With the owner in a second word, the thread
// could wait for itself.
#ifndef MOUND_BASE_MUTEX_H
#define MOUND_BASE_MUTEX_H

#include <stdatomic.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/lockcount.h"
#include "base/lockrank.h"
#include "os/sys.h"

// The word is MUTEX_FREE, or sys_self() of the owner, which is even, with
// MUTEX_CONTENDED if threads wait.
enum {
    MUTEX_FREE = 0,
    MUTEX_CONTENDED = 1,
};

// All zero is a free lock of rank 0; mutex_init sets the rank.
struct mutex {
    _Atomic uintptr_t word;
    uint32_t ntimes; // nested locks by the owner; owner only
    enum lockrank rank;
};

static inline void mutex_init(struct mutex *m, enum lockrank rank) {
    m->rank = rank;
}

// mutex_lock_until is mutex_lock, but waits no longer than until sys_now_ns()
// is end_ns (UINT64_MAX: without limit) and returns whether it has the lock.
// For a signal handler: the owner may be waiting for what the handler
// interrupted.
bool mutex_lock_until(struct mutex *m, uint64_t end_ns);

// mutex_lock_slow waits until the lock is free, or counts if the caller is the
// owner.
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);

#ifdef MOUND_DEBUG
void lockrank_acquire(enum lockrank rank);
void lockrank_release(enum lockrank rank);
// lockrank_pause stops the check on this thread until lockrank_resume was
// called as often: fork takes all locks, possibly in a handler that interrupted
// an owner.
void lockrank_pause(void);
void lockrank_resume(void);
#else
static inline void lockrank_pause(void) {
}
static inline void lockrank_resume(void) {
}
static inline void lockrank_acquire(enum lockrank rank) {
    (void)rank;
}
static inline void lockrank_release(enum lockrank rank) {
    (void)rank;
}
#endif

static inline bool mutex_held(struct mutex *m) {
    // relaxed: only this thread writes its own ID, and others only set
    // MUTEX_CONTENDED while it is there
    uintptr_t word = atomic_load_explicit(&m->word, memory_order_relaxed);
    return (word & ~(uintptr_t)MUTEX_CONTENDED) == sys_self();
}

// With one thread there is no contention, and a plain store replaces a locked
// instruction (5 ns). A second thread starts only while its creator is outside
// these functions.
static inline bool mutex_trylock_word(struct mutex *m) {
    uintptr_t expected = MUTEX_FREE;
    if (sys_single_threaded()) {
        if (atomic_load_explicit(&m->word, memory_order_relaxed) != MUTEX_FREE)
            return false;
        atomic_store_explicit(&m->word, sys_self(), memory_order_relaxed);
        return true;
    }
    // acquire: sees what the last holder wrote; partner: release in unlock
    return atomic_compare_exchange_strong_explicit(
        &m->word, &expected, sys_self(), memory_order_acquire,
        memory_order_relaxed);
}

static inline void mutex_lock(struct mutex *m) {
    if (UNLIKELY(!mutex_trylock_word(m))) {
        mutex_lock_slow(m);
        return;
    }
    lockcount(m->rank, /* contended= */ false);
    lockrank_acquire(m->rank);
}

// mutex_trylock takes a free lock; it fails if any thread, even this one, has
// it.
static inline bool mutex_trylock(struct mutex *m) {
    // Read first, so that a taken lock's cache line is not written.
    if (atomic_load_explicit(&m->word, memory_order_relaxed) != MUTEX_FREE ||
        !mutex_trylock_word(m))
        return false;
    lockcount(m->rank, /* contended= */ false);
    lockrank_acquire(m->rank);
    return true;
}

static inline void mutex_unlock(struct mutex *m) {
    if (UNLIKELY(m->ntimes > 0)) {
        m->ntimes--;
        return;
    }
    lockrank_release(m->rank);
    if (sys_single_threaded()) {
        atomic_store_explicit(&m->word, MUTEX_FREE, memory_order_relaxed);
        return;
    }
    // release: partner is the acquire in mutex_trylock_word
    if (UNLIKELY(atomic_exchange_explicit(&m->word, MUTEX_FREE,
                                          memory_order_release) &
                 MUTEX_CONTENDED))
        mutex_unlock_slow(m);
}

static inline void mutex_assert_held(struct mutex *m) {
    debug_check(mutex_held(m), "mutex: lock is not held");
}

// mutex_reset frees a lock whose owner does not exist in this process, after a
// fork that ran no handlers. It returns whether the lock was held: the data it
// guards may then be half changed. Only the single thread of the child may call
// it.
static inline bool mutex_reset(struct mutex *m) {
    uintptr_t word =
        atomic_exchange_explicit(&m->word, MUTEX_FREE, memory_order_relaxed);
    m->ntimes = 0;
    return word != MUTEX_FREE;
}

#endif // MOUND_BASE_MUTEX_H
