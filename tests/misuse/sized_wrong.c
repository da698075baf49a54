// sized_wrong.c: an object is freed with a size that it does not have.
#include "misuse.h"

int main(void) {
    void (*free_sized_fn)(void *, size_t);
    *(void **)&free_sized_fn = dlsym(RTLD_DEFAULT, "free_sized");
    char *p = alive(SMALL);
    free_sized_fn(about_to(p), 3 * SMALL);
    after();
    return 0;
}
