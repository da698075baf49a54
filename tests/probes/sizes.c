// Allocates objects of sizes that it knows and prints by how much their slots are larger,
// for tests/preload/dump.py. Arguments: objects, kind of sizes ("two" alternates,
// "random", "large"), threads.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>

static size_t nobjects;
static const char *kind;
static _Atomic size_t nlost;

static size_t size_of(size_t i, uint64_t *state) {
    if (strcmp(kind, "two") == 0) {
        return i % 2 == 0 ? 33 : 48; // one class
    }
    uint64_t r = probe_random(state);
    return strcmp(kind, "large") == 0 ? 40000 + r % 200000 : 1 + r % 1000;
}

static void *work(void *arg) {
    uint64_t state = 7 + (uintptr_t)arg;
    void **kept = malloc(nobjects * sizeof *kept);
    size_t *sizes = malloc(nobjects * sizeof *sizes);
    for (size_t i = 0; i < nobjects; i++) {
        sizes[i] = size_of(i, &state);
        kept[i] = malloc(sizes[i]);
    }
    // A half goes, by chance.
    for (size_t i = 0; i < nobjects; i++) {
        if (probe_random(&state) % 2) {
            free(kept[i]);
        } else {
            nlost += malloc_usable_size(kept[i]) - sizes[i];
        }
    }
    free(sizes);
    free(kept);
    return NULL;
}

int main(int argc, char **argv) {
    expect(argc == 4, "arguments");
    nobjects = strtoul(argv[1], NULL, 10);
    kind = argv[2];
    uintptr_t nthreads = strtoul(argv[3], NULL, 10);
    pthread_t threads[100];
    for (uintptr_t i = 0; i < nthreads; i++) {
        pthread_create(&threads[i], NULL, work, (void *)i);
    }
    for (uintptr_t i = 0; i < nthreads; i++) {
        pthread_join(threads[i], NULL);
    }
    char text[40];
    int n = snprintf(text, sizeof text, "%zu\n", nlost);
    return write(1, text, (size_t)n) == n ? 0 : 1;
}
