// idle.c: how soon memory that was freed is back, for each row of the table in preload/memory.md.
//
// usage: idle WAY SECONDS MIB
//   sleeps   the only thread sleeps after its last free
//   works    it goes on with a few objects
//   threads  all threads sleep
// 200 MiB are made and freed; within so many seconds the process has no more than so
// many MiB beyond what it had before.
#include <pthread.h>

#include "contract.h"

enum { NOBJECTS = 200 * 1000, BYTES = 1000, LOOK_NS = 20 * 1000 * 1000 };

static void make_and_free(void) {
    static void *objects[NOBJECTS];
    for (int i = 0; i < NOBJECTS; i++) {
        objects[i] = must_malloc(BYTES);
        memset(objects[i], 1, BYTES);
    }
    for (int i = 0; i < NOBJECTS; i++) {
        free(objects[i]);
    }
}

static pthread_barrier_t ready;

static void *wait_main(void *arg) {
    free(must_malloc(1000));
    pthread_barrier_wait(&ready);
    pause();
    return arg;
}

int main(int argc, char **argv) {
    expect(argc == 4, "usage: idle WAY SECONDS MIB");
    int64_t patience = (int64_t)atol(argv[2]) * 1000000000;
    size_t most = (size_t)atol(argv[3]) * MIB;
    if (strcmp(argv[1], "threads") == 0) {
        pthread_t thread;
        pthread_barrier_init(&ready, NULL, 2);
        expect(pthread_create(&thread, NULL, wait_main, NULL) == 0, "thread");
        pthread_barrier_wait(&ready);
    }
    size_t before = rss_bytes();
    make_and_free();
    int64_t freed = now_ns();
    size_t rss;
    do {
        if (strcmp(argv[1], "works") == 0) {
            for (int64_t end = now_ns() + LOOK_NS; now_ns() < end;) {
                free(must_malloc(100));
            }
        } else {
            struct timespec ts = {.tv_nsec = LOOK_NS};
            nanosleep(&ts, NULL);
        }
        rss = rss_bytes() - before;
    } while (rss > most && now_ns() - freed < patience);
    expect(rss <= most, "%zu MiB after %s s, more than %s", rss / MIB, argv[2],
           argv[3]);
    return 0;
}
