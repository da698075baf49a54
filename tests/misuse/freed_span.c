// freed_span.c: an object is freed again when all of its neighbours are free
// too, and their memory may have become something else.
#include "misuse.h"

enum { N = 600, SIZE = 30000 };

int main(void) {
    static char *object[N];
    for (int i = 0; i < N; i++) {
        object[i] = alive(SIZE);
    }
    for (int i = 0; i < N; i++) {
        free(object[i]);
    }
    free(about_to(object[N / 2]));
    after();
    return 0;
}
