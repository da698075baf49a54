// double_free_across.c: an object is freed by a thread that ends, then again by
// another that ends too.
#include "misuse.h"

static void *free_it(void *p) {
    free(p);
    return NULL;
}

static void free_in_thread(void *p) {
    pthread_t t;
    if (pthread_create(&t, NULL, free_it, p) != 0) {
        _exit(1);
    }
    pthread_join(t, NULL);
}

int main(void) {
    char *p = alive(SMALL);
    free_in_thread(p);
    free_in_thread(about_to(p));
    after();
    return 0;
}
