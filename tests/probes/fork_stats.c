// Probes trap 29: a forked child continues with its parent's counts, which are exact
// from the first reading on, in a child of a single thread and of many.
#include "expect.h"

#include <pthread.h>

#include "mound.h"

typedef void read_memstats(struct mound_memstats *, size_t);

static read_memstats *read_stats;

static void *sleep_with_blocks(void *arg) {
    void *blocks[100];
    for (size_t i = 0; i < 100; i++) {
        blocks[i] = malloc(i * 30 + 1);
    }
    for (size_t i = 0; i < 50; i++) {
        free(blocks[i]);
    }
    pthread_barrier_wait(arg);
    pause();
    return blocks[50];
}

static void check_in_child(const struct mound_memstats *parent) {
    enum { N = 1000 };
    static void *blocks[N];
    struct mound_memstats start, end;
    probe_child_starts();
    read_stats(&start, sizeof start);
    expect(start.mallocs == parent->mallocs && start.frees == parent->frees,
           "the child starts at %lu mallocs and %lu frees, its parent had %lu "
           "and %lu",
           (unsigned long)start.mallocs, (unsigned long)start.frees,
           (unsigned long)parent->mallocs, (unsigned long)parent->frees);
    expect(start.total_alloc == parent->total_alloc &&
               start.heap_alloc == parent->heap_alloc,
           "the child's bytes differ from its parent's");
    for (size_t i = 0; i < N; i++) {
        blocks[i] = malloc(i * 40 + 1);
    }
    for (size_t i = 0; i < N; i++) {
        free(blocks[i]);
    }
    read_stats(&end, sizeof end);
    expect(end.mallocs - start.mallocs == N && end.frees - start.frees == N,
           "%d pairs in the child were counted as %ld and %ld", N,
           (long)(end.mallocs - start.mallocs),
           (long)(end.frees - start.frees));
    expect(end.heap_alloc == start.heap_alloc, "heap_alloc of the child");
    probe_sound();
    _exit(0);
}

int main(void) {
    read_stats = (read_memstats *)dlsym(RTLD_DEFAULT, "mound_read_memstats");
    if (!read_stats) {
        skip("libmound.so is not loaded");
    }
    struct mound_memstats stats;
    read_stats(&stats, sizeof stats);
    pid_t pid = fork();
    if (pid == 0) {
        check_in_child(&stats);
    }
    probe_child_passed(pid, "single thread");

    enum { NTHREADS = 5 };
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, NTHREADS + 1);
    pthread_t threads[NTHREADS];
    for (int i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], NULL, sleep_with_blocks, &ready) ==
                   0,
               "thread");
    }
    pthread_barrier_wait(&ready);
    // All other threads sleep, so the counts are exact.
    for (int i = 0; i < 3; i++) {
        read_stats(&stats, sizeof stats);
        pid = fork();
        if (pid == 0) {
            check_in_child(&stats);
        }
        probe_child_passed(pid, "threads");
    }
    return 0;
}
