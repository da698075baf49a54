// leak.c: threads that start, make objects, free them and end, generation by
// generation: memory must not grow with the generations. Each thread frees half
// of its objects and leaves the rest for the next one in its place, so what an
// ended thread held must come back from other hands too. Arguments: threads at
// a time, generations, objects of each thread. One operation is an object and
// its free. Notes: the memory after a tenth of the generations and at the end.
#include "bench.h"

#include <pthread.h>

enum { MAXTHREADS = 64, MAXOBJECTS = 16384, GREATEST = 8 << 10 };

// struct place is what a thread finds and leaves.
struct place {
    void *objects[MAXOBJECTS];
    uint64_t state; // of the random numbers
};

static struct place places[MAXTHREADS];
static uint32_t sizes[BENCH_NSIZES];
static uint64_t nobjects;

static void *work(void *arg) {
    struct place *p = arg;
    for (uint64_t i = 0; i < nobjects; i++) {
        free(p->objects[i]);
        size_t size = sizes[bench_random(&p->state) % BENCH_NSIZES];
        p->objects[i] = malloc(size);
        bench_touch_first(p->objects[i]);
        bench_touch_pages(p->objects[i], BENCH_PAGE, size);
    }
    for (uint64_t i = 0; i < nobjects; i++) {
        if (bench_random(&p->state) % 2 == 0) {
            free(p->objects[i]);
            p->objects[i] = NULL;
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t nthreads = bench_number(argc, argv, 1);
    uint64_t ngenerations = bench_number(argc, argv, 2);
    nobjects = bench_number(argc, argv, 3);
    if (nthreads > MAXTHREADS || nobjects > MAXOBJECTS) {
        bench_fail("too many threads or objects");
    }
    bench_mix(sizes, 16, GREATEST);
    for (uint64_t i = 0; i < nthreads; i++) {
        places[i].state = i + 1;
    }

    struct bench b;
    bench_begin(&b);
    for (uint64_t generation = 1; generation <= ngenerations; generation++) {
        pthread_t threads[MAXTHREADS];
        for (uint64_t i = 0; i < nthreads; i++) {
            if (pthread_create(&threads[i], NULL, work, &places[i]) != 0) {
                bench_fail("cannot make a thread");
            }
        }
        for (uint64_t i = 0; i < nthreads; i++) {
            pthread_join(threads[i], NULL);
        }
        if (generation == (ngenerations + 9) / 10) {
            bench_note(&b, "rss_after_a_tenth_kib", bench_rss_kib());
        }
    }
    bench_note(&b, "rss_at_the_end_kib", bench_rss_kib());
    bench_end(&b, nthreads * ngenerations * nobjects);
    return 0;
}
