// Probes trap 16: a program uses every pthread key there is. From the 32nd on,
// pthread_setspecific callocs a second-level array, also when malloc calls it, and frees
// it after all destructors.
#include "expect.h"

#include <pthread.h>

enum { NKEYS = 1000, NTHREADS = 20 };

static pthread_key_t keys[NKEYS];
static _Atomic long nfreed;

static void destroy(void *p) {
    free(p);
    nfreed++;
}

static void *set_all(void *arg) {
    // From the highest down, so that the thread's very first allocation may be the one
    // inside pthread_setspecific.
    static char marker[1];
    expect(pthread_setspecific(keys[NKEYS - 1], marker) == 0, "setspecific");
    expect(pthread_setspecific(keys[NKEYS - 1], NULL) == 0, "setspecific");
    for (int i = NKEYS - 1; i >= 0; i--) {
        char *p = malloc(16 + (size_t)i);
        expect(pthread_setspecific(keys[i], p) == 0, "setspecific %d", i);
    }
    for (int i = 0; i < NKEYS; i++) {
        expect(pthread_getspecific(keys[i]), "value %d is lost", i);
    }
    return arg;
}

int main(void) {
    int nkeys = 0;
    while (nkeys < NKEYS && pthread_key_create(&keys[nkeys], destroy) == 0) {
        nkeys++;
    }
    expect(nkeys == NKEYS, "only %d keys are left for the program", nkeys);
    for (int round = 0; round < 5; round++) {
        pthread_t threads[NTHREADS];
        for (int i = 0; i < NTHREADS; i++) {
            expect(pthread_create(&threads[i], NULL, set_all, NULL) == 0,
                   "pthread_create");
        }
        for (int i = 0; i < NTHREADS; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    expect(nfreed == 5L * NTHREADS * NKEYS, "%ld destructors ran, not %ld",
           (long)nfreed, 5L * NTHREADS * NKEYS);
    probe_sound();
    return 0;
}
