// interior_large.c: a pointer into the middle of a large object is freed, a
// page from its start and so aligned as well as any.
#include "misuse.h"

int main(void) {
    char *p = alive(LARGE);
    free(about_to(p + 8192));
    after();
    return 0;
}
