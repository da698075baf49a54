// mutex.c: the futex lock, its owner, and the order of locks.
#include "base/mutex.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

enum { NTHREADS = 4, NROUNDS = 300000 };

static struct mutex lock;
static uint64_t counter; // (lock)
static pthread_barrier_t together;

static void *count_up(void *arg) {
    (void)arg;
    pthread_barrier_wait(&together);
    for (int i = 0; i < NROUNDS; i++) {
        mutex_lock(&lock);
        uint64_t n = *(volatile uint64_t *)&counter;
        if (i % 64 == 0)
            sys_spin();
        *(volatile uint64_t *)&counter = n + 1;
        mutex_unlock(&lock);
    }
    return NULL;
}

Test(mutex, no_increment_is_lost_between_threads) {
    pthread_t threads[NTHREADS];
    mutex_init(&lock, LOCKRANK_MHEAP);
    pthread_barrier_init(&together, NULL, NTHREADS);

    for (int i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, count_up, NULL);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);

    cr_assert(eq(u64, counter, (uint64_t)NTHREADS * NROUNDS));
    cr_assert(eq(uptr, lock.word, MUTEX_FREE));
}

static _Atomic int step;

static void *wait_for_lock(void *arg) {
    (void)arg;
    step = 1;
    mutex_lock(&lock);
    step = 2;
    mutex_unlock(&lock);
    return NULL;
}

Test(mutex, a_sleeper_is_woken_when_the_holder_lets_go) {
    pthread_t thread;
    mutex_init(&lock, LOCKRANK_MHEAP);
    mutex_lock(&lock);
    pthread_create(&thread, NULL, wait_for_lock, NULL);
    while ((atomic_load(&lock.word) & MUTEX_CONTENDED) == 0)
        usleep(100); // until it sleeps on the word

    cr_assert(eq(int, step, 1));
    mutex_unlock(&lock);
    pthread_join(thread, NULL);

    cr_assert(eq(int, step, 2));
}

// hold keeps the lock until it is told to let go.
static void *hold(void *arg) {
    (void)arg;
    mutex_lock(&lock);
    step = 1;
    while (step == 1)
        usleep(100);
    mutex_unlock(&lock);
    return NULL;
}

Test(mutex, who_waits_until_a_time_goes_on_without_it_then) {
    enum { WAIT_NS = 20 * 1000 * 1000 };
    pthread_t thread;
    mutex_init(&lock, LOCKRANK_MHEAP);
    pthread_create(&thread, NULL, hold, NULL);
    while (step == 0)
        usleep(100);
    uint64_t end_ns = sys_now_ns() + WAIT_NS;

    cr_assert(not(mutex_lock_until(&lock, end_ns)));
    cr_assert(ge(u64, sys_now_ns(), end_ns));

    step = 2;
    cr_assert(mutex_lock_until(&lock, UINT64_MAX));
    pthread_join(thread, NULL);
    cr_assert(mutex_lock_until(&lock, 0)); // ours: taken again
    mutex_unlock(&lock);
    cr_assert(mutex_held(&lock));
    mutex_unlock(&lock);
    cr_assert(mutex_lock_until(&lock, 0)); // free: no time is needed
}

static void *look_whether_held(void *ret) {
    *(bool *)ret = mutex_held(&lock);
    return NULL;
}

Test(mutex, only_its_holder_sees_it_held) {
    bool held_elsewhere = true;
    pthread_t thread;
    mutex_init(&lock, LOCKRANK_MHEAP);
    cr_assert(not(mutex_held(&lock)));

    mutex_lock(&lock);
    pthread_create(&thread, NULL, look_whether_held, &held_elsewhere);
    pthread_join(thread, NULL);

    cr_assert(mutex_held(&lock));
    cr_assert(not(held_elsewhere));
    mutex_unlock(&lock);
    cr_assert(not(mutex_held(&lock)));
}

Test(mutex, its_holder_may_take_it_again_and_lets_go_as_often) {
    mutex_init(&lock, LOCKRANK_MHEAP);
    mutex_lock(&lock);
    mutex_lock(&lock);
    mutex_lock(&lock);

    mutex_unlock(&lock);
    mutex_unlock(&lock);
    cr_assert(mutex_held(&lock));
    mutex_unlock(&lock);

    cr_assert(not(mutex_held(&lock)));
    cr_assert(eq(uptr, lock.word, MUTEX_FREE));
}

