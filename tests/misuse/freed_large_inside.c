// freed_large_inside.c: a pointer into a large object that is free is freed.
#include "misuse.h"

int main(void) {
    char *p = alive(LARGE);
    free(p);
    free(about_to(p + 8192));
    after();
    return 0;
}
