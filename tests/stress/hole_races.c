// hole_races.c: threads that make holes, pages of the system that are free inside spans
// in use, while others give them back and take them again. Like races.c it is for
// sanitizers, and looks at contents as well: a page that is given back although an
// object is on it reads as zero.
//
//   workers    fill classes of 48 bytes to 16 KiB, free all objects but one of 20 (half
//              of them by another worker), and fill the holes again, partly by calloc
//   trimmers   give back all holes and free pages at any time; read the statistics
//
// usage: hole_races [SECONDS]  2 seconds unless told; exit status 0 if nothing was
//                              lost, and the heap is sound and empty at the end
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
    NWORKERS = 3,
    NTRIMMERS = 2,
    NOBJECTS = 3000,
    NEXCHANGE = 256,
    KEEP_ONE_OF = 20,
    OS_PAGE = 4096,
};

// struct object begins every object; marks stand at its end and on each page.
struct object {
    uint64_t size;
    uint64_t mark;
};

static struct object *_Atomic exchange[NEXCHANGE];
static _Atomic bool stop;
static _Atomic unsigned nrounds;
static _Atomic uint64_t most_holes; // bytes that holes gave back, at any time

static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fail(const char *what) {
    fprintf(stderr, "hole_races: %s\n", what);
    abort();
}

// mark_at returns the place of a mark in an object: i of 0 is the end.
static uint64_t *mark_at(struct object *o, size_t i) {
    size_t at = i == 0 ? o->size - sizeof(uint64_t) : i * OS_PAGE;
    return (uint64_t *)((char *)o + at / sizeof(uint64_t) * sizeof(uint64_t));
}

static size_t nmarks(const struct object *o) {
    return 1 + (o->size - sizeof(uint64_t)) / OS_PAGE;
}

static struct object *make(uint64_t *r) {
    size_t size = (size_t)48 << next(r) % 9;
    size -= next(r) % (size / 4);
    bool zeroed = next(r) % 4 == 0;
    struct object *o = zeroed ? mound_calloc(1, size) : mound_malloc(size);
    if (o == NULL)
        fail("no memory");
    for (size_t i = 0; zeroed && i < size; i++)
        if (((const char *)o)[i] != 0)
            fail("what calloc returned is not zero");
    o->size = size;
    o->mark = next(r);
    for (size_t i = 0; i < nmarks(o); i++)
        *mark_at(o, i) = o->mark;
    return o;
}

static void end(struct object *o) {
    if (o == NULL)
        return;
    for (size_t i = 0; i < nmarks(o); i++)
        if (*mark_at(o, i) != o->mark)
            fail("an object lost its contents");
    mound_free(o);
}

// pass_on lets whoever comes next to that place free the object, and frees the one
// that was there.
static void pass_on(struct object *o, uint64_t *r) {
    end(atomic_exchange(&exchange[next(r) % NEXCHANGE], o));
}

static void *work(void *arg) {
    uint64_t r = (uintptr_t)arg;
    struct object **own = mound_calloc(NOBJECTS, sizeof(struct object *));
    if (own == NULL)
        fail("no memory");
    while (!atomic_load(&stop)) {
        for (size_t i = 0; i < NOBJECTS; i++)
            if (own[i] == NULL)
                own[i] = make(&r);
        for (size_t i = 0; i < NOBJECTS; i++) {
            if (next(&r) % KEEP_ONE_OF == 0)
                continue;
            if (next(&r) % 2 == 0)
                pass_on(own[i], &r);
            else
                end(own[i]);
            own[i] = NULL;
        }
        atomic_fetch_add(&nrounds, 1);
        if (next(&r) % 4 == 0)
            usleep(2000); // what is idle for long goes by other ways
    }
    for (size_t i = 0; i < NOBJECTS; i++)
        end(own[i]);
    mound_free(own);
    return NULL;
}

static void *trim(void *arg) {
    uint64_t r = (uintptr_t)arg;
    while (!atomic_load(&stop)) {
        struct mound_memstats stats;
        mound_malloc_trim(0);
        mound_read_memstats(&stats, sizeof stats);
        if (stats.heap_holes > atomic_load(&most_holes))
            atomic_store(&most_holes, stats.heap_holes);
        if (next(&r) % 8 == 0 && mound_verify() != 0)
            fail("the heap is not sound");
        usleep((useconds_t)(next(&r) % 1000));
    }
    return NULL;
}

int main(int argc, char **argv) {
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    pthread_t threads[NWORKERS + NTRIMMERS];
    for (size_t i = 0; i < NWORKERS + NTRIMMERS; i++)
        if (pthread_create(&threads[i], NULL, i < NWORKERS ? work : trim,
                           (void *)(uintptr_t)(i + 1)) != 0)
            fail("no thread");
    sleep(seconds);
    atomic_store(&stop, true);
    for (size_t i = 0; i < NWORKERS + NTRIMMERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < NEXCHANGE; i++)
        end(atomic_exchange(&exchange[i], NULL));

    struct mound_memstats stats;
    mound_malloc_trim(0);
    mound_read_memstats(&stats, sizeof stats);
    if (stats.mallocs != stats.frees)
        fail("not as many frees as mallocs");
    if (mound_verify() != 0)
        fail("the heap is not sound at the end");
    if (atomic_load(&most_holes) == 0 && sysconf(_SC_PAGESIZE) <= OS_PAGE)
        fail("there were no holes");
    printf("hole_races: %u rounds, %lu KiB of holes at most\n",
           atomic_load(&nrounds),
           (unsigned long)atomic_load(&most_holes) >> 10);
    return 0;
}
