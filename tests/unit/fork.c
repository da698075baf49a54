// fork.c: forks out of a slow path, as a signal handler's are. The states that
// need luck in a program are made here (tests/probes/fork_signal.c has programs).
#include "life/fork.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mound.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/profile.h"

enum {
    HANG_S = 30,
    LARGE = 200 << 10,
    MANY = 3000,
    NFORKS = 10,
    NOTHERS = 3,
    WHILE_US = 20 * 1000,
};

// A lock, and another one that its holder waits for.
struct waiter {
    struct mutex *holds, *waits_for;
    pthread_t thread;
    _Atomic bool holding;
};

static void *wait_with_lock(void *arg) {
    struct waiter *w = arg;
    thread_enter();
    mutex_lock(w->holds);
    w->holding = true;
    mutex_lock(w->waits_for);
    mutex_unlock(w->waits_for);
    mutex_unlock(w->holds);
    thread_leave();
    return NULL;
}

static void begin_to_wait(struct waiter *w) {
    pthread_create(&w->thread, NULL, wait_with_lock, w);
    while (!w->holding ||
           (atomic_load(&w->waits_for->word) & MUTEX_CONTENDED) == 0)
        usleep(100);
}

// use allocates and frees what needs every lock of the heap.
static int use(void) {
    static void *blocks[MANY];
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = mound_malloc(i % 100 == 0 ? LARGE : 8 + i % 1000);
        if (blocks[i] == NULL)
            return 1;
    }
    for (size_t i = 0; i < MANY; i++)
        mound_free(blocks[i]);
    mound_malloc_trim(0);
    return mound_verify();
}

static _Atomic int nfailed;

// fork_often forks as threads do that are in no handler.
static void *fork_often(void *arg) {
    for (int i = 0; i < NFORKS; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(use());
        int status;
        if (waitpid(pid, &status, 0) != pid || status != 0)
            nfailed++;
    }
    return arg;
}

// fork_out_of forks where a handler does that interrupted the holder of mheap.lock,
// while another thread holds a lock above and waits for that. The child leaves the slow
// path as the handler would return to it, and uses the heap. Meanwhile others fork.
static void fork_out_of(struct mutex *held_by_another, int nothers) {
    struct waiter w = {.holds = held_by_another, .waits_for = &mound_heap.lock};
    use();
    thread_enter();
    mutex_lock(&mound_heap.lock);
    begin_to_wait(&w);
    pthread_t others[NOTHERS];
    for (int i = 0; i < nothers; i++)
        pthread_create(&others[i], NULL, fork_often, NULL);
    if (nothers > 0)
        usleep(WHILE_US); // most likely one of them waits for the lock by now

    pid_t pid = fork();

    mutex_unlock(&mound_heap.lock);
    thread_leave();
    if (pid == 0)
        _exit(use());
    int status;
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(zero(int, status));
    pthread_join(w.thread, NULL);
    for (int i = 0; i < nothers; i++)
        pthread_join(others[i], NULL);
    cr_assert(zero(int, nfailed));
    cr_assert(zero(int, use()));
}

Test(fork, a_handler_does_not_wait_for_the_scavenger_that_waits_for_it,
     .timeout = HANG_S) {
    fork_out_of(&mound_heap.scavenger, 0);
}

Test(fork, a_handler_does_not_wait_for_a_class_whose_holder_waits_for_it,
     .timeout = HANG_S) {
    fork_out_of(&mheap_class(&mound_heap, 5)->lock, 0);
}

Test(fork, a_handler_does_not_wait_for_the_list_of_threads_that_waits_for_it,
     .timeout = HANG_S) {
    fork_out_of(thread_list_mutex(), 0);
}

Test(fork, a_handler_does_not_wait_for_a_start_of_profiles_that_waits_for_it,
     .timeout = HANG_S) {
    fork_out_of(profile_starts_mutex(), 0);
}

Test(fork, others_fork_beside_a_handler_that_does_not_wait, .timeout = HANG_S) {
    fork_out_of(&mound_heap.scavenger, NOTHERS);
}

// A handler that forks while its thread waits for the locks of a fork, which the holder
// of mheap.lock waits for as well.
static _Atomic bool let_go, handled;
static pthread_t forker;

static void fork_in_handler(int signal) {
    int status;
    (void)signal;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        nfailed++;
    handled = true;
}

static void *fork_once(void *arg) {
    pid_t pid = fork();
    int status;
    if (pid == 0)
        _exit(use());
    if (waitpid(pid, &status, 0) != pid || status != 0)
        nfailed++;
    return arg;
}

Test(fork, a_handler_in_the_midst_of_a_fork_does_not_wait_for_ever,
     .timeout = HANG_S) {
    use();
    signal(SIGUSR1, fork_in_handler);
    thread_enter();
    mutex_lock(&mound_heap.lock);
    pthread_create(&forker, NULL, fork_once, NULL);
    while ((atomic_load(&mound_heap.lock.word) & MUTEX_CONTENDED) == 0)
        usleep(100);
    pthread_kill(forker, SIGUSR1);
    while (!handled)
        usleep(100);
    mutex_unlock(&mound_heap.lock);
    thread_leave();
    pthread_join(forker, NULL);
    cr_assert(zero(int, nfailed));
    cr_assert(zero(int, use()));
}

static void *hold(void *arg) {
    struct waiter *w = arg;
    thread_enter();
    mutex_lock(w->holds);
    w->holding = true;
    while (!let_go)
        usleep(100);
    mutex_unlock(w->holds);
    thread_leave();
    return NULL;
}

// fork_bare_beside makes a child without handlers while another thread holds a lock. The
// child forks in its turn, before it has called malloc.
static void fork_bare_beside(struct mutex *held_by_another) {
    struct waiter w = {.holds = held_by_another};
    use();
    pthread_create(&w.thread, NULL, hold, &w);
    while (!w.holding)
        usleep(100);

    pid_t pid = _Fork();

    int status;
    if (pid == 0) {
        runtime_set_state(
            RUNTIME_FORKED); // the kernel does it with real memory
        pid_t below = fork();
        if (below == 0)
            _exit(use());
        _exit(waitpid(below, &status, 0) != below || status != 0 || use() != 0);
    }
    let_go = true;
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(zero(int, status));
    pthread_join(w.thread, NULL);
}

Test(fork, a_child_without_handlers_forks_though_profiles_were_being_started,
     .timeout = HANG_S) {
    fork_bare_beside(profile_starts_mutex());
}

Test(fork, a_child_without_handlers_forks_though_the_heap_was_being_walked,
     .timeout = HANG_S) {
    fork_bare_beside(&mound_heap.scavenger);
}
