// mutex.c: the waiting part of mutex.h, and the check of ranks.
//
// The three states follow Ulrich Drepper, "Futexes Are Tricky", second mutex.
// Because the word identifies its owner, a waiter sets the mark by compare and
// exchange.
#include "base/mutex.h"

enum {
    NSPINS = 100, // some microseconds: longer than our critical sections
    LOOK_NS = 200 * 1000, // between two looks of mutex_lock_until
};

// The kernel compares 32 bits: the half with the mark. The other half does not
// matter, because any owner of a lock with waiters wakes one when it unlocks.
static _Atomic uint32_t *futex_of(struct mutex *m) {
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    size_t last = sizeof m->word / sizeof(uint32_t) - 1;
    return (_Atomic uint32_t *)&m->word + (little ? 0 : last);
}

// wait_marked waits until it has the lock, or until end_ns: then it returns
// false. It takes the lock with the mark set, because other threads may still
// wait. A mark without waiters costs one needless wake.
static bool wait_marked(struct mutex *m, uint64_t end_ns) {
    uintptr_t self = sys_self() | MUTEX_CONTENDED;
    uintptr_t word = atomic_load_explicit(&m->word, memory_order_relaxed);
    for (;;) {
        uintptr_t next = word == MUTEX_FREE ? self : word | MUTEX_CONTENDED;
        // acquire: as in mutex_trylock_word
        if (word != next && !atomic_compare_exchange_weak_explicit(
                                &m->word, &word, next, memory_order_acquire,
                                memory_order_relaxed))
            continue;
        if (word == MUTEX_FREE)
            return true;
        uint64_t delay_ns = UINT64_MAX;
        if (end_ns != UINT64_MAX) {
            uint64_t now_ns = sys_now_ns();
            if (now_ns >= end_ns)
                return false;
            delay_ns = end_ns - now_ns;
        }
        sys_futex_wait(futex_of(m), (uint32_t)next, delay_ns);
        word = atomic_load_explicit(&m->word, memory_order_relaxed);
    }
}

static bool spin(struct mutex *m) {
    for (int i = 0; i < NSPINS; i++) {
        if (atomic_load_explicit(&m->word, memory_order_relaxed) ==
                MUTEX_FREE &&
            mutex_trylock_word(m))
            return true;
        sys_spin();
    }
    return false;
}

bool mutex_lock_until(struct mutex *m, uint64_t end_ns) {
    if (mutex_held(m)) {
        m->ntimes++;
        return true;
    }
    bool free = mutex_trylock_word(m);
    if (!free && !spin(m) && !wait_marked(m, end_ns))
        return false;
    lockcount(m->rank, /* contended= */ !free);
    lockrank_acquire(m->rank);
    return true;
}

void mutex_lock_slow(struct mutex *m) {
    mutex_lock_until(m, UINT64_MAX);
}

void mutex_unlock_slow(struct mutex *m) {
    sys_futex_wake(futex_of(m));
}

#ifdef MOUND_DEBUG
// How many locks of each rank this thread holds. Debug builds only: release
// builds may not have that much thread-local memory.
static __thread uint8_t nheld[LOCKRANK_COUNT] TLS_MODEL;

static __thread uint8_t npaused TLS_MODEL;

void lockrank_pause(void) {
    npaused++;
}

void lockrank_resume(void) {
    npaused--;
}

void lockrank_acquire(enum lockrank rank) {
    if (npaused > 0) {
        nheld[rank]++;
        return;
    }
    for (int above = (int)rank + 1; above < LOCKRANK_COUNT; above++)
        check(nheld[above] == 0, "lockrank: lock taken out of order");
    nheld[rank]++;
}

void lockrank_release(enum lockrank rank) {
    nheld[rank]--;
}
#endif
