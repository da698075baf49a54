// cross.c: threads that make parcels of objects of random sizes; a parcel that
// gets old is freed by its maker or sent to another thread, which frees it.
// Arguments: threads, parcels that each makes, the least and the greatest size.
// One operation is an object and its free.
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    MAXTHREADS = 64,
    NOWN = 64,     // parcels in the hands of a thread
    NOBJECTS = 32, // of a parcel
    NBOXES = 16,   // parcels sent to a thread and not yet fetched
    LINE = 64,
};

struct parcel {
    void *objects[NOBJECTS];
};

static struct {
    _Alignas(LINE) _Atomic(struct parcel *) boxes[NBOXES];
} inboxes[MAXTHREADS];

static uint32_t sizes[BENCH_NSIZES];
static uint64_t nthreads, nparcels;

static void free_parcel(struct parcel *p) {
    for (int i = 0; p != NULL && i < NOBJECTS; i++) {
        free(p->objects[i]);
    }
    free(p);
}

// put leaves a parcel in a box and returns what was in it.
static struct parcel *put(_Atomic(struct parcel *) *box, struct parcel *p) {
    // release: the receiver sees the objects; acquire: we see those of a parcel
    // that comes out
    return atomic_exchange_explicit(box, p, memory_order_acq_rel);
}

static void *work(void *arg) {
    uint64_t me = (uintptr_t)arg, state = me + 1;
    struct parcel *own[NOWN] = {NULL};
    for (uint64_t i = 0; i < nparcels; i++) {
        struct parcel *p = malloc(sizeof *p);
        bench_touch_first(p);
        for (int j = 0; j < NOBJECTS; j++) {
            size_t size = sizes[bench_random(&state) % BENCH_NSIZES];
            p->objects[j] = malloc(size);
            bench_touch_first(p->objects[j]);
            bench_touch_pages(p->objects[j], BENCH_PAGE, size);
        }
        uint64_t random = bench_random(&state);
        struct parcel **slot = &own[(random >> 32) % NOWN];
        if (random % 2 == 0 && *slot != NULL) {
            uint64_t to = (random >> 8) % nthreads;
            *slot = put(&inboxes[to].boxes[(random >> 16) % NBOXES], *slot);
        }
        free_parcel(*slot);
        *slot = p;
        free_parcel(put(&inboxes[me].boxes[i % NBOXES], NULL));
    }
    for (int i = 0; i < NOWN; i++) {
        free_parcel(own[i]);
    }
    return NULL;
}

int main(int argc, char **argv) {
    nthreads = bench_number(argc, argv, 1);
    nparcels = bench_number(argc, argv, 2);
    bench_mix(sizes, bench_number(argc, argv, 3), bench_number(argc, argv, 4));
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }

    pthread_t threads[MAXTHREADS];
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < nthreads; i++) {
        if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i)) {
            bench_fail("cannot make a thread");
        }
    }
    for (uint64_t i = 0; i < nthreads; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_end(&b, nthreads * nparcels * NOBJECTS);
    return 0;
}
