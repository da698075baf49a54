// realloc_wild.c: something that is no object is reallocated.
#include "misuse.h"

static char variable[64] __attribute__((aligned(16)));

int main(void) {
    free(alive(SMALL));
    void *q = realloc(about_to(variable), SMALL);
    after();
    free(q);
    return 0;
}
