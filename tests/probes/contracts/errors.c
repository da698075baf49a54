// errors.c: what a caller of each function may rely on when it fails, and when it
// does not: the answer, errno, and that nothing else has changed. After what
// glibc's manual and its own tests say; where glibc has changed, its newest.
//
// Traps 66 and 67.
#include <malloc.h>

#include "contract.h"

enum { MARK = 4242 };

// fails says what must hold after a call that failed: its errno.
#define fails(call, error)                                                     \
    do {                                                                       \
        errno = MARK;                                                          \
        const void *got = (call);                                              \
        expect(!got && errno == (error), "%s: %p, errno %d", #call, got,       \
               errno);                                                         \
    } while (0)

// works says it for one that did not fail: errno is as it was.
#define works(call, alignment)                                                 \
    do {                                                                       \
        errno = MARK;                                                          \
        void *got = (call);                                                    \
        expect(got &&errno == MARK, "%s: %p, errno %d", #call, got, errno);    \
        expect((uintptr_t)got % (alignment) == 0, "%s: not aligned", #call);   \
        free(got);                                                             \
        expect(errno == MARK, "free after %s: errno %d", #call, errno);        \
    } while (0)

static const size_t too_large[] = {PTRDIFF_MAX,       (size_t)PTRDIFF_MAX + 1,
                                   SIZE_MAX - 65536,  SIZE_MAX - 4096,
                                   SIZE_MAX / 2 + 64, SIZE_MAX};

static void posix(size_t alignment, size_t size, int error, int error_number) {
    void *const mark = (void *)0x1234;
    void *p = mark;
    errno = MARK;
    int rc = posix_memalign(&p, alignment, size);
    expect(rc == error && p == mark && errno == error_number,
           "posix_memalign(%zu, %zu): %d, %p, errno %d", alignment, size, rc, p,
           errno);
}

static void no_memory(size_t size) {
    char *p = malloc(100);
    memset(p, 0x5a, 100);
    fails(malloc(size), ENOMEM);
    fails(calloc(1, size), ENOMEM);
    fails(calloc(size, 1), ENOMEM);
    fails(calloc(size, 16), ENOMEM);
    fails(realloc(NULL, size), ENOMEM);
    fails(realloc(p, size), ENOMEM);
    fails(reallocarray(p, 1, size), ENOMEM);
    fails(reallocarray(p, size, 8), ENOMEM);
    fails(reallocarray(NULL, 8, size), ENOMEM);
    fails(valloc(size), ENOMEM);
    fails(pvalloc(size), ENOMEM);
    for (size_t align = 1; align <= 1 << 20; align *= 2) {
        fails(memalign(align, size), ENOMEM);
        fails(aligned_alloc(align, size), ENOMEM);
        if (align >= sizeof(void *)) {
            // The standard leaves errno open; glibc sets it.
            posix(align, size, ENOMEM, ENOMEM);
        }
    }
    for (int i = 0; i < 100; i++) {
        expect(p[i] == 0x5a, "a block changed when others failed");
    }
    free(p);
}

static void bad_alignments(void) {
    for (size_t align = 0; align < 200; align++) {
        bool power = align != 0 && (align & (align - 1)) == 0;
        if (power) {
            works(aligned_alloc(hide(align), 64), align);
        } else {
            // C17. memalign rounds it up instead.
            fails(aligned_alloc(hide(align), 64), EINVAL);
        }
        works(memalign(hide(align), 64), power ? align : 1);
        if (!power || align % sizeof(void *) != 0) {
            posix(hide(align), 64, EINVAL, MARK);
        }
    }
    fails(aligned_alloc(hide(65), 64), EINVAL);
    fails(aligned_alloc(hide(SIZE_MAX), 64), EINVAL);
    fails(memalign(hide(SIZE_MAX / 2 + 2), 64), EINVAL);
    posix(hide(0x300), 10, EINVAL, MARK);
    // A size that is no multiple is served.
    works(aligned_alloc(64, 65), 64);
    works(aligned_alloc(4096, 1), 4096);
}

static void nothing(void) {
    works(malloc(hide(0)), 1);
    works(calloc(hide(0), 8), 1);
    works(calloc(8, hide(0)), 1);
    works(realloc(NULL, hide(0)), 1);
    works(reallocarray(NULL, hide(0), hide(SIZE_MAX)), 1);
    works(memalign(64, hide(0)), 64);
    works(aligned_alloc(64, hide(0)), 64);
    works(valloc(hide(0)), 4096);
    works(pvalloc(hide(0)), 4096);
    void *p = NULL;
    errno = MARK;
    expect(posix_memalign(&p, 64, hide(0)) == 0 && p && errno == MARK,
           "posix_memalign of nothing");
    free(p);
    p = malloc(10);
    errno = MARK;
    expect(!realloc(p, hide(0)) && errno == MARK, "realloc to nothing");
    expect(malloc_usable_size(NULL) == 0 && errno == MARK,
           "malloc_usable_size(NULL)");
    free(NULL);
    expect(errno == MARK, "free(NULL)");
}

static void successes(void) {
    static const size_t sizes[] = {1, 24, 1000, 40000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = hide(sizes[i]);
        works(malloc(n), 1);
        works(calloc(n, 1), 1);
        works(realloc(malloc(n), n * 2), 1);
        works(realloc(malloc(n * 2), n), 1);
        works(reallocarray(malloc(n), 3, n), 1);
        works(valloc(n), 4096);
        works(pvalloc(n), 4096);
    }
    void *p = pvalloc(1);
    expect(malloc_usable_size(p) >= (size_t)sysconf(_SC_PAGESIZE),
           "pvalloc gives whole pages");
    free(p);
}

int main(void) {
    for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++) {
        no_memory(hide(too_large[i]));
    }
    bad_alignments();
    nothing();
    successes();
    return 0;
}
