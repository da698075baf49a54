// mutex.h: a lock of one word that is its owner.
//
// The owner is kept for fork: while a thread forks it holds every lock, and the
// handlers of other libraries may allocate on it then. So a lock that its own
// thread holds is taken again by counting. Otherwise a thread never takes a lock
// twice: a signal handler that interrupted a slow path is served without any lock
// (see runtime/thread.h).
//
// But such a handler may fork, and it may have interrupted mutex_lock or
// mutex_unlock. So there is one word, written by one instruction: before it the
// lock is free and the handler may have it, after it the lock is ours and the
// handler counts. A name beside the word would be missing in between, and the
// thread would wait for itself.
#ifndef MOUND_BASE_MUTEX_H
#define MOUND_BASE_MUTEX_H

#include <stdatomic.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/lockcount.h"
#include "base/lockrank.h"
#include "os/sys.h"

// The word is MUTEX_FREE or sys_self() of the holder, which is even, and then
// maybe MUTEX_CONTENDED: somebody sleeps on it.
enum {
    MUTEX_FREE = 0,
    MUTEX_CONTENDED = 1,
};

// All zero is a free lock of rank 0; mutex_init sets the rank.
struct mutex {
    _Atomic uintptr_t word;
    uint32_t ntimes; // taken again by the owner; owner only
    enum lockrank rank;
};

static inline void mutex_init(struct mutex *m, enum lockrank rank) {
    m->rank = rank;
}

// mutex_lock_until takes a lock as mutex_lock does, but waits no longer than until the
// clock of sys_now_ns shows end_ns; it returns whether it has the lock. UINT64_MAX: for
// ever. For a signal handler: whoever holds the lock may wait for what the handler
// interrupted.
bool mutex_lock_until(struct mutex *m, uint64_t end_ns);

// mutex_lock_slow waits until the lock is free, or counts when it is ours.
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);

#ifdef MOUND_DEBUG
void lockrank_acquire(enum lockrank rank);
void lockrank_release(enum lockrank rank);
// lockrank_pause stops the check on this thread until as many calls of lockrank_resume:
// fork takes all locks, possibly in a handler that interrupted a holder of one.
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
    // relaxed: only our own thread ever writes our own name, and others add to
    // it only while it is there
    uintptr_t word = atomic_load_explicit(&m->word, memory_order_relaxed);
    return (word & ~(uintptr_t)MUTEX_CONTENDED) == sys_self();
}

// While there is one thread, nobody can be in our way, and a plain store does
// what a locked instruction (5 ns) would do otherwise. A second thread begins
// only when its maker is in none of our sections.
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

// mutex_trylock takes a lock that nobody has, not even this thread.
static inline bool mutex_trylock(struct mutex *m) {
    // Looked at first: a lock that is held is then not written to.
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

// mutex_reset frees a lock whose holder does not exist in this process, after a
// fork that ran no handlers, and returns whether it was held: what it guards may
// be half changed then. Only the one thread of the child may call it.
static inline bool mutex_reset(struct mutex *m) {
    uintptr_t word =
        atomic_exchange_explicit(&m->word, MUTEX_FREE, memory_order_relaxed);
    m->ntimes = 0;
    return word != MUTEX_FREE;
}

#endif // MOUND_BASE_MUTEX_H
