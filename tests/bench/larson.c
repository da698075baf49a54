// larson.c: a server after Larson and Krishnan: each thread replaces objects at
// random in a table, then hands its table to a new thread and ends, so objects
// outlive their makers and are freed by strangers. Arguments: the number of
// threads at a time, the generations of each, and the steps of a generation.
#include "bench.h"

#include <pthread.h>

enum { NSLOTS = 1000, MAXTHREADS = 64 };

// struct line is one line of descent: a table and who works on it.
struct line {
    void *objects[NSLOTS];
    uint64_t state;       // of the random numbers
    uint64_t generations; // still to come
};

static struct line lines[MAXTHREADS];
static uint16_t sizes[BENCH_NSIZES];
static uint64_t nsteps;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t line_ended = PTHREAD_COND_INITIALIZER;
static uint64_t nlines; // lines still at work; lock

static void start(void *(*run)(void *), struct line *l) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, l) != 0) {
        bench_fail("cannot make a thread");
    }
    pthread_detach(thread);
}

static void *work(void *arg) {
    struct line *l = arg;
    for (uint64_t i = 0; i < nsteps; i++) {
        uint64_t random = bench_random(&l->state);
        uint64_t slot = (random >> 32) * NSLOTS >> 32;
        free(l->objects[slot]);
        l->objects[slot] = malloc(sizes[random % BENCH_NSIZES]);
        bench_touch_first(l->objects[slot]);
    }
    if (--l->generations > 0) {
        start(work, l);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    nlines--;
    pthread_cond_signal(&line_ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int argc, char **argv) {
    nlines = bench_number(argc, argv, 1);
    uint64_t ngenerations = bench_number(argc, argv, 2);
    nsteps = bench_number(argc, argv, 3);
    if (nlines > MAXTHREADS) {
        bench_fail("too many threads");
    }
    bench_sizes(sizes);
    uint64_t nops = nlines * ngenerations * nsteps;

    struct bench b;
    bench_begin(&b);
    pthread_mutex_lock(&lock);
    uint64_t nstarted = nlines;
    for (uint64_t i = 0; i < nstarted; i++) {
        lines[i].state = i + 1;
        lines[i].generations = ngenerations;
        start(work, &lines[i]);
    }
    while (nlines > 0) {
        pthread_cond_wait(&line_ended, &lock);
    }
    pthread_mutex_unlock(&lock);
    bench_end(&b, nops);
    return 0;
}
