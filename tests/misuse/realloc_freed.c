// realloc_freed.c: an object is reallocated after it was freed.
#include "misuse.h"

int main(void) {
    char *p = alive(SMALL);
    free(p);
    void *q = realloc(about_to(p), 10 * SMALL);
    after();
    free(q);
    return 0;
}
