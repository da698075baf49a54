// A library that registers fork handlers in its constructor, before main does.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int atfork_nprepares, atfork_nparents, atfork_nchildren;
static char *held;

static void exercise(void) {
    for (size_t n = 1; n < 300000; n = n * 3 + 1) {
        char *p = malloc(n);
        char *q = calloc(1, n);
        if (!p || !q || q[n - 1]) {
            abort();
        }
        p[0] = p[n - 1] = 1;
        p = realloc(p, n * 2);
        free(q);
        free(p);
    }
}

static void prepare(void) {
    atfork_nprepares++;
    exercise();
    free(held);
    held = strdup("held over the fork");
}

static void after(int *counter) {
    (*counter)++;
    if (strcmp(held, "held over the fork") != 0) {
        abort();
    }
    free(held);
    held = NULL;
    exercise();
}

static void parent(void) {
    after(&atfork_nparents);
}

static void child(void) {
    after(&atfork_nchildren);
}

__attribute__((constructor)) static void start(void) {
    pthread_atfork(prepare, parent, child);
}
