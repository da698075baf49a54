// Probes traps 23, 27 and 29: a program forks while other threads are inside malloc and
// free, in each possible way (argument: fork, _Fork, SYS_fork, SYS_clone; all but fork
// run no handlers). The child's heap must work: all sizes, blocks of its parent's
// threads, threads and a fork of its own. Every block has a pattern, which shows if one
// is allocated twice.
// With a second argument "quiet" the other threads stop before the fork, with full
// caches; with "busy" they do not. The third is the seed, the fourth the number of
// forks.
#include "expect.h"

#include <pthread.h>
#include <sys/syscall.h>

enum { NTHREADS = 4, NSLOTS = 200, NFORKS = 20, NFORKS_QUIET = 10 };

static _Atomic bool stop;
static _Atomic long nblocks;
static void *shared[NSLOTS]; // threads exchange blocks, so frees cross threads
static const char *how;
static bool quiet;
static pthread_rwlock_t gate; // written by the forker, read by all others

static size_t size_at(uint64_t *state) {
    uint64_t r = probe_random(state);
    // Most are small, some large, so that every lock is used.
    return r % 10 == 0 ? r / 16 % 200000 : r / 16 % 3000;
}

static void *churn(void *arg) {
    uint64_t state = (uint64_t)(uintptr_t)arg;
    void *own[NSLOTS] = {0};
    size_t nown[NSLOTS] = {0};
    while (!stop) {
        if (quiet) {
            pthread_rwlock_rdlock(&gate);
        }
        size_t i = probe_random(&state) % NSLOTS;
        if (own[i]) {
            expect(intact(own[i], nown[i], i), "a block was handed out twice");
        }
        size_t n = size_at(&state);
        free(own[i]);
        own[i] = malloc(n);
        nown[i] = n;
        fill(own[i], n, i);
        void *mine = malloc(n % 4000 + 1);
        free(__atomic_exchange_n(&shared[i], mine, __ATOMIC_ACQ_REL));
        nblocks++;
        if (quiet) {
            pthread_rwlock_unlock(&gate);
        }
    }
    for (size_t i = 0; i < NSLOTS; i++) {
        free(own[i]);
    }
    return NULL;
}

static void *work(void *arg) {
    probe_workout();
    return arg;
}

// start_child returns as fork does. With _Fork and the raw calls, libc's own
// locks may be held in the child for good: the child keeps to the allocator.
static pid_t start_child(void) {
    if (strcmp(how, "fork") == 0) {
        return fork();
    }
    if (strcmp(how, "_Fork") == 0) {
        return _Fork();
    }
#ifdef SYS_fork
    if (strcmp(how, "SYS_fork") == 0) {
        return (pid_t)syscall(SYS_fork);
    }
#endif
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void in_child(uint64_t seed) {
    probe_child_starts();
    bool by_libc = strcmp(how, "fork") == 0;
    uint64_t state = seed;
    // The child may free what the parent had allocated.
    for (size_t i = 0; i < NSLOTS; i++) {
        free(shared[i]);
        shared[i] = NULL;
    }
    void *own[NSLOTS];
    size_t nown[NSLOTS];
    for (size_t i = 0; i < NSLOTS; i++) {
        nown[i] = size_at(&state);
        own[i] = malloc(nown[i]);
        expect(own[i], "malloc failed in the child");
        fill(own[i], nown[i], i);
    }
    probe_workout();
    if (by_libc) {
        pthread_t thread;
        expect(pthread_create(&thread, NULL, work, NULL) == 0,
               "no thread in the child");
        pthread_join(thread, NULL);
        pid_t pid = fork();
        if (pid == 0) {
            probe_child_starts();
            probe_workout();
            _exit(0);
        }
        probe_child_passed(pid, "fork in the child");
        probe_sound();
    }
    for (size_t i = 0; i < NSLOTS; i++) {
        expect(intact(own[i], nown[i], i), "the child's block %zu changed", i);
        free(own[i]);
    }
    _exit(0);
}

int main(int argc, char **argv) {
    how = argc > 1 ? argv[1] : "fork";
    quiet = argc > 2 && strcmp(argv[2], "quiet") == 0;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&gate, &attr);
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);

    pthread_t threads[NTHREADS];
    for (uintptr_t i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], NULL, churn,
                              (void *)(seed * 100 + i)) == 0,
               "thread");
    }
    while (nblocks < 1000) {
        sched_yield();
    }
    // With stopped threads, every fork is like the previous one.
    uint64_t nforks = argc > 4 ? strtoull(argv[4], NULL, 10)
                      : quiet  ? NFORKS_QUIET
                               : NFORKS;
    for (uint64_t i = 0; i < nforks; i++) {
        if (quiet) {
            pthread_rwlock_wrlock(&gate);
        }
        pid_t pid = start_child();
        if (pid == 0) {
            in_child(seed + i);
        }
        if (quiet) {
            pthread_rwlock_unlock(&gate);
        }
        probe_child_passed(pid, how);
    }
    stop = true;
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < NSLOTS; i++) {
        free(shared[i]);
    }
    probe_sound();
    return 0;
}
