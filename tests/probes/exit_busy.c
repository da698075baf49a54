// exit_busy: the process ends while other threads allocate, fill and free objects of all
// sizes. It is no misuse, so no mode may report anything.
#include "expect.h"

#include <pthread.h>

static void *work(void *arg) {
    enum { LIVE = 64, MOST = 300000 };
    static __thread char *live[LIVE];
    uint64_t state = (uintptr_t)arg + 1;
    for (;;) {
        uint64_t r = probe_random(&state);
        char **p = &live[r % LIVE];
        size_t size = r / LIVE % (r % 16 == 0 ? MOST : 600);
        free(*p);
        *p = malloc(size);
        if (*p != NULL)
            memset(*p, 0x5a, size);
    }
    return NULL;
}

int main(void) {
    enum { THREADS = 4, WARM_UP_US = 20000 };
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        expect(pthread_create(&thread, NULL, work, (void *)i) == 0, "thread");
    }
    usleep(WARM_UP_US);
    return 0;
}
