// sized.c: free_sized and free_aligned_sized take back what they are for, with
// the size that was asked for, and keep errno. glibc 2.36 has neither.
#include <dlfcn.h>
#include <malloc.h>

#include "contract.h"

int main(void) {
    void (*free_sized_fn)(void *, size_t);
    void (*free_aligned_sized_fn)(void *, size_t, size_t);
    *(void **)&free_sized_fn = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&free_aligned_sized_fn =
        dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (!free_sized_fn || !free_aligned_sized_fn) {
        skip("there is no free_sized here");
    }
    errno = 99;
    free_sized_fn(NULL, 0);
    free_sized_fn(NULL, 100);
    free_aligned_sized_fn(NULL, 64, 128);
    for (size_t size = 0; size < 3 * MIB;
         size += size < 40000 ? 1 : size / 20) {
        void *p = malloc(size);
        expect(p, "malloc(%zu) returned NULL", size);
        memset(p, 1, size);
        free_sized_fn(p, size);
        free_sized_fn(calloc(1, size), size);
        free_sized_fn(realloc(malloc(2 * size + 1), size ? size : 1),
                      size ? size : 1);
        // Shrunk in place or not, the size is the one last asked for.
        free_sized_fn(realloc(malloc(size + size / 3 + 1), size ? size : 1),
                      size ? size : 1);
        if (size % 64 && size > 2000) {
            continue;
        }
        for (size_t alignment = 8; alignment <= 64 * KIB; alignment *= 4) {
            p = aligned_alloc(alignment, size);
            expect(p, "aligned_alloc(%zu, %zu) returned NULL", alignment, size);
            memset(p, 1, size);
            free_aligned_sized_fn(p, alignment, size);
        }
    }
    expect(errno == 99, "errno became %d", errno);

    // Freed means free: or this would take 10 GB.
    size_t before = vm_bytes();
    for (int i = 0; i < 10000; i++) {
        void *p = must_malloc(MIB);
        *(char *)p = 1;
        free_sized_fn(p, MIB);
    }
    expect(vm_bytes() < before + 1024 * (size_t)MIB,
           "free_sized does not free");
    return 0;
}
