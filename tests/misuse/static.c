// static.c: a static variable is freed.
#include "misuse.h"

static char variable[64] __attribute__((aligned(16)));

int main(void) {
    free(alive(SMALL));
    free(about_to(variable));
    after();
    return 0;
}
