// pipeline.c: threads that hand buffers on in batches. Arguments: the shape,
// the number of threads beside main, the least and the greatest size in bytes,
// and the number of buffers.
//
//   chain  main makes each buffer; every stage frees it and makes the next
//          stage another of the same size; the last one only frees
//   out    main makes, all the others free: fan-out
//   in     all the others make, main frees: fan-in
//
// One operation is one buffer from its malloc to its free.
#include "bench.h"

#include <pthread.h>

enum { BATCH = 64, NBATCHES = 16, MAXTHREADS = 64 };

// struct batch is what changes hands; n is 0 at the end of the stream.
struct batch {
    uint32_t n;
    void *buffers[BATCH];
    uint32_t sizes[BATCH];
};

// struct queue is a ring of batches. Its threads sleep when there is nothing
// to do, so that it runs the same with fewer cores than threads.
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t put, taken; // lock
    struct batch ring[NBATCHES];
};

static struct queue queues[MAXTHREADS];
static uint32_t sizes[BENCH_NSIZES];
static uint64_t nthreads, nbuffers;

static void put(struct queue *q, const struct batch *batch) {
    pthread_mutex_lock(&q->lock);
    while (q->put - q->taken == NBATCHES) {
        pthread_cond_wait(&q->changed, &q->lock);
    }
    q->ring[q->put++ % NBATCHES] = *batch;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

// take returns false at the end of the stream, and leaves the end there for
// whoever else takes from the same queue.
static int take(struct queue *q, struct batch *ret_batch) {
    pthread_mutex_lock(&q->lock);
    while (q->put == q->taken) {
        pthread_cond_wait(&q->changed, &q->lock);
    }
    *ret_batch = q->ring[q->taken % NBATCHES];
    if (ret_batch->n > 0) {
        q->taken++;
    }
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return ret_batch->n > 0;
}

static void fill(struct batch *batch, uint64_t first, uint64_t n) {
    batch->n = (uint32_t)n;
    for (uint64_t i = 0; i < n; i++) {
        batch->sizes[i] = sizes[(first + i) % BENCH_NSIZES];
        batch->buffers[i] = malloc(batch->sizes[i]);
        bench_touch_first(batch->buffers[i]);
    }
}

static void empty(struct batch *batch) {
    for (uint32_t i = 0; i < batch->n; i++) {
        free(batch->buffers[i]);
    }
}

// make puts n buffers into a queue, without the end of the stream.
static void make(struct queue *q, uint64_t n) {
    struct batch batch;
    for (uint64_t i = 0; i < n; i += BATCH) {
        fill(&batch, i, n - i < BATCH ? n - i : BATCH);
        put(q, &batch);
    }
}

static void end(struct queue *q) {
    struct batch batch = {.n = 0};
    put(q, &batch);
}

static void *run_stage(void *arg) {
    struct queue *q = arg, *next = q + 1;
    struct batch batch;
    while (take(q, &batch)) {
        empty(&batch);
        if (next == queues + nthreads) {
            continue;
        }
        for (uint32_t i = 0; i < batch.n; i++) {
            batch.buffers[i] = malloc(batch.sizes[i]);
            bench_touch_first(batch.buffers[i]);
        }
        put(next, &batch);
    }
    if (next != queues + nthreads) {
        end(next);
    }
    return NULL;
}

static void *run_taker(void *arg) {
    struct batch batch;
    while (take(arg, &batch)) {
        empty(&batch);
    }
    return NULL;
}

static void *run_maker(void *arg) {
    make(arg, nbuffers / nthreads);
    return NULL;
}

static void take_all(struct queue *q, uint64_t n) {
    struct batch batch;
    while (n > 0 && take(q, &batch)) {
        empty(&batch);
        n -= batch.n;
    }
}

int main(int argc, char **argv) {
    const char *shape = bench_word(argc, argv, 1);
    nthreads = bench_number(argc, argv, 2);
    bench_mix(sizes, bench_number(argc, argv, 3), bench_number(argc, argv, 4));
    nbuffers = bench_number(argc, argv, 5);
    int chain = strcmp(shape, "chain") == 0, in = strcmp(shape, "in") == 0;
    if (nthreads > MAXTHREADS) {
        bench_fail("too many threads");
    }
    for (int i = 0; i < MAXTHREADS; i++) {
        pthread_mutex_init(&queues[i].lock, NULL);
        pthread_cond_init(&queues[i].changed, NULL);
    }

    pthread_t threads[MAXTHREADS];
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < nthreads; i++) {
        if (pthread_create(&threads[i], NULL,
                           chain ? run_stage
                           : in  ? run_maker
                                 : run_taker,
                           &queues[chain ? i : 0]) != 0) {
            bench_fail("cannot make a thread");
        }
    }
    if (in) {
        take_all(&queues[0], nbuffers / nthreads * nthreads);
    } else {
        make(&queues[0], nbuffers);
        end(&queues[0]);
    }
    for (uint64_t i = 0; i < nthreads; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_end(&b, chain ? nbuffers * nthreads : nbuffers);
    return 0;
}
