// entrypoints.c: a transcript of what every entry point answers to a wide table
// of arguments. Addresses and usable sizes never appear, so the transcript of
// one allocator can be compared with that of another, line by line.
//
// Traps 66 and 67: overflow, alignment, realloc to and from nothing.
#include <gnu/libc-version.h>
#include <malloc.h>

#include "contract.h"

enum { BAD_ERRNO = 4242, NSIZES = 64, MAX_TOUCH = 64 * KIB };

// Sizes that every allocator either serves or refuses: nothing in between that
// depends on the machine's memory.
static const size_t sizes[] = {
    0,
    1,
    2,
    7,
    8,
    9,
    15,
    16,
    17,
    23,
    24,
    25,
    31,
    32,
    33,
    48,
    63,
    64,
    65,
    100,
    127,
    128,
    129,
    255,
    256,
    257,
    511,
    512,
    513,
    1000,
    1023,
    1024,
    1025,
    2048,
    4095,
    4096,
    4097,
    8191,
    8192,
    8193,
    16384,
    32767,
    32768,
    32769,
    65536,
    131071,
    131072,
    131073,
    262144,
    1048576,
    4194304,
    33554432,
    33554433,
    67108865,
    // From here on nothing can be had: over half the address space and more.
    (size_t)1 << 47,
    (size_t)1 << 62,
    (size_t)PTRDIFF_MAX - 4096,
    (size_t)PTRDIFF_MAX - 1,
    (size_t)PTRDIFF_MAX,
    (size_t)PTRDIFF_MAX + 1,
    (size_t)PTRDIFF_MAX + 4096,
    SIZE_MAX - 65536,
    SIZE_MAX - 8192,
    SIZE_MAX - 4097,
    SIZE_MAX - 4096,
    SIZE_MAX - 4095,
    SIZE_MAX - 32,
    SIZE_MAX - 16,
    SIZE_MAX - 15,
    SIZE_MAX - 8,
    SIZE_MAX - 1,
    SIZE_MAX,
};

static const size_t alignments[] = {
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    12,
    16,
    17,
    24,
    31,
    32,
    33,
    48,
    64,
    100,
    128,
    256,
    512,
    1000,
    1024,
    2048,
    4095,
    4096,
    4097,
    8192,
    12288,
    16384,
    65536,
    1 << 20,
    3 << 20,
    1 << 22,
    1 << 26,
    1 << 30,
    (size_t)1 << 47,
    (size_t)1 << 62,
    (size_t)PTRDIFF_MAX,
    (size_t)1 << 63,
    ((size_t)1 << 63) + 1,
    (size_t)3 << 62,
    SIZE_MAX - 1,
    SIZE_MAX,
};

enum {
    N = sizeof sizes / sizeof *sizes,
    NALIGN = sizeof alignments / sizeof *alignments,
};

// pow2_above returns the alignment that an odd one stands for.
static size_t pow2_above(size_t n) {
    size_t a = 8;
    while (a < n && a < (size_t)1 << 62) {
        a <<= 1;
    }
    return a;
}

// touch writes the two ends of an object; a fault here ends the transcript.
static void touch(void *p, size_t size) {
    if (size > 0) {
        memset(p, 0x5a, size < MAX_TOUCH ? size : MAX_TOUCH);
        ((char *)p)[size - 1] = 0x5a;
    }
}

// answer prints what came back and frees it. All are aligned to 16, or to what was
// asked for: 0 asks for nothing.
static void answer(const char *call, void *p, int errno_after, size_t size,
                   size_t alignment) {
    if (!p) {
        printf("%s = NULL, errno %d\n", call, errno_after);
        return;
    }
    size_t need = pow2_above(alignment > 16 ? alignment : 16);
    bool aligned = ((uintptr_t)p & (need - 1)) == 0;
    bool room = malloc_usable_size(p) >= size;
    touch(p, size);
    errno = BAD_ERRNO;
    free(p);
    printf("%s = memory, errno %d, %s, %s, after free errno %d\n", call,
           errno_after, aligned ? "aligned" : "NOT ALIGNED",
           room ? "room" : "NO ROOM", errno);
}

static void plain(void) {
    char call[LINE_BYTES];
    for (int i = 0; i < N; i++) {
        size_t size = hide(sizes[i]);
        errno = BAD_ERRNO;
        void *p = malloc(size);
        int e = errno;
        snprintf(call, sizeof call, "malloc(%zu)", size);
        answer(call, p, e, size, 0);

        errno = BAD_ERRNO;
        p = valloc(size);
        e = errno;
        snprintf(call, sizeof call, "valloc(%zu)", size);
        answer(call, p, e, size, (size_t)sysconf(_SC_PAGESIZE));

        errno = BAD_ERRNO;
        p = pvalloc(size);
        e = errno;
        snprintf(call, sizeof call, "pvalloc(%zu)", size);
        bool whole =
            p && malloc_usable_size(p) >= ((size + 4095) & ~(size_t)4095);
        answer(call, p, e, size, (size_t)sysconf(_SC_PAGESIZE));
        printf("%s whole pages %d\n", call, whole);
    }
}

