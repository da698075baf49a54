// Probes traps 16, 17 and 18: TSD destructors, with keys on both sides of the
// allocator's own, allocate, free and set themselves again in all rounds, so that some
// always run after the thread's cache is gone. Their blocks outlive the thread; main
// frees them.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>

enum { NKEYS = 40, NTHREADS = 100, NROUNDS = 4, NLEFT = 40000 };

static pthread_key_t keys[NKEYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *left[NLEFT];
static size_t left_size[NLEFT];
static int nleft;
static _Atomic long nruns;

static void leave(size_t n) {
    void *p = malloc(n);
    expect(p, "malloc in a destructor");
    pthread_mutex_lock(&lock);
    fill(p, n, (uint64_t)nleft);
    left[nleft] = p;
    left_size[nleft] = n;
    nleft++;
    pthread_mutex_unlock(&lock);
}

// struct value tells a destructor its identity.
struct value {
    int key;
    int nrounds;
};

static void destroy(void *p) {
    struct value *value = p;
    struct value next = {value->key, value->nrounds + 1};
    nruns++;
    free(value);
    leave(16 + (size_t)next.key * 60);
    free(calloc(1, 3000));
    char *grown = realloc(malloc(10), 100000);
    free(realloc(grown, 50));
    if (next.nrounds < NROUNDS) {
        struct value *again = malloc(sizeof *again);
        *again = next;
        expect(pthread_setspecific(keys[next.key], again) == 0, "setspecific");
    }
}

static void *run(void *arg) {
    for (int i = 0; i < NKEYS; i++) {
        struct value *value = malloc(sizeof *value);
        *value = (struct value){i, 0};
        expect(pthread_setspecific(keys[i], value) == 0, "setspecific");
    }
    leave(100);
    return arg;
}

int main(void) {
    for (int i = 0; i < NKEYS; i++) {
        expect(pthread_key_create(&keys[i], destroy) == 0, "key");
    }
    for (int i = 0; i < NTHREADS; i++) {
        pthread_t thread;
        expect(pthread_create(&thread, NULL, run, NULL) == 0, "thread");
        pthread_join(thread, NULL);
    }
    expect(nruns == (long)NTHREADS * NKEYS * NROUNDS,
           "%ld destructors ran, not %d", (long)nruns,
           NTHREADS * NKEYS * NROUNDS);
    for (int i = 0; i < nleft; i++) {
        expect(intact(left[i], left_size[i], (uint64_t)i),
               "block %d of a thread that is gone has changed", i);
        expect(malloc_usable_size(left[i]) >= left_size[i], "usable size");
        free(left[i]);
    }
    probe_sound();
    return 0;
}
