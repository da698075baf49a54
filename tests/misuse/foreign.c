// foreign.c: memory that the program itself got from the system is freed.
#include "misuse.h"

#include <sys/mman.h>

int main(void) {
    free(alive(SMALL));
    void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return 1;
    }
    free(about_to(p));
    after();
    return 0;
}
