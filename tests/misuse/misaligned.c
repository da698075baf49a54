// misaligned.c: a pointer that no allocation can have returned is freed.
#include "misuse.h"

int main(void) {
    char *p = alive(SMALL);
    free(about_to(p + 1));
    after();
    return 0;
}