static void products(void) {
    static const size_t n[] = {0,
                               1,
                               2,
                               3,
                               16,
                               4096,
                               65537,
                               (size_t)1 << 31,
                               ((size_t)1 << 32) - 1,
                               (size_t)1 << 32,
                               ((size_t)1 << 32) + 1,
                               (size_t)1 << 63,
                               SIZE_MAX / 3,
                               SIZE_MAX / 2,
                               SIZE_MAX / 2 + 1,
                               SIZE_MAX};
    enum { NPRODUCTS = sizeof n / sizeof *n };
    char call[LINE_BYTES];
    for (int i = 0; i < NPRODUCTS; i++) {
        for (int j = 0; j < NPRODUCTS; j++) {
            size_t a = hide(n[i]);
            size_t b = hide(n[j]);
            size_t product = 0;
            bool over = __builtin_mul_overflow(a, b, &product);
            // What depends on the machine's memory is left out.
            if (!over && product > 64 * MIB && product < (size_t)1 << 47) {
                continue;
            }
            errno = BAD_ERRNO;
            char *p = calloc(a, b);
            int e = errno;
            snprintf(call, sizeof call, "calloc(%zu, %zu)", a, b);
            if (p && !all_zero(p, product)) {
                printf("%s NOT ZERO\n", call);
            }
            answer(call, p, e, product, 0);

            errno = BAD_ERRNO;
            p = reallocarray(NULL, a, b);
            e = errno;
            snprintf(call, sizeof call, "reallocarray(NULL, %zu, %zu)", a, b);
            answer(call, p, e, product, 0);

            char *old = malloc(40);
            memset(old, 'o', 40);
            errno = BAD_ERRNO;
            p = reallocarray(old, a, b);
            e = errno;
            snprintf(call, sizeof call, "reallocarray(40, %zu, %zu)", a, b);
            bool freed = !over && product == 0;
            if (!p && !freed) {
                printf("%s old contents %s\n", call,
                       old[0] == 'o' && old[39] == 'o' ? "kept" : "LOST");
                free(old);
            } else if (p) {
                size_t keep = product < 40 ? product : 40;
                printf("%s contents %s\n", call,
                       p[0] == 'o' && p[keep - 1] == 'o' ? "kept" : "LOST");
            }
            answer(call, p, e, product, 0);
        }
    }
}

static void aligned(void) {
    static const size_t some[] = {0,
                                  1,
                                  8,
                                  24,
                                  100,
                                  4096,
                                  5000,
                                  40000,
                                  1 << 20,
                                  (size_t)1 << 47,
                                  (size_t)PTRDIFF_MAX - 65536,
                                  (size_t)PTRDIFF_MAX,
                                  SIZE_MAX - 4096,
                                  SIZE_MAX};
    enum { NSOME = sizeof some / sizeof *some };
    char call[LINE_BYTES];
    for (int i = 0; i < NALIGN; i++) {
        for (int j = 0; j < NSOME; j++) {
            size_t alignment = hide(alignments[i]);
            size_t size = hide(some[j]);
            errno = BAD_ERRNO;
            void *p = memalign(alignment, size);
            int e = errno;
            snprintf(call, sizeof call, "memalign(%zu, %zu)", alignment, size);
            answer(call, p, e, size, alignment);

            // Others are errors since C17 and glibc 2.38: see errors.c.
            if (alignment != 0 && (alignment & (alignment - 1)) == 0) {
                errno = BAD_ERRNO;
                p = aligned_alloc(alignment, size);
                e = errno;
                snprintf(call, sizeof call, "aligned_alloc(%zu, %zu)",
                         alignment, size);
                answer(call, p, e, size, alignment);
            }

            void *const untouched = (void *)0x5151;
            p = untouched;
            errno = BAD_ERRNO;
            int rc = posix_memalign(&p, alignment, size);
            e = errno;
            snprintf(call, sizeof call, "posix_memalign(%zu, %zu) rc %d",
                     alignment, size, rc);
            if (rc != 0) {
                printf("%s, errno %d, pointer %s\n", call, e,
                       p == untouched ? "left alone" : "CHANGED");
            } else {
                answer(call, p, e, size, alignment);
            }
        }
    }
}

