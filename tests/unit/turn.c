// turn.c: whose turn it is, for threads, handlers and forked children.
#include "base/turn.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NTHREADS = 8, NROUNDS = 300 };

static struct turn turn;
static int seen;       // by the handler
static unsigned count; // whose turn it is

static void handler(int signal) {
    (void)signal;
    seen = turn_take(&turn, 1000);
}

Test(turn, is_not_waited_for_in_the_thread_that_has_it) {
    cr_assert(zero(int, turn_take(&turn, 0)));
    signal(SIGUSR1, handler);

    raise(SIGUSR1);

    cr_assert(eq(int, seen, -EDEADLK));
    turn_give(&turn);
    raise(SIGUSR1);
    cr_assert(zero(int, seen));
}

static void *take(void *wait_ns) {
    return (void *)(intptr_t)turn_take(&turn, *(uint64_t *)wait_ns);
}

static int taken_by_another(uint64_t wait_ns) {
    pthread_t thread;
    void *ret;
    cr_assert(zero(int, pthread_create(&thread, NULL, take, &wait_ns)));
    pthread_join(thread, &ret);
    return (int)(intptr_t)ret;
}

Test(turn, is_waited_for_in_another_thread_but_not_for_ever) {
    cr_assert(zero(int, turn_take(&turn, 0)));

    cr_assert(eq(int, taken_by_another(0), -EBUSY));
    cr_assert(eq(int, taken_by_another(5 * 1000 * 1000), -EBUSY));

    turn_give(&turn);
    cr_assert(zero(int, taken_by_another(0)));
}

Test(turn, of_a_parent_is_not_its_childs) {
    cr_assert(zero(int, turn_take(&turn, 0)));

    pid_t pid = fork();
    if (pid == 0)
        _exit(turn_take(&turn, 0) == 0 && turn_take(&turn, 0) == -EDEADLK ? 0
                                                                          : 1);

    int status = 1;
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(zero(int, status));
    cr_assert(eq(int, turn_take(&turn, 0), -EDEADLK));
}

static void *add(void *unused) {
    (void)unused;
    for (int i = 0; i < NROUNDS; i++) {
        while (turn_take(&turn, 1000 * 1000 * 1000) != 0)
            ;
        count = count + 1;
        turn_give(&turn);
    }
    return NULL;
}

Test(turn, is_one_threads_at_a_time) {
    pthread_t threads[NTHREADS];
    for (int i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);

    cr_assert(eq(uint, count, NTHREADS * NROUNDS));
}
