// busy.c: a large object is freed twice while other threads keep every lock of
// the heap busy.
#include "misuse.h"

enum { NTHREADS = 4 };

static void *keep_busy(void *arg) {
    for (unsigned i = 0;; i++) {
        free(alive(40000 + i % 7 * 50000));
        for (size_t size = 1; size < 30000; size *= 3) {
            free(alive(size));
        }
    }
    return arg;
}

int main(void) {
    for (int i = 0; i < NTHREADS; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, keep_busy, NULL) != 0) {
            return 1;
        }
    }
    usleep(100000);
    // Taken out of the reach of the others: 3 MiB are larger than all theirs.
    char *p = alive(30 * LARGE);
    free(about_to(p + 1));
    after();
    return 0;
}
