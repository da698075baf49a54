// rss_returns.c: after a peak, the memory goes back to the system: within 10 s
// RSS is within a tenth of the peak of where it was before.
//
// usage: rss_returns single|threads|trim|large [MIB], 512 unless told
//   single   one thread, which goes on allocating a little
//   threads  the peak is made by threads that then only sleep, like main
//   trim     one thread; malloc_trim(0) returns everything at once
//   large    as single, the peak made of a few huge objects
//
// Trap 56.
#include <malloc.h>
#include <pthread.h>

#include "contract.h"

enum { NTHREADS = 4, SEED = 56, PAUSE_MS = 20, RETURN_S = 10, TENTH = 10 };

struct link {
    struct link *next;
    size_t size;
};

// build makes a list of touched objects of mixed sizes, nbytes in all.
static struct link *build(size_t nbytes, uint64_t *rng, size_t one) {
    struct link *list = NULL;
    for (size_t got = 0; got < nbytes;) {
        size_t size =
            one ? one : sizeof(struct link) + mixed_size(rng, 2 * MIB);
        struct link *p = must_malloc(size);
        memset(p, 0x5a, size);
        p->next = list;
        p->size = size;
        list = p;
        got += size;
    }
    return list;
}

static void free_list(struct link *list) {
    while (list) {
        struct link *next = list->next;
        free(list);
        list = next;
    }
}

static size_t share;
static pthread_barrier_t built, taken, freed;
static struct link *lists[NTHREADS];

static void *thread_main(void *arg) {
    uintptr_t i = (uintptr_t)arg;
    uint64_t rng = SEED + i;
    lists[i] = build(share, &rng, 0);
    pthread_barrier_wait(&built);
    // Every list is freed by another thread.
    struct link *mine = lists[(i + 1) % NTHREADS];
    pthread_barrier_wait(&taken);
    free_list(mine);
    pthread_barrier_wait(&freed);
    for (;;) {
        pause();
    }
    return NULL;
}

// allocate_a_little is a program that goes on with small things.
static void allocate_a_little(uint64_t *rng) {
    void *few[50];
    for (int i = 0; i < 50; i++) {
        few[i] = must_malloc(1 + rng_next(rng) % 2000);
        memset(few[i], 1, 1);
    }
    for (int i = 0; i < 50; i++) {
        free(few[i]);
    }
}

static void sleep_ms(int ms) {
    struct timespec ts = {0, ms * 1000000L};
    nanosleep(&ts, NULL);
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "single";
    size_t nbytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 512) * MIB;
    uint64_t rng = SEED;
    bool threads = strcmp(way, "threads") == 0;
    bool trim = strcmp(way, "trim") == 0;
    size_t one = strcmp(way, "large") == 0 ? nbytes / 8 : 0;

    free_list(build(MIB, &rng, 0));
    size_t before = rss_bytes();
    size_t peak;
    if (threads) {
        share = nbytes / NTHREADS;
        pthread_barrier_init(&built, NULL, NTHREADS + 1);
        pthread_barrier_init(&taken, NULL, NTHREADS + 1);
        pthread_barrier_init(&freed, NULL, NTHREADS + 1);
        for (uintptr_t i = 0; i < NTHREADS; i++) {
            pthread_t t;
            int rc = pthread_create(&t, NULL, thread_main, (void *)i);
            expect(rc == 0, "pthread_create returned %d", rc);
        }
        pthread_barrier_wait(&built);
        peak = rss_bytes();
        pthread_barrier_wait(&taken);
        pthread_barrier_wait(&freed);
    } else {
        struct link *list = build(nbytes, &rng, one);
        peak = rss_bytes();
        free_list(list);
    }
    expect(peak >= before + nbytes / 10 * 9, "the peak was only %zu KiB",
           peak / KIB);

    if (trim) {
        int rc = malloc_trim(0);
        size_t after = rss_bytes();
        expect(after <= before + peak / TENTH,
               "malloc_trim(0) = %d left %zu MiB of a peak of %zu MiB (%zu MiB "
               "before)",
               rc, after / MIB, peak / MIB, before / MIB);
        return 0;
    }
    int64_t end = now_ns() + (int64_t)RETURN_S * NS_PER_S;
    size_t now;
    while ((now = rss_bytes()) > before + peak / TENTH) {
        expect(now_ns() < end,
               "%d s after the free RSS is %zu MiB; it was %zu MiB before the "
               "peak of %zu MiB",
               RETURN_S, now / MIB, before / MIB, peak / MIB);
        sleep_ms(PAUSE_MS);
        if (!threads) {
            allocate_a_little(&rng);
        }
    }
    return 0;
}
