// stress.c: threads that make sets of objects, free some, pass some on to other
// threads through a shared array, and leave the rest to their successors of the
// next round. Arguments: threads at a time, rounds, sets that each thread makes
// in a round. Most sets are of 32 objects of 16 bytes to 4 KiB, one in 64 is of
// up to four of 32 KiB to 1 MiB. One operation is an object and its free.
//
// Each object bears a mark of its set, which is looked at before it is freed.
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    MAXTHREADS = 64,
    NOWN = 256,    // sets in the hands of a thread
    NSHARED = 128, // sets on their way
    NOBJECTS = 32,
    NLARGE = 4,
    LARGE_ONE_IN = 64,
    PASSED_ONE_IN = 8,
    KEPT_ONE_IN = 4, // at the end of a round
};

struct set {
    uint64_t mark;
    uint32_t n;
    uint64_t *objects[NOBJECTS];
};

// struct worker is one thread's hands, which the next round's takes over.
struct worker {
    struct set *own[NOWN];
    uint64_t state; // of the random numbers
    uint64_t nmade; // objects
};

static struct worker workers[MAXTHREADS];
static _Atomic(struct set *) shared[NSHARED];
static uint32_t small[BENCH_NSIZES], large[BENCH_NSIZES];
static uint64_t nsets;

static struct set *make_set(struct worker *w) {
    uint64_t random = bench_random(&w->state);
    int is_large = random % LARGE_ONE_IN == 0;
    struct set *s = malloc(sizeof *s);
    bench_touch_first(s);
    s->mark = random;
    s->n = is_large ? 1 + (uint32_t)(random >> 8) % NLARGE : NOBJECTS;
    for (uint32_t i = 0; i < s->n; i++) {
        uint64_t place = (random >> 16) + i;
        size_t size = (is_large ? large : small)[place % BENCH_NSIZES];
        s->objects[i] = malloc(size);
        bench_touch_first(s->objects[i]);
        bench_touch_pages((char *)s->objects[i], BENCH_PAGE, size);
        *s->objects[i] = s->mark;
    }
    w->nmade += s->n + 1;
    return s;
}

static void free_set(struct set *s) {
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        if (*s->objects[i] != s->mark) {
            bench_fail("an object is not what it was");
        }
        free(s->objects[i]);
    }
    free(s);
}

static void *work(void *arg) {
    struct worker *w = arg;
    for (uint64_t i = 0; i < nsets; i++) {
        uint64_t random = bench_random(&w->state);
        struct set **slot = &w->own[(random >> 32) % NOWN];
        if (random % PASSED_ONE_IN == 0) {
            // acquire and release: what the maker wrote is seen by whoever
            // takes the set out
            *slot = atomic_exchange_explicit(&shared[(random >> 16) % NSHARED],
                                             *slot, memory_order_acq_rel);
        }
        free_set(*slot);
        *slot = make_set(w);
    }
    for (int i = 0; i < NOWN; i++) {
        if (bench_random(&w->state) % KEPT_ONE_IN != 0) {
            free_set(w->own[i]);
            w->own[i] = NULL;
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t nthreads = bench_number(argc, argv, 1);
    uint64_t nrounds = bench_number(argc, argv, 2);
    nsets = bench_number(argc, argv, 3);
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }
    bench_mix(small, 16, BENCH_PAGE);
    bench_mix(large, 32 << 10, 1 << 20);
    for (uint64_t i = 0; i < nthreads; i++) {
        workers[i].state = i + 1;
    }

    struct bench b;
    bench_begin(&b);
    for (uint64_t round = 0; round < nrounds; round++) {
        pthread_t threads[MAXTHREADS];
        for (uint64_t i = 0; i < nthreads; i++) {
            if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
                bench_fail("cannot make a thread");
            }
        }
        for (uint64_t i = 0; i < nthreads; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    uint64_t nops = 0;
    for (uint64_t i = 0; i < nthreads; i++) {
        nops += workers[i].nmade;
    }
    bench_end(&b, nops);
    return 0;
}
