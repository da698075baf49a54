// Probes traps 14, 15, 18 and 42: plugins with large TLS blocks are loaded and unloaded
// in a loop, while other threads touch that TLS (ld.so then allocates it by malloc),
// allocate, start and end.
#include "expect.h"

#include <pthread.h>

enum { NROUNDS = 150, NTHREADS = 3 };

static _Atomic bool stop;
static _Atomic unsigned long nallocs;

static void *allocate(void *arg) {
    uint64_t state = (uint64_t)(uintptr_t)arg;
    while (!stop) {
        void *blocks[50];
        for (int i = 0; i < 50; i++) {
            blocks[i] = malloc(probe_random(&state) % 40000);
        }
        for (int i = 0; i < 50; i++) {
            free(blocks[i]);
        }
        nallocs += 50;
    }
    return NULL;
}

static void *touch_tls(void *arg) {
    char *(*tls)(void) = (char *(*)(void))arg;
    char *block = tls();
    expect(block[0] == 0 && block[99999] == 0, "a TLS block is not zero");
    memset(block, 1, 100000);
    return NULL;
}

int main(void) {
    pthread_t threads[NTHREADS];
    for (uintptr_t i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], NULL, allocate, (void *)(i + 1)) ==
                   0,
               "pthread_create");
    }
    for (int round = 0; round < NROUNDS; round++) {
        void *plugin = dlopen(probe_sibling("tls_block.so"), RTLD_NOW);
        expect(plugin, "dlopen: %s", dlerror());
        void *strings = dlopen(probe_sibling("strings.so"), RTLD_NOW);
        expect(strings, "dlopen: %s", dlerror());
        void *tls = dlsym(plugin, "plugin_tls");
        expect(tls, "dlsym: %s", dlerror());
        touch_tls(tls);
        pthread_t toucher;
        expect(pthread_create(&toucher, NULL, touch_tls, tls) == 0,
               "pthread_create");
        pthread_join(toucher, NULL);
        expect(dlclose(strings) == 0, "dlclose: %s", dlerror());
        expect(dlclose(plugin) == 0, "dlclose: %s", dlerror());
    }
    stop = true;
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    expect(nallocs > 0, "the other threads never ran");
    probe_sound();
    return 0;
}
