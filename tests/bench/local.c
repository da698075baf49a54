// local.c: threads that share nothing: each replaces objects at random in a
// working set of its own. Small sizes are common and large ones rare: half as
// many objects are of 2n bytes or more as of n or more, from 16 bytes to
// 32 KiB. Arguments: threads, steps of each. Only the steps are timed, from the
// moment when all threads have filled their sets.
#include "bench.h"

#include <pthread.h>

enum { MAXTHREADS = 64, NLIVE = 1024, SMALLEST = 16, GREATEST = 32 << 10 };

static uint32_t sizes[BENCH_NSIZES];
static pthread_barrier_t begin;
static uint64_t nsteps;

static void fill_sizes(void) {
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < BENCH_NSIZES; i++) {
        // With share even in (0, 1], P(SMALLEST / share >= n) is SMALLEST / n.
        double share = (double)((bench_random(&state) >> 40) + 1) / (1 << 24);
        double size = SMALLEST / share;
        sizes[i] = size < GREATEST ? (uint32_t)size : GREATEST;
    }
}

static void *work(void *arg) {
    uint64_t state = (uintptr_t)arg + 1;
    void *live[NLIVE];
    for (int i = 0; i < NLIVE; i++) {
        live[i] = malloc(sizes[bench_random(&state) % BENCH_NSIZES]);
        bench_touch_first(live[i]);
    }
    pthread_barrier_wait(&begin); // all sets are full
    pthread_barrier_wait(&begin); // and the clock runs
    for (uint64_t i = 0; i < nsteps; i++) {
        uint64_t random = bench_random(&state);
        void **slot = &live[(random >> 32) % NLIVE];
        free(*slot);
        *slot = malloc(sizes[random % BENCH_NSIZES]);
        bench_touch_first(*slot);
    }
    for (int i = 0; i < NLIVE; i++) {
        free(live[i]);
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t nthreads = bench_number(argc, argv, 1);
    nsteps = bench_number(argc, argv, 2);
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }
    fill_sizes();
    pthread_barrier_init(&begin, NULL, (unsigned)nthreads + 1);
    pthread_t threads[MAXTHREADS];
    for (uint64_t i = 0; i < nthreads; i++) {
        if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i)) {
            bench_fail("cannot make a thread");
        }
    }

    struct bench b;
    pthread_barrier_wait(&begin);
    bench_begin(&b);
    pthread_barrier_wait(&begin);
    for (uint64_t i = 0; i < nthreads; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_end(&b, nthreads * nsteps);
    return 0;
}
