// Probes trap 18: blocks of ended threads are freed by others and used again: memory
// stays flat over many rounds. The threads end in every way: return, pthread_exit,
// cancellation, detached.
#include "expect.h"

#include <pthread.h>
#include <semaphore.h>

enum { NROUNDS = 300, NBLOCKS = 2000, WARM_UP = 100 };

static void *blocks[NBLOCKS];
static sem_t done;

static size_t size_of(size_t i) {
    return 16 + i * 7 % 3000;
}

static void allocate(void) {
    for (size_t i = 0; i < NBLOCKS; i++) {
        blocks[i] = malloc(size_of(i));
        fill(blocks[i], size_of(i), i);
    }
    sem_post(&done);
}

static void *returns(void *arg) {
    allocate();
    return arg;
}

static void *exits(void *arg) {
    allocate();
    pthread_exit(arg);
}

static void *is_cancelled(void *arg) {
    allocate();
    for (;;) {
        pause();
    }
    return arg;
}

int main(void) {
    sem_init(&done, 0, 0);
    size_t warm = 0;
    for (int round = 0; round < NROUNDS; round++) {
        void *(*const ways[])(void *) = {returns, exits, is_cancelled, returns};
        int way = round % 4;
        pthread_t thread;
        expect(pthread_create(&thread, NULL, ways[way], NULL) == 0, "thread");
        sem_wait(&done);
        if (way == 2) {
            pthread_cancel(thread);
        }
        if (way == 3) {
            pthread_detach(thread);
        } else {
            pthread_join(thread, NULL);
        }
        for (size_t i = 0; i < NBLOCKS; i++) {
            expect(intact(blocks[i], size_of(i), i),
                   "block %zu of a thread that is gone has changed", i);
            free(blocks[i]);
        }
        if (round == WARM_UP) {
            warm = probe_rss();
        }
    }
    size_t end = probe_rss();
    expect(end < warm + 8 * MIB, "memory grew from %zu to %zu KiB", warm / KIB,
           end / KIB);
    probe_sound();
    return 0;
}
