// Probes traps 23 and 25: fork handlers that allocate, registered early by a
// library and late by the program. The program's prepare handler takes a lock
// under which another thread allocates: if the allocator's own prepare had run
// first, that thread would wait for the allocator, this one for that thread.
#include "expect.h"

#include <pthread.h>

extern int atfork_nprepares, atfork_nparents, atfork_nchildren;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool stop;
static _Atomic long nlocked;

static void prepare(void) {
    probe_workout();
    pthread_mutex_lock(&lock);
    probe_workout();
}

static void after(void) {
    probe_workout();
    pthread_mutex_unlock(&lock);
    probe_workout();
}

static void *lock_and_allocate(void *arg) {
    while (!stop) {
        pthread_mutex_lock(&lock);
        probe_workout();
        pthread_mutex_unlock(&lock);
        nlocked++;
        // The lock is not fair; the forking thread needs it too.
        usleep(50);
    }
    return arg;
}

int main(void) {
    enum { NFORKS = 60, NTHREADS = 2 };
    pthread_t threads[NTHREADS];
    pthread_atfork(prepare, after, after);
    for (int i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], NULL, lock_and_allocate, NULL) == 0,
               "thread");
    }
    for (int i = 0; i < NFORKS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            probe_child_starts();
            expect(atfork_nchildren == 1,
                   "the library's child handler ran %d "
                   "times",
                   atfork_nchildren);
            probe_workout();
            probe_sound();
            _exit(0);
        }
        probe_child_passed(pid, "fork");
    }
    stop = true;
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    expect(atfork_nprepares == NFORKS && atfork_nparents == NFORKS,
           "handlers ran %d and %d times", atfork_nprepares, atfork_nparents);
    expect(nlocked > 0, "the other threads never ran");
    probe_sound();
    return 0;
}