static void reallocs(void) {
    char call[LINE_BYTES];
    for (int i = 0; i < N; i++) {
        if (sizes[i] > 64 * MIB + 1) {
            continue;
        }
        for (int j = 0; j < N; j++) {
            size_t from = hide(sizes[i]);
            size_t to = hide(sizes[j]);
            unsigned char *p = malloc(from);
            if (!p) {
                printf("malloc(%zu) = NULL\n", from);
                continue;
            }
            touch(p, from);
            errno = BAD_ERRNO;
            unsigned char *q = realloc(p, to);
            int e = errno;
            snprintf(call, sizeof call, "realloc(%zu -> %zu)", from, to);
            unsigned char *r = q ? q : to > 0 ? p : NULL;
            size_t kept = from < to ? from : to;
            if (kept > MAX_TOUCH) {
                kept = MAX_TOUCH;
            }
            for (size_t k = 0; r && k < kept; k++) {
                if (r[k] != 0x5a) {
                    printf("%s LOST byte %zu\n", call, k);
                    break;
                }
            }
            if (!q && to > 0) {
                free(p);
            }
            answer(call, q, e, to, 0);
        }
        size_t size = hide(sizes[i]);
        errno = BAD_ERRNO;
        void *p = realloc(NULL, size);
        int e = errno;
        snprintf(call, sizeof call, "realloc(NULL, %zu)", size);
        answer(call, p, e, size, 0);
    }
}

static void others(void) {
    errno = BAD_ERRNO;
    free(NULL);
    printf("free(NULL) errno %d\n", errno);
    size_t usable = malloc_usable_size(NULL);
    printf("malloc_usable_size(NULL) = %zu, errno %d\n", usable, errno);

    void *a = malloc(0);
    void *b = malloc(0);
    printf("malloc(0) twice: %s\n", a != b ? "distinct" : "THE SAME");
    free(a);
    free(b);

    static const int infos[] = {1, 2, -1, 0x7fffffff};
    for (size_t i = 0; i < sizeof infos / sizeof *infos; i++) {
        errno = BAD_ERRNO;
        int rc = malloc_info(infos[i], stdout);
        int e = errno;
        printf("malloc_info(%d) = %d, errno %d\n", infos[i], rc, e);
    }
    int trimmed = malloc_trim(0);
    printf("malloc_trim(0) is %s\n",
           trimmed == 0 || trimmed == 1 ? "0 or 1" : "SOMETHING ELSE");
    trimmed = malloc_trim(hide(SIZE_MAX));
    printf("malloc_trim(SIZE_MAX) is %s\n",
           trimmed == 0 || trimmed == 1 ? "0 or 1" : "SOMETHING ELSE");

    // Last, for these change what an allocator does from here on. Negative
    // numbers are glibc's own parameters, positive ones SVID's.
    static const struct {
        int param, value;
    } opts[] = {
        {M_TRIM_THRESHOLD, 128 * KIB},
        {M_TRIM_THRESHOLD, -1},
        {M_TOP_PAD, 0},
        {M_TOP_PAD, 64 * KIB},
        {M_MMAP_THRESHOLD, 128 * KIB},
        {M_MMAP_THRESHOLD, 0},
        {M_MMAP_THRESHOLD, 32 * MIB},
        {M_MMAP_THRESHOLD, 32 * MIB + 1},
        {M_MMAP_THRESHOLD, -1},
        {M_MMAP_MAX, 65536},
        {M_MMAP_MAX, 0},
        {M_CHECK_ACTION, 0},
        {M_CHECK_ACTION, 3},
        {M_PERTURB, 0},
        {M_ARENA_TEST, 1},
        {M_ARENA_TEST, 8},
        {M_ARENA_TEST, 0},
        {M_ARENA_TEST, -1},
        {M_ARENA_MAX, 1},
        {M_ARENA_MAX, 0},
        {M_ARENA_MAX, -1},
        {M_MXFAST, 64},
        {M_MXFAST, 160},
        {M_MXFAST, 161},
        {M_MXFAST, 0},
        {M_MXFAST, -1},
        {M_NLBLKS, 100},
        {M_GRAIN, 16},
        {M_KEEP, 1},
        {-9, 1},
        {-100, 1},
        {99, 1},
        {0, 0},
    };
    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
        errno = BAD_ERRNO;
        int rc = mallopt(opts[i].param, opts[i].value);
        // glibc 2.43 has no fastbins, and takes any size of them.
        if (opts[i].param == M_MXFAST &&
            strverscmp(gnu_get_libc_version(), "2.43") >= 0)
            continue;
        printf("mallopt(%d, %d) = %d, errno %d\n", opts[i].param, opts[i].value,
               rc, errno);
    }
}

int main(void) {
    // The stream must not take its buffer from the heap under test.
    static char buffer[256 * KIB];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    plain();
    products();
    aligned();
    reallocs();
    others();
    return 0;
}
