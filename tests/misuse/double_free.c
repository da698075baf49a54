// double_free.c: an object is freed twice in a row.
#include "misuse.h"

int main(void) {
    char *p = alive(SMALL);
    free(p);
    free(about_to(p));
    after();
    return 0;
}
