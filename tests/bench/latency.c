// latency.c: how long single calls of malloc and free take, at the worst and
// nearly: threads replace objects at random in working sets of their own, and
// pass some through slots that all share; each call is timed by itself. Of 1 000
// objects 899 are of 16 to 1023 bytes, 100 of up to 32 KiB, one of up to 1 MiB.
// Arguments: threads, steps of each. One operation is a malloc and a free with
// both clocks. Notes: the medians and the tails of the calls of all threads.
//
// The worst call is the machine's: the thread lost its core in it. So there is
// also the worst of those in which that is known not to have happened: long
// ones near which the kernel counted no such switch (ru_nivcsw, looked at now
// and then, and after each long call). What a hypervisor took is in both.
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

enum {
    MAXTHREADS = 64,
    NLIVE = 4096,
    NSHARED = 64,
    SHARED_ONE_IN = 16,
    // A bucket of the histogram is 1/32 of a doubling wide.
    STEP_BITS = 5,
    NSTEPS = 1 << STEP_BITS,
    NBUCKETS = 64 * NSTEPS,
    LONG_TICKS = 1 << 14, // 4 to 16 us
    LOOK_EVERY = 256,     // steps
};

struct histogram {
    uint64_t counts[NBUCKETS];
    uint64_t n;
    uint64_t worst;   // ticks
    uint64_t on_core; // the worst in which the thread kept its core
};

struct worker {
    pthread_t thread;
    uint64_t state; // of the random numbers
    long nlost;     // times that it lost its core, when that was looked at
    struct histogram malloc, free;
    void *live[NLIVE];
};

static struct worker workers[MAXTHREADS];
static _Atomic(void *) shared[NSHARED];
static uint16_t small[BENCH_NSIZES];
static uint32_t medium[BENCH_NSIZES], large[BENCH_NSIZES];
static pthread_barrier_t begin;
static uint64_t nsteps;

// ticks reads the cheapest clock there is; elsewhere a tick is a nanosecond.
static inline uint64_t ticks(void) {
#ifdef __x86_64__
    unsigned cpu;
    return __rdtscp(&cpu);
#else
    return (uint64_t)bench_wall_ns();
#endif
}

static inline int bucket_of(uint64_t n) {
    if (n < NSTEPS) {
        return (int)n;
    }
    int shift = 63 - __builtin_clzll(n) - STEP_BITS;
    return (shift + 1) * NSTEPS + (int)(n >> shift) - NSTEPS;
}

// bucket_top returns the greatest number of a bucket.
static uint64_t bucket_top(int bucket) {
    if (bucket < NSTEPS) {
        return (uint64_t)bucket;
    }
    int shift = bucket / NSTEPS - 1;
    return ((uint64_t)(bucket % NSTEPS + NSTEPS + 1) << shift) - 1;
}

// lost_core says whether the thread lost its core since this was last asked.
static bool lost_core(struct worker *w) {
    struct rusage usage;
    long before = w->nlost;
    getrusage(RUSAGE_THREAD, &usage);
    w->nlost = usage.ru_nivcsw;
    return w->nlost != before;
}

static inline void add(struct worker *w, struct histogram *h, uint64_t n) {
    h->counts[bucket_of(n)]++;
    h->n++;
    h->worst = n > h->worst ? n : h->worst;
    if (n > h->on_core && (n < LONG_TICKS || !lost_core(w))) {
        h->on_core = n;
    }
}

static size_t pick_size(uint64_t random) {
    uint64_t kind = random % 1000, place = (random >> 16) % BENCH_NSIZES;
    return kind == 0     ? large[place]
           : kind <= 100 ? medium[place]
                         : small[place];
}

static void *work(void *arg) {
    struct worker *w = arg;
    for (int i = 0; i < NLIVE; i++) {
        w->live[i] = malloc(pick_size(bench_random(&w->state)));
        bench_touch_first(w->live[i]);
    }
    pthread_barrier_wait(&begin); // all sets are full
    pthread_barrier_wait(&begin); // and the clock runs
    for (uint64_t i = 0; i < nsteps; i++) {
        uint64_t random = bench_random(&w->state);
        void **slot = &w->live[(random >> 40) % NLIVE];
        if (i % SHARED_ONE_IN == 0) {
            // acquire and release: as between any two owners of an object
            *slot = atomic_exchange_explicit(&shared[(random >> 32) % NSHARED],
                                             *slot, memory_order_acq_rel);
        }
        if (i % LOOK_EVERY == 0) {
            lost_core(w);
        }
        size_t size = pick_size(random);
        uint64_t t0 = ticks();
        free(*slot);
        uint64_t t1 = ticks();
        void *p = malloc(size);
        uint64_t t2 = ticks();
        add(w, &w->free, t1 - t0);
        add(w, &w->malloc, t2 - t1);
        bench_touch_first(p);
        *slot = p;
    }
    return NULL;
}

static void merge(struct histogram *to, const struct histogram *from) {
    for (int i = 0; i < NBUCKETS; i++) {
        to->counts[i] += from->counts[i];
    }
    to->n += from->n;
    to->worst = from->worst > to->worst ? from->worst : to->worst;
    to->on_core = from->on_core > to->on_core ? from->on_core : to->on_core;
}

// note notes the shares of one call's histogram, ns_per_tick long each.
static void note(struct bench *b, const char *call, const struct histogram *h,
                 double ns_per_tick) {
    static const struct {
        const char *name;
        double share;
    } shares[] = {
        {"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
    char name[64];
    uint64_t below = 0;
    int bucket = 0;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        uint64_t wanted = (uint64_t)(shares[i].share * (double)h->n);
        while (below + h->counts[bucket] <= wanted && bucket < NBUCKETS - 1) {
            below += h->counts[bucket++];
        }
        snprintf(name, sizeof name, "%s_%s_ns", call, shares[i].name);
        bench_note(b, name,
                   (uint64_t)((double)bucket_top(bucket) * ns_per_tick));
    }
    snprintf(name, sizeof name, "%s_on-core_ns", call);
    bench_note(b, name, (uint64_t)((double)h->on_core * ns_per_tick));
    snprintf(name, sizeof name, "%s_worst_ns", call);
    bench_note(b, name, (uint64_t)((double)h->worst * ns_per_tick));
}

int main(int argc, char **argv) {
    uint64_t nthreads = bench_number(argc, argv, 1);
    nsteps = bench_number(argc, argv, 2);
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }
    bench_sizes(small);
    bench_mix(medium, 1 << 10, 32 << 10);
    bench_mix(large, 32 << 10, 1 << 20);
    pthread_barrier_init(&begin, NULL, (unsigned)nthreads + 1);
    for (uint64_t i = 0; i < nthreads; i++) {
        workers[i].state = i + 1;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            bench_fail("cannot make a thread");
        }
    }

    struct bench b;
    pthread_barrier_wait(&begin);
    bench_begin(&b);
    uint64_t start = ticks();
    pthread_barrier_wait(&begin);
    for (uint64_t i = 0; i < nthreads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    uint64_t nticks = ticks() - start;
    bench_stop(&b);

    for (uint64_t i = 1; i < nthreads; i++) {
        merge(&workers[0].malloc, &workers[i].malloc);
        merge(&workers[0].free, &workers[i].free);
    }
    double ns_per_tick = (double)b.wall_ns / (double)nticks;
    note(&b, "malloc", &workers[0].malloc, ns_per_tick);
    note(&b, "free", &workers[0].free, ns_per_tick);
    bench_print(&b, nthreads * nsteps);
    return 0;
}