#ifdef __x86_64__
// A handler that forks takes every lock and lets go of it. Here one does so
// behind every instruction of another use of the lock: the processor calls it
// by SIGTRAP as long as the trap flag is set.
enum { TRAP_FLAG = 0x100, NSTEPPED = 300, STEPPED_TIMEOUT_S = 60 };
static volatile bool stepping;
static volatile unsigned nsteps;

static void fork_here(int signo, siginfo_t *info, void *context) {
    ucontext_t *interrupted = context;
    (void)signo;
    (void)info;
    if (!stepping) {
        interrupted->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    interrupted->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
    nsteps++;
    mutex_lock(&lock);
    counter += 2;
    mutex_unlock(&lock);
}

// stepped_uses counts up nrounds times beside what the handler adds.
static void stepped_uses(int nrounds) {
    struct sigaction act = {.sa_sigaction = fork_here, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &act, NULL);
    for (int i = 0; i < nrounds; i++) {
        stepping = true;
        raise(SIGTRAP); // returns with the flag set
        mutex_lock(&lock);
        mutex_unlock(&lock);
        stepping = false;
    }
}

Test(mutex, a_handler_may_have_it_wherever_it_interrupts,
     .timeout = STEPPED_TIMEOUT_S) {
    mutex_init(&lock, LOCKRANK_MHEAP);

    stepped_uses(2);

    cr_assert(gt(uint, nsteps, 20));
    cr_assert(eq(u64, counter, 2 * nsteps));
    cr_assert(eq(uptr, lock.word, MUTEX_FREE));
    cr_assert(eq(u32, lock.ntimes, 0));
}

static _Atomic bool enough;

static void *use_meanwhile(void *ret_count) {
    uint64_t n = 0;
    sigset_t traps;
    sigemptyset(&traps);
    sigaddset(&traps, SIGTRAP);
    pthread_sigmask(SIG_BLOCK, &traps, NULL);
    for (; !enough; n++) {
        mutex_lock(&lock);
        counter++;
        mutex_unlock(&lock);
    }
    *(uint64_t *)ret_count = n;
    return NULL;
}

Test(mutex, a_handler_may_have_it_wherever_it_interrupts_beside_threads,
     .timeout = STEPPED_TIMEOUT_S) {
    pthread_t thread;
    uint64_t theirs;
    mutex_init(&lock, LOCKRANK_MHEAP);
    pthread_create(&thread, NULL, use_meanwhile, &theirs);

    stepped_uses(NSTEPPED);
    enough = true;
    pthread_join(thread, NULL);

    cr_assert(eq(u64, counter, theirs + 2 * nsteps));
    cr_assert(eq(uptr, lock.word, MUTEX_FREE));
    cr_assert(eq(u32, lock.ntimes, 0));
}
#endif

static void *lock_and_leave(void *arg) {
    (void)arg;
    mutex_lock(&lock);
    mutex_lock(&lock);
    return NULL;
}

Test(mutex, a_lock_whose_holder_is_gone_can_be_freed) {
    pthread_t thread;
    mutex_init(&lock, LOCKRANK_MHEAP);
    pthread_create(&thread, NULL, lock_and_leave, NULL);
    pthread_join(thread, NULL);

    mutex_reset(&lock);
    mutex_lock(&lock);
    mutex_unlock(&lock);

    cr_assert(eq(uptr, lock.word, MUTEX_FREE));
}

Test(mutex, locks_in_their_order_are_accepted) {
    static struct mutex low, high;
    mutex_init(&low, LOCKRANK_THREADS);
    mutex_init(&high, LOCKRANK_MHEAP);

    for (int i = 0; i < 3; i++) {
        mutex_lock(&low);
        mutex_lock(&high);
        mutex_unlock(&high);
        mutex_unlock(&low);
    }

    cr_assert(eq(uptr, low.word, MUTEX_FREE));
}

Test(mutex, a_lock_out_of_order_ends_the_process, .signal = SIGABRT) {
    static struct mutex low, high;
    mutex_init(&low, LOCKRANK_THREADS);
    mutex_init(&high, LOCKRANK_MHEAP);
    mutex_lock(&high);

    mutex_lock(&low);
}

Test(mutex, claiming_a_lock_that_is_not_held_ends_the_process,
     .signal = SIGABRT) {
    mutex_init(&lock, LOCKRANK_MHEAP);

    mutex_assert_held(&lock);
}
