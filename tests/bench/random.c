// random.c: a steady number of live objects of mixed sizes; each step frees one
// picked at random and makes another in its place. Arguments: the number of
// live objects and the number of steps. Only the steps are timed, not the
// filling.
#include "bench.h"

int main(int argc, char **argv) {
    uint64_t nlive = bench_number(argc, argv, 1);
    uint64_t nsteps = bench_number(argc, argv, 2);
    static uint16_t sizes[BENCH_NSIZES];
    bench_sizes(sizes);

    void **live = calloc(nlive, sizeof *live);
    if (live == NULL) {
        bench_fail("out of memory");
    }
    for (uint64_t i = 0; i < nlive; i++) {
        live[i] = malloc(sizes[i % BENCH_NSIZES]);
        bench_touch_first(live[i]);
    }

    uint64_t state = 1;
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < nsteps; i++) {
        uint64_t slot = (bench_random(&state) >> 32) * nlive >> 32;
        free(live[slot]);
        live[slot] = malloc(sizes[i % BENCH_NSIZES]);
        bench_touch_first(live[slot]);
    }
    bench_end(&b, nsteps);
    return 0;
}
