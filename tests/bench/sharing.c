// sharing.c: threads that write to small objects of their own. Where two
// threads' objects lie in one cache line, each write waits for the other core.
// Arguments: who makes the objects ("active": each thread its own, "passive":
// main makes the first ones side by side and hands them out; the threads free
// them and make others), the number of threads, and of objects for each. One
// operation is one object with its writes.
#include "bench.h"

#include <pthread.h>

enum { SIZE = 8, NWRITES = 200, MAXTHREADS = 64 };

static pthread_barrier_t begin;
static uint64_t nobjects;

static void *work(void *first) {
    volatile uint64_t *p = first;
    pthread_barrier_wait(&begin);
    for (uint64_t i = 0; i < nobjects; i++) {
        if (p == NULL) {
            p = malloc(SIZE);
        }
        bench_touch_first((void *)p);
        for (int j = 0; j < NWRITES; j++) {
            (*p)++;
        }
        free((void *)p);
        p = NULL;
    }
    return NULL;
}

int main(int argc, char **argv) {
    int passive = strcmp(bench_word(argc, argv, 1), "passive") == 0;
    uint64_t nthreads = bench_number(argc, argv, 2);
    nobjects = bench_number(argc, argv, 3);
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }

    pthread_t threads[MAXTHREADS];
    struct bench b;
    bench_begin(&b);
    pthread_barrier_init(&begin, NULL, (unsigned)nthreads);
    void *firsts[MAXTHREADS] = {NULL};
    for (uint64_t i = 0; passive && i < nthreads; i++) {
        firsts[i] = malloc(SIZE);
    }
    for (uint64_t i = 0; i < nthreads; i++) {
        if (pthread_create(&threads[i], NULL, work, firsts[i]) != 0) {
            bench_fail("cannot make a thread");
        }
    }
    for (uint64_t i = 0; i < nthreads; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_end(&b, nthreads * nobjects);
    return 0;
}
