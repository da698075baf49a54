// handoff.c: one thread makes objects of mixed sizes, another frees them; they
// meet in a ring of fixed length. Argument: the number of objects.
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { RING = 1024, PATIENCE = 200, LINE = 64 };

static struct {
    _Alignas(LINE) _Atomic uint64_t made;  // written by the producer only
    _Alignas(LINE) _Atomic uint64_t taken; // written by the consumer only
    _Alignas(LINE) void *slots[RING];
} ring;

static uint64_t nobjects;

// wait_past returns once *counter has risen above n. It spins first, because
// the other side is at work on another core, then yields in case it is not.
static uint64_t wait_past(_Atomic uint64_t *counter, uint64_t n) {
    for (int spins = 0;; spins++) {
        // acquire: what the other side did to the slots is seen; its partner is
        // the release store at the end of each loop below
        uint64_t seen = atomic_load_explicit(counter, memory_order_acquire);
        if (seen > n) {
            return seen;
        }
        if (spins > PATIENCE) {
            sched_yield();
        }
    }
}

static void *consume(void *unused) {
    (void)unused;
    uint64_t made = 0;
    for (uint64_t i = 0; i < nobjects; i++) {
        if (made <= i) {
            made = wait_past(&ring.made, i);
        }
        free(ring.slots[i % RING]);
        atomic_store_explicit(&ring.taken, i + 1, memory_order_release);
    }
    return NULL;
}

int main(int argc, char **argv) {
    nobjects = bench_number(argc, argv, 1);
    static uint16_t sizes[BENCH_NSIZES];
    bench_sizes(sizes);
    pthread_t consumer;

    struct bench b;
    bench_begin(&b);
    if (pthread_create(&consumer, NULL, consume, NULL) != 0) {
        bench_fail("cannot make a thread");
    }
    uint64_t taken = 0;
    for (uint64_t i = 0; i < nobjects; i++) {
        void *p = malloc(sizes[i % BENCH_NSIZES]);
        bench_touch_first(p);
        if (i >= RING && taken <= i - RING) {
            taken = wait_past(&ring.taken, i - RING);
        }
        ring.slots[i % RING] = p;
        atomic_store_explicit(&ring.made, i + 1, memory_order_release);
    }
    pthread_join(consumer, NULL);
    bench_end(&b, nobjects);
    return 0;
}
