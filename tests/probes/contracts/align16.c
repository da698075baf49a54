// align16.c: every object is aligned to 16, as max_align_t and SSE moves need it,
// and as glibc's are, also such as cannot hold a type of that alignment.
//
// Trap 63: size classes of 8 and 24 bytes would break it.
#include "contract.h"

enum { TOP = 70 * KIB, NLIVE = 600 };

static void check_one(const char *call, void *p, size_t size) {
    size_t need = 16;
    expect(p, "%s of %zu bytes returned NULL", call, size);
    expect(((uintptr_t)p & (need - 1)) == 0, "%s of %zu bytes returned %p",
           call, size, p);
}

int main(void) {
    for (size_t size = 0; size <= TOP; size++) {
        void *a = malloc(size);
        void *b = calloc(1, size);
        void *c = realloc(malloc(1), size ? size : 1);
        check_one("malloc", a, size);
        check_one("calloc", b, size);
        check_one("realloc", c, size);
        free(a);
        free(b);
        free(c);
    }

    // Many at once, so that not only the first slots of a span are seen.
    static const size_t sizes[] = {1, 8, 9, 16, 17, 20, 24, 25, 40, 48, 56, 72};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *live[NLIVE];
        for (int j = 0; j < NLIVE; j++) {
            live[j] = malloc(sizes[i]);
            check_one("malloc", live[j], sizes[i]);
        }
        for (int j = 0; j < NLIVE; j++) {
            free(live[j]);
        }
    }
    return 0;
}
