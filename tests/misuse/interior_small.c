// interior_small.c: a pointer into the middle of a small object is freed.
#include "misuse.h"

int main(void) {
    char *p = alive(SMALL);
    free(about_to(p + 16));
    after();
    return 0;
}
