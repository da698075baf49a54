// aligned_sized_wrong.c: an aligned object is freed with a size that it does
// not have.
#include "misuse.h"

int main(void) {
    void (*free_aligned_sized_fn)(void *, size_t, size_t);
    *(void **)&free_aligned_sized_fn =
        dlsym(RTLD_DEFAULT, "free_aligned_sized");
    char *p = aligned_alloc(64, SMALL);
    free_aligned_sized_fn(about_to(p), 64, 4 * SMALL);
    after();
    return 0;
}
