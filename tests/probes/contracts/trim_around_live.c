// trim_around_live.c: malloc_trim(0) returns the free pages between objects
// that live on, touches none of these, and may be called at any time.
//
// Trap 56.
#include <malloc.h>
#include <pthread.h>

#include "contract.h"

enum { TOTAL = 256 * MIB, SIZE = 1000, LIVE_EVERY = 2000, SEED = 57 };
enum { N = TOTAL / SIZE, NTRIMS = 200 };

static void *trim_often(void *stop) {
    while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE)) {
        malloc_trim(0);
    }
    return NULL;
}

int main(void) {
    static unsigned char *object[N];
    for (int i = 0; i < N; i++) {
        object[i] = must_malloc(SIZE);
        pattern_fill(object[i], SIZE, (uint64_t)i);
    }
    size_t full = rss_bytes();
    for (int i = 0; i < N; i++) {
        if (i % LIVE_EVERY) {
            free(object[i]);
        }
    }
    malloc_trim(0);
    size_t after = rss_bytes();
    expect(full - after >= TOTAL / 10 * 8,
           "of %d MiB, freed but for one object in %d, malloc_trim(0) returned "
           "%zu MiB",
           TOTAL / MIB, LIVE_EVERY, (full - after) / MIB);
    for (int i = 0; i < N; i += LIVE_EVERY) {
        expect(pattern_holds(object[i], SIZE, (uint64_t)i),
               "malloc_trim(0) damaged a live object");
    }

    // With allocations going on, and a pad larger than all there is.
    static bool stop;
    pthread_t t;
    expect(pthread_create(&t, NULL, trim_often, &stop) == 0, "no thread");
    uint64_t rng = SEED;
    for (int i = 0; i < NTRIMS; i++) {
        void *few[64];
        size_t size[64];
        for (int j = 0; j < 64; j++) {
            size[j] = mixed_size(&rng, MIB);
            few[j] = must_malloc(size[j]);
            size[j] = size[j] < 5000 ? size[j] : 5000;
            pattern_fill(few[j], size[j], (uint64_t)j);
        }
        malloc_trim(i % 2 ? (size_t)i * MIB : SIZE_MAX);
        for (int j = 0; j < 64; j++) {
            expect(pattern_holds(few[j], size[j], (uint64_t)j),
                   "malloc_trim damaged a live object");
            free(few[j]);
        }
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(t, NULL);
    return 0;
}
