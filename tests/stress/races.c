// races.c: threads that call mound as much as they can at the same time, for
// sanitizers. stress.c looks for wrong contents; this looks for races, so it
// does little between two calls and everything that may run side by side:
//
//   allocating, freeing, resizing and handing on, in threads that end and are
//   replaced; reading the statistics; trimming; verifying; writing the table
//
// usage: races [SECONDS]       2 seconds unless told; exit status 0 if the heap
//                              is sound and empty at the end
//
// Objects pass through slots with atomic exchanges, which order what the two
// threads do with them: a race that is reported is the allocator's.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mound.h"

enum {
    NWORKERS = 4,
    NEXCHANGE = 512,
    NOWN = 64,
    NTIDE = 400,
    LIFE = 20000, // calls until a worker ends and another begins
    LOG2_MOST = 18,
};

static void *_Atomic exchange[NEXCHANGE];
static _Atomic bool stop;
static _Atomic unsigned nlives;
static int devnull;

static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t some_size(uint64_t *r) {
    return next(r) % ((size_t)1 << (3 + next(r) % (LOG2_MOST - 3)));
}

// touch writes the ends of an object, so that a sanitizer sees who owns it.
static void *touch(void *p, size_t size) {
    if (p != NULL && size > 0) {
        ((char *)p)[0] = 1;
        ((char *)p)[size - 1] = 1;
    }
    return p;
}

static void *allocate(uint64_t *r) {
    size_t size = some_size(r);
    switch (next(r) % 4) {
    case 0:
        return touch(mound_calloc(1, size), size);
    case 1:
        return touch(mound_memalign((size_t)16 << next(r) % 9, size), size);
    default:
        return touch(mound_malloc(size), size);
    }
}

// tide goes up and down in one size, so that magazines grow and give capacity
// to each other.
static void tide(uint64_t *r) {
    void *p[NTIDE];
    size_t size = some_size(r) / 16;
    size_t n = NTIDE / (1 + size / 512);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < n; i++)
            p[i] = touch(mound_malloc(size), size);
        for (size_t i = 0; i < n; i++)
            mound_free(p[i]);
    }
}

static void one_step(uint64_t *r, void **own) {
    unsigned i = (unsigned)(next(r) % NOWN);
    size_t size;
    if (next(r) % 256 == 0)
        tide(r);
    switch (next(r) % 8) {
    case 0:
    case 1:
    case 2: // hand on, and go on with what somebody else left there
        own[i] = atomic_exchange_explicit(&exchange[next(r) % NEXCHANGE],
                                          own[i], memory_order_acq_rel);
        break;
    case 3:
        size = some_size(r) + 1;
        own[i] = touch(mound_realloc(own[i], size), size);
        break;
    case 4:
        if (own[i] != NULL)
            touch(own[i], mound_malloc_usable_size(own[i]));
        break;
    default:
        mound_free(own[i]);
        own[i] = allocate(r);
    }
}

static void *worker(void *arg) {
    uint64_t r = (uint64_t)(uintptr_t)arg;
    void *own[NOWN] = {NULL};
    for (int i = 0; i < LIFE && !atomic_load(&stop); i++)
        one_step(&r, own);
    // Half of it stays in use after this thread's end.
    for (int i = 0; i < NOWN; i++) {
        if (i % 2 == 0)
            own[i] = atomic_exchange_explicit(&exchange[i], own[i],
                                              memory_order_acq_rel);
        mound_free(own[i]);
    }
    return NULL;
}

// keep_working replaces a worker whenever it ends.
static void *keep_working(void *arg) {
    (void)arg;
    while (!atomic_load(&stop)) {
        pthread_t thread;
        uintptr_t seed = atomic_fetch_add(&nlives, 1) + 1;
        if (pthread_create(&thread, NULL, worker, (void *)seed) != 0)
            abort();
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void *keep_reading(void *arg) {
    struct mound_memstats *st = arg;
    uint64_t last = 0;
    while (!atomic_load(&stop)) {
        mound_read_memstats(st, sizeof *st);
        if (st->mallocs < last || st->frees > st->mallocs)
            abort();
        last = st->mallocs;
        mound_write_memstats(devnull);
        usleep(500);
    }
    return NULL;
}

static void *keep_trimming(void *arg) {
    (void)arg;
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        mound_malloc_trim(i % 2 == 0 ? 0 : 1 << 20);
        if (i % 8 == 0 && mound_verify() != 0) {
            fprintf(stderr, "races: the heap is not sound\n");
            abort();
        }
        usleep(3000);
    }
    return NULL;
}

int main(int argc, char **argv) {
    static struct mound_memstats st;
    pthread_t threads[NWORKERS + 2];
    int seconds = argc > 1 ? atoi(argv[1]) : 2;
    devnull = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < NWORKERS; i++)
        pthread_create(&threads[i], NULL, keep_working, NULL);
    pthread_create(&threads[NWORKERS], NULL, keep_reading, &st);
    pthread_create(&threads[NWORKERS + 1], NULL, keep_trimming, NULL);
    struct timespec wait = {.tv_sec = seconds};
    nanosleep(&wait, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < NWORKERS + 2; i++)
        pthread_join(threads[i], NULL);

    for (int i = 0; i < NEXCHANGE; i++)
        mound_free(atomic_exchange(&exchange[i], NULL));
    mound_malloc_trim(0);
    mound_read_memstats(&st, sizeof st);
    int nwrong = mound_verify();
    printf("races: %u threads, %lu mallocs, %lu objects left, "
           "%d contradictions\n",
           atomic_load(&nlives), (unsigned long)st.mallocs,
           (unsigned long)st.heap_objects, nwrong);
    return nwrong != 0 || st.heap_objects != 0 || st.heap_inuse != 0;
}
