// realloc_freed_large.c: a large object is reallocated after it was freed.
#include "misuse.h"

int main(void) {
    char *p = alive(LARGE);
    free(p);
    void *q = realloc(about_to(p), 3 * LARGE);
    after();
    free(q);
    return 0;
}
