// requests.c: threads that answer requests: each makes a few hundred small
// objects, frees them all at its end, and leaves now and then one behind in a
// table of long-lived objects, where it takes the place of an older one.
// Arguments: the number of threads and of requests for each. One operation is
// one object.
#include "bench.h"

#include <pthread.h>

enum { NOBJECTS = 200, KEPT_ONE_IN = 100, NLONG = 4096, MAXTHREADS = 64 };

static uint16_t sizes[BENCH_NSIZES];
static uint64_t nrequests;
static void *longlived[MAXTHREADS][NLONG];

static void *work(void *arg) {
    void **kept = arg;
    void *objects[NOBJECTS];
    uint64_t state = (uint64_t)((void *(*)[NLONG])arg - longlived) + 1;
    for (uint64_t r = 0; r < nrequests; r++) {
        uint64_t first = bench_random(&state);
        for (uint64_t i = 0; i < NOBJECTS; i++) {
            objects[i] = malloc(sizes[(first + i) % BENCH_NSIZES]);
            bench_touch_first(objects[i]);
        }
        for (uint64_t i = NOBJECTS; i-- > 0;) {
            uint64_t random = bench_random(&state);
            if (random % KEPT_ONE_IN == 0) {
                uint64_t slot = (random >> 32) % NLONG;
                free(kept[slot]);
                kept[slot] = objects[i];
            } else {
                free(objects[i]);
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t nthreads = bench_number(argc, argv, 1);
    nrequests = bench_number(argc, argv, 2);
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }
    bench_sizes(sizes);

    pthread_t threads[MAXTHREADS];
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < nthreads; i++) {
        if (pthread_create(&threads[i], NULL, work, longlived[i]) != 0) {
            bench_fail("cannot make a thread");
        }
    }
    for (uint64_t i = 0; i < nthreads; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_end(&b, nthreads * nrequests * NOBJECTS);
    return 0;
}
