// sized_wrong_large.c: a large object is freed with the size of a small one.
#include "misuse.h"

int main(void) {
    void (*free_sized_fn)(void *, size_t);
    *(void **)&free_sized_fn = dlsym(RTLD_DEFAULT, "free_sized");
    char *p = alive(LARGE);
    free_sized_fn(about_to(p), SMALL);
    after();
    return 0;
}
