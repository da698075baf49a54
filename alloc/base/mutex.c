// mutex.c: the waiting half of mutex.h, and the check of ranks.
//
// The three states and the exchange in the waiter follow Ulrich Drepper,
// "Futexes Are Tricky", second mutex.
#include "base/mutex.h"

enum { NSPINS = 100 }; // some microseconds: our sections are shorter than that

void mutex_lock_slow(struct mutex *m) {
    if (mutex_held(m)) {
        m->ntimes++;
        return;
    }
    for (int i = 0; i < NSPINS; i++) {
        if (atomic_load_explicit(&m->word, memory_order_relaxed) ==
                MUTEX_FREE &&
            mutex_trylock_word(m))
            goto locked;
        sys_spin();
    }
    while (atomic_exchange_explicit(&m->word, MUTEX_CONTENDED,
                                    memory_order_acquire) != MUTEX_FREE)
        sys_futex_wait(&m->word, MUTEX_CONTENDED);
locked:
    lockcount(m->rank, /* contended= */ true);
    lockrank_acquire(m->rank);
    atomic_store_explicit(&m->owner, sys_self(), memory_order_relaxed);
}

void mutex_unlock_slow(struct mutex *m) {
    sys_futex_wake(&m->word);
}

#ifdef MOUND_DEBUG
// How many locks of each rank this thread holds. Debug builds only: it is more
// thread-local memory than a release build may have.
static __thread uint8_t nheld[LOCKRANK_COUNT] TLS_MODEL;

static __thread bool paused TLS_MODEL;

void lockrank_pause(void) {
    paused = true;
}

void lockrank_resume(void) {
    paused = false;
}

void lockrank_acquire(enum lockrank rank) {
    if (paused) {
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
