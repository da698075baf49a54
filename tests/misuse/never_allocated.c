// never_allocated.c: the place of an object that was never handed out is freed.
#include "misuse.h"

enum { PAGE = 8192 };

int main(void) {
    // The last place in the page: a program this small has not come so far.
    uintptr_t p = (uintptr_t)alive(SMALL);
    free(about_to((void *)((p & ~(uintptr_t)(PAGE - 1)) + PAGE - SMALL)));
    after();
    return 0;
}
