// Probes trap 1: an IFUNC resolver of the executable allocates. It runs while the
// executable is being relocated, before any constructor, ours included. It also makes a
// TSD key, which therefore has a lower number than any later one, so that its destructor
// may run before the allocator's (trap 17).
#include "expect.h"

#include <pthread.h>

enum { NEARLY = 200 };
static char *early[NEARLY];
static char *early_large;
static pthread_key_t early_key;
static int nfreed;

static void free_value(void *p) {
    free(p);
    void *other = malloc(4000);
    free(other);
    __atomic_add_fetch(&nfreed, 1, __ATOMIC_RELAXED);
}

static int answer(void) {
    return 42;
}

// choose must not use anything that is relocated late; malloc and the like are
// called through slots that were filled in before (the probe is built with
// -fno-plt).
static int (*choose(void))(void) {
    for (int i = 0; i < NEARLY; i++) {
        early[i] = malloc((size_t)i + 1);
        if (early[i]) {
            early[i][0] = (char)i;
        }
    }
    for (int i = 0; i < NEARLY; i += 2) {
        free(early[i]);
        early[i] = calloc(1, (size_t)i + 1);
    }
    early_large = realloc(malloc(50000), 300000);
    pthread_key_create(&early_key, free_value);
    return answer;
}

int ask(void) __attribute__((ifunc("choose")));

static void *use_key(void *arg) {
    expect(pthread_setspecific(early_key, malloc(100)) == 0, "setspecific");
    return arg;
}

int main(void) {
    expect(ask() == 42, "the resolver gave a wrong function");
    for (int i = 0; i < NEARLY; i++) {
        expect(early[i], "no early block %d", i);
        if (i % 2 == 0) {
            expect(all_zero(early[i], (size_t)i + 1), "early calloc %d", i);
        } else {
            expect(early[i][0] == (char)i, "early block %d changed", i);
        }
    }
    expect(early_large, "no early large block");
    fill(early_large, 300000, 7);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        expect(pthread_create(&thread, NULL, use_key, NULL) == 0, "thread");
        pthread_join(thread, NULL);
    }
    expect(nfreed == 20, "%d of 20 destructors ran", nfreed);
    for (int i = 0; i < NEARLY; i++) {
        free(early[i]);
    }
    free(early_large);
    probe_workout();
    probe_sound();
    return 0;
}
