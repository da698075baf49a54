// Probes the bound on caches: 1 000 threads allocate and free, then sleep. The process
// may hold some tens of MiB for them at most. The limit is each thread's share: 64 KiB
// of free slots, 3 KiB for its cache's record, and the 8.4 KiB of a sleeping thread's
// stack. (Here libc's own malloc takes 88 MiB, others up to 320.)
#include "expect.h"

#include <pthread.h>

enum { NTHREADS = 1000, NBLOCKS = 60, LIMIT = 78 * MIB };

static pthread_barrier_t asleep;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    // One after the other, so that live blocks do not add up.
    pthread_mutex_lock(&one_by_one);
    for (size_t round = 0; round < 20; round++) {
        void *blocks[NBLOCKS];
        for (size_t i = 0; i < NBLOCKS; i++) {
            blocks[i] = malloc(16 + (i * round * 37) % 2000);
            memset(blocks[i], 1, 16);
        }
        for (size_t i = 0; i < NBLOCKS; i++) {
            free(blocks[i]);
        }
    }
    pthread_mutex_unlock(&one_by_one);
    pthread_barrier_wait(&asleep);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return arg;
}

int main(void) {
    static pthread_t threads[NTHREADS];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 * KIB);
    pthread_barrier_init(&asleep, NULL, NTHREADS + 1);
    pthread_mutex_lock(&gate);
    size_t before = probe_rss();
    for (int i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], &attr, work, NULL) == 0, "thread %d",
               i);
    }
    pthread_barrier_wait(&asleep);
    size_t asleep_rss = probe_rss();
    expect(asleep_rss < before + LIMIT,
           "1000 sleeping threads hold %zu KiB, more than %d KiB",
           (asleep_rss - before) / KIB, LIMIT / KIB);
    probe_sound();
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    probe_sound();
    return 0;
}
