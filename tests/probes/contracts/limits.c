// limits.c: requests that can never be served are refused with ENOMEM (or, by
// the aligned family, as glibc 2.36 refuses them) and leave everything as it
// was; alignments up to 1 GiB are served.
//
// Trap 67.
#include <malloc.h>

#include "contract.h"

// refused says what must hold after a refusal.
static void refused(const char *call, size_t a, size_t b, const void *p) {
    expect(!p, "%s(%zu, %zu) returned %p", call, a, b, p);
    expect(errno == ENOMEM, "%s(%zu, %zu) set errno to %d", call, a, b, errno);
    errno = 0;
}

static void too_large(void) {
    // The last 2^14 + 1 sizes, and as many about PTRDIFF_MAX, in odd steps.
    static const size_t tops[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 8192};
    for (int t = 0; t < 2; t++) {
        for (size_t down = 0; down <= (t ? 16384 : 70000);
             down += down < 100 ? 1 : 997) {
            size_t size = hide(tops[t] - down);
            errno = 0;
            refused("malloc", size, 0, malloc(size));
            refused("calloc", 1, size, calloc(1, size));
            refused("calloc", size, 1, calloc(size, 1));
            refused("valloc", size, 0, valloc(size));
            refused("pvalloc", size, 0, pvalloc(size));
            refused("realloc", 0, size, realloc(NULL, size));
            refused("memalign", 64, size, memalign(64, size));
            refused("memalign", 1 << 30, size, memalign(1 << 30, size));
            refused("aligned_alloc", 4096, size, aligned_alloc(4096, size));
        }
    }
    // Products that wrap round to something small.
    static const size_t half = (size_t)1 << 32;
    for (size_t n = 0; n < 64; n++) {
        size_t a = hide(half + n);
        size_t b = hide(half - n);
        errno = 0;
        refused("calloc", a, b + n, calloc(a, b + n));
        refused("reallocarray", a, b + n, reallocarray(NULL, a, b + n));
        refused("calloc", (size_t)1 << 63, 2 + 2 * n,
                calloc(hide((size_t)1 << 63), 2 + 2 * n));
    }
}

static void untouched_on_error(void) {
    void *const mark = (void *)0x1234;
    static const struct {
        size_t alignment, size;
        int rc;
    } bad[] = {
        {0, 8, EINVAL},
        {1, 8, EINVAL},
        {4, 8, EINVAL},
        {3, 8, EINVAL},
        {24, 8, EINVAL},
        {96, 8, EINVAL},
        {4097, 8, EINVAL},
        {((size_t)1 << 63) + 8, 8, EINVAL},
        {8, SIZE_MAX, ENOMEM},
        {16, (size_t)PTRDIFF_MAX, ENOMEM},
        {4096, SIZE_MAX - 4096, ENOMEM},
        {(size_t)1 << 62, 8, ENOMEM},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *p = mark;
        int rc = posix_memalign(&p, hide(bad[i].alignment), hide(bad[i].size));
        expect(rc == bad[i].rc && p == mark,
               "posix_memalign(%zu, %zu) returned %d and left %p",
               bad[i].alignment, bad[i].size, rc, p);
    }
}

static void aligned_up_to_a_gib(void) {
    for (size_t alignment = 1; alignment <= (size_t)1 << 30; alignment *= 2) {
        static const size_t sizes[] = {1, 100, 5000, 70000, 3 * MIB};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *p[3] = {memalign(alignment, sizes[i]),
                                   aligned_alloc(alignment, sizes[i])};
            int rc = posix_memalign((void **)&p[2],
                                    alignment < 8 ? 8 : alignment, sizes[i]);
            expect(rc == 0, "posix_memalign(%zu, %zu) returned %d", alignment,
                   sizes[i], rc);
            for (int way = 0; way < 3; way++) {
                expect(p[way] && ((uintptr_t)p[way] & (alignment - 1)) == 0,
                       "way %d: alignment %zu, size %zu: %p", way, alignment,
                       sizes[i], (void *)p[way]);
                pattern_fill(p[way], sizes[i], (uint64_t)way);
            }
            for (int way = 0; way < 3; way++) {
                expect(pattern_holds(p[way], sizes[i], (uint64_t)way),
                       "alignment %zu, size %zu: objects overlap", alignment,
                       sizes[i]);
                // Aligned objects are ordinary ones for realloc and free.
                if (way == 0) {
                    p[0] = realloc(p[0], 2 * sizes[i]);
                    expect(p[0] && pattern_holds(p[0], sizes[i], 0),
                           "realloc of an aligned object lost contents");
                }
                free(p[way]);
            }
        }
    }
    // glibc takes any alignment for memalign and rounds up; what aligned_alloc does
    // with one that is no power of two is in errors.c.
    for (size_t alignment = 0; alignment < 3000; alignment++) {
        size_t rounded = 16;
        while (rounded < alignment) {
            rounded *= 2;
        }
        void *p = memalign(hide(alignment), 100);
        void *q = memalign(hide(alignment), 33);
        expect(p && ((uintptr_t)p & (rounded - 1)) == 0,
               "memalign(%zu, 100) returned %p", alignment, p);
        expect(q && ((uintptr_t)q & (rounded - 1)) == 0,
               "memalign(%zu, 33) returned %p", alignment, q);
        free(p);
        free(q);
    }
    errno = 0;
    expect(!memalign(hide(((size_t)1 << 63) + 1), 8) && errno == EINVAL,
           "an alignment over half the address space: errno %d", errno);
}

// Many aligned objects in a row must not use up memory for what lies between
// them once they are freed.
static void alignment_gives_back(void) {
    size_t before = vm_bytes();
    for (int i = 0; i < 300; i++) {
        void *p = memalign(64 * MIB, 100);
        expect(p, "memalign(64 MiB, 100) number %d returned NULL", i);
        free(p);
    }
    size_t after = vm_bytes();
    expect(after < before + 1024 * (size_t)MIB,
           "300 aligned objects, freed, left %zu MiB of address space behind",
           (after - before) / MIB);
}

int main(void) {
    too_large();
    untouched_on_error();
    aligned_up_to_a_gib();
    alignment_gives_back();
    void *p = must_malloc(100);
    free(p);
    return 0;
}
