// queue.c: threads that only make objects and as many that only free them, with
// a queue of bounded length between, of batches of objects. Arguments: makers
// (and as many takers), batches that each makes. One operation is an object and
// its free.
#include "bench.h"

#include <pthread.h>

enum { MAXTHREADS = 32, NOBJECTS = 1024, LENGTH = 16 };

struct batch {
    void *objects[NOBJECTS];
};

static struct batch *queue[LENGTH]; // a ring; lock
static uint64_t nput, ntaken;       // lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static pthread_cond_t emptied = PTHREAD_COND_INITIALIZER;

static uint16_t sizes[BENCH_NSIZES];
static uint64_t nbatches; // of a thread

static void *make(void *arg) {
    uint64_t state = (uintptr_t)arg + 1;
    for (uint64_t i = 0; i < nbatches; i++) {
        struct batch *b = malloc(sizeof *b);
        bench_touch_first(b);
        uint64_t place = bench_random(&state) % BENCH_NSIZES;
        for (int j = 0; j < NOBJECTS; j++) {
            b->objects[j] = malloc(sizes[place++ % BENCH_NSIZES]);
            bench_touch_first(b->objects[j]);
        }
        pthread_mutex_lock(&lock);
        while (nput - ntaken == LENGTH) {
            pthread_cond_wait(&emptied, &lock);
        }
        queue[nput++ % LENGTH] = b;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *take(void *unused) {
    (void)unused;
    for (uint64_t i = 0; i < nbatches; i++) {
        pthread_mutex_lock(&lock);
        while (nput == ntaken) {
            pthread_cond_wait(&filled, &lock);
        }
        struct batch *b = queue[ntaken++ % LENGTH];
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&lock);
        for (int j = 0; j < NOBJECTS; j++) {
            free(b->objects[j]);
        }
        free(b);
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t nmakers = bench_number(argc, argv, 1);
    nbatches = bench_number(argc, argv, 2);
    if (nmakers > MAXTHREADS) {
        bench_fail("too many threads");
    }
    bench_sizes(sizes);

    pthread_t threads[2 * MAXTHREADS];
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < 2 * nmakers; i++) {
        if (pthread_create(&threads[i], NULL, i % 2 == 0 ? make : take,
                           (void *)(uintptr_t)i) != 0) {
            bench_fail("cannot make a thread");
        }
    }
    for (uint64_t i = 0; i < 2 * nmakers; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_end(&b, nmakers * nbatches * NOBJECTS);
    return 0;
}
