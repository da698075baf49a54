// Probes traps 17, 18 and 20: 10 000 short threads, or as many as the argument says,
// joined and detached, each with a few objects of every size; memory stays flat and no
// cache is lost.
#include "expect.h"

#include <pthread.h>
#include <semaphore.h>

#include "mound.h"

enum { NTHREADS = 10000, AT_ONCE = 8, WARM_UP_SHARE = 5 };

static sem_t ended;

static void *work(void *arg) {
    void *blocks[40];
    for (size_t i = 0; i < 40; i++) {
        blocks[i] = malloc(16 << (i % 12));
        memset(blocks[i], 1, 16);
    }
    for (size_t i = 0; i < 40; i++) {
        free(blocks[i]);
    }
    if (arg) {
        sem_post(&ended);
    }
    return NULL;
}

int main(int argc, char **argv) {
    static char detached[1];
    int nthreads = argc > 1 ? atoi(argv[1]) : NTHREADS;
    sem_init(&ended, 0, 0);
    size_t warm = 0;
    for (int made = 0; made < nthreads; made += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            void *arg = i % 2 ? detached : NULL;
            expect(pthread_create(&threads[i], NULL, work, arg) == 0, "thread");
        }
        for (int i = 0; i < AT_ONCE; i++) {
            if (i % 2) {
                pthread_detach(threads[i]);
                sem_wait(&ended);
            } else {
                pthread_join(threads[i], NULL);
            }
        }
        if (warm == 0 && made >= nthreads / WARM_UP_SHARE) {
            warm = probe_rss();
        }
    }
    size_t end = probe_rss();
    expect(warm > 0, "never warm");
    expect(end < warm + 4 * MIB, "memory grew from %zu to %zu KiB", warm / KIB,
           end / KIB);

    void (*read_stats)(struct mound_memstats *, size_t) =
        (void (*)(struct mound_memstats *, size_t))dlsym(RTLD_DEFAULT,
                                                         "mound_read_memstats");
    if (read_stats) {
        struct mound_memstats stats;
        read_stats(&stats, sizeof stats);
        // The last detached threads may still be ending.
        expect(stats.nthreads <= 1 + AT_ONCE, "%lu thread caches are left",
               (unsigned long)stats.nthreads);
        expect(stats.mcache_sys < 16 * MIB, "caches took %lu KiB",
               (unsigned long)stats.mcache_sys / KIB);
    }
    probe_sound();
    return 0;
}
