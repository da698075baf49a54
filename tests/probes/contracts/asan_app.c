// asan_app.c: a program built with AddressSanitizer, which brings a malloc of
// its own. It must run on that one, and see its own mistakes, as without the
// preloaded library.
//
// usage: asan_app         no mistake
//        asan_app badly   one write past the end
//
// Trap 68.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *work(void *arg) {
    char *volatile p = malloc(100);
    memset(p, 1, 100);
    p = realloc(p, 5000);
    free(p);
    free(aligned_alloc(64, 640));
    free(calloc(10, 10));
    free(strdup("text"));
    return arg;
}

int main(int argc, char **argv) {
    (void)argv;
    pthread_t t;
    work(NULL);
    if (pthread_create(&t, NULL, work, NULL) != 0) {
        return 1;
    }
    pthread_join(t, NULL);
    char *volatile p = malloc(10);
    p[argc > 1 ? 10 : 9] = 1;
    free(p);
    return 0;
}
