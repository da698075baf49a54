// threads.c: threads that live for a hundred allocations, one after the other.
// Each frees half of its objects, the main thread frees the rest once the
// thread is gone. Argument: the number of threads. One operation is one thread.
#include "bench.h"

#include <pthread.h>

enum { NOBJECTS = 100, STEP = 8 };

static void *work(void *arg) {
    void **objects = arg;
    for (int i = 0; i < NOBJECTS; i++) {
        objects[i] = malloc((size_t)(i + 1) * STEP);
        bench_touch_first(objects[i]);
    }
    for (int i = 0; i < NOBJECTS; i += 2) {
        free(objects[i]);
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t nthreads = bench_number(argc, argv, 1);
    static void *objects[NOBJECTS];

    struct bench b;
    bench_begin(&b);
    for (uint64_t n = 0; n < nthreads; n++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, objects) != 0) {
            bench_fail("cannot make a thread");
        }
        pthread_join(thread, NULL);
        for (int i = 1; i < NOBJECTS; i += 2) {
            free(objects[i]);
        }
    }
    bench_end(&b, nthreads);
    return 0;
}
