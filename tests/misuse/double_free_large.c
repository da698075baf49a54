// double_free_large.c: a large object is freed twice in a row.
#include "misuse.h"

int main(void) {
    char *p = alive(LARGE);
    free(p);
    free(about_to(p));
    after();
    return 0;
}
