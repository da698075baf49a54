// lifetimes.c: objects that live short, long and very long lie mixed, which is
// what fragments a heap. Each step makes one object and frees those whose time
// has come: 90 of 100 live for some hundred steps, 9 for some ten thousand, one
// for some hundred thousand. Argument: the number of steps.
#include "bench.h"

enum {
    WHEEL = 1 << 20, // more steps than the longest life
    SHORT = 256,
    LONG = 16384,
    VERY_LONG = 500000,
    PERCENT = 100,
    PERCENT_SHORT = 90,
    PERCENT_LONG = 9,
};

// What is to be freed in a step, as a list through the objects themselves.
static void *due[WHEEL];

int main(int argc, char **argv) {
    uint64_t nsteps = bench_number(argc, argv, 1);
    static uint16_t sizes[BENCH_NSIZES];
    bench_sizes(sizes);

    uint64_t state = 1;
    struct bench b;
    bench_begin(&b);
    for (uint64_t step = 0; step < nsteps; step++) {
        void **p = malloc(sizes[bench_random(&state) % BENCH_NSIZES]);
        bench_touch_first(p);
        uint64_t random = bench_random(&state);
        uint64_t kind = random % PERCENT;
        uint64_t life = kind < PERCENT_SHORT                  ? SHORT
                        : kind < PERCENT_SHORT + PERCENT_LONG ? LONG
                                                              : VERY_LONG;
        void **slot = &due[(step + 1 + (random >> 32) % life) % WHEEL];
        *p = *slot;
        *slot = p;
        void **q = due[step % WHEEL];
        due[step % WHEEL] = NULL;
        while (q != NULL) {
            void **next = *q;
            free(q);
            q = next;
        }
    }
    bench_end(&b, nsteps);
    return 0;
}
