// usable_wild.c: the usable size of something that is no object is asked for.
#include "misuse.h"

static char variable[64] __attribute__((aligned(16)));

int main(void) {
    free(alive(SMALL));
    size_t n = malloc_usable_size(about_to(variable));
    after();
    return n != 0;
}
