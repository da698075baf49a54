// realloc_pairs.c: realloc keeps the contents from every kind of size to every
// other: small, at the borders of size classes, large, very large (moved by
// remapping); and its corner cases.
//
// Trap 66.
#include <malloc.h>

#include "contract.h"

enum { NSMALL = 2000, SEED = 66 };

static const size_t sizes[] = {
    1,       8,       9,     16,     17,     24,     25,      32,
    33,      48,      64,    65,     80,     112,    113,     128,
    144,     200,     208,   256,    257,    288,    512,     513,
    576,     768,     769,   1024,   1025,   1152,   2048,    2049,
    2304,    3072,    4096,  4097,   4864,   6144,   8191,    8192,
    8193,    9472,    10240, 13568,  16384,  16385,  18432,   20480,
    24576,   27264,   28672, 32767,  32768,  32769,  36864,   40960,
    40961,   65536,   65537, 131072, 131073, 200000, 1 << 20, (1 << 20) + 1,
    3 << 20, 5000000,
};
enum { NSIZES = sizeof sizes / sizeof *sizes };

// go reallocates an object of from bytes to to bytes and checks all that must
// have come along. neighbour, when asked for, keeps it from growing in place.
static void go(size_t from, size_t to, bool neighbour) {
    uint64_t tag = from * 31 + to;
    unsigned char *p = must_malloc(from);
    void *next = neighbour ? must_malloc(from) : NULL;
    pattern_fill(p, from, tag);
    unsigned char *q = realloc(p, to);
    expect(q, "realloc from %zu to %zu returned NULL", from, to);
    size_t kept = from < to ? from : to;
    expect(pattern_holds(q, kept, tag), "realloc from %zu to %zu lost contents",
           from, to);
    expect(malloc_usable_size(q) >= to, "realloc to %zu gave %zu bytes", to,
           malloc_usable_size(q));
    pattern_fill(q, to, tag + 1);
    expect(pattern_holds(q, to, tag + 1), "object of %zu bytes overlaps", to);
    free(q);
    free(next);
}

static void very_large(size_t nsteps) {
    static const size_t steps[] = {65, 100, 300, 129, 64, 200, 1};
    size_t now = 64 * (size_t)MIB + 5;
    unsigned char *p = must_malloc(now);
    // Marks a page apart stand for the contents: filling all would take long.
    for (size_t at = 0; at + 8 <= now; at += 4096) {
        *(size_t *)(p + at) = at;
    }
    size_t marked = now;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && i < nsteps; i++) {
        size_t size = steps[i] * MIB + 8;
        void *wall = must_malloc(70 * MIB);
        p = realloc(p, size);
        expect(p, "realloc to %zu MiB returned NULL", size / MIB);
        marked = marked < size ? marked : size;
        for (size_t at = 0; at + 8 <= marked; at += 4096) {
            expect(*(size_t *)(p + at) == at,
                   "realloc to %zu MiB lost the mark at %zu", size / MIB, at);
        }
        for (size_t at = 0; at + 8 <= size; at += 4096) {
            *(size_t *)(p + at) = at;
        }
        marked = size;
        free(wall);
    }
    free(p);
}

static void corners(void) {
    errno = 77;
    void *p = realloc(must_malloc(100), 0);
    expect(!p, "realloc(p, 0) did not return NULL");
    expect(errno == 77, "realloc(p, 0) set errno to %d", errno);
    p = realloc(must_malloc(5 * MIB), 0);
    expect(!p, "realloc(large, 0) did not return NULL");
    p = realloc(NULL, 100);
    expect(p, "realloc(NULL, 100) returned NULL");
    memset(p, 1, 100);
    free(p);

    // realloc(p, 0) must have freed: or this would take 10 GB.
    size_t before = vm_bytes();
    for (int i = 0; i < 10000; i++) {
        void *q = must_malloc(MIB);
        *(char *)q = 1;
        q = realloc(q, 0);
        expect(!q, "realloc(q, 0) did not return NULL");
    }
    expect(vm_bytes() < before + 1024 * (size_t)MIB,
           "realloc(p, 0) does not free");

    // A refused realloc leaves the object as it was.
    unsigned char *q = must_malloc(1000);
    pattern_fill(q, 1000, 1);
    static const size_t refused[] = {SIZE_MAX, PTRDIFF_MAX,
                                     (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        errno = 0;
        expect(!realloc(q, hide(refused[i])) && errno == ENOMEM,
               "realloc to %zu was not refused with ENOMEM", refused[i]);
        expect(pattern_holds(q, 1000, 1), "a refused realloc lost contents");
    }
    free(q);
}

// grown_byte_by_byte is what a naive string builder does, several at once.
static void grown_byte_by_byte(void) {
    enum { NSTRINGS = 7, LENGTH = 60000 };
    unsigned char *string[NSTRINGS] = {0};
    for (size_t len = 1; len <= LENGTH; len += 1 + len / 50) {
        for (int i = 0; i < NSTRINGS; i++) {
            unsigned char *p = realloc(string[i], len);
            expect(p, "realloc to %zu returned NULL", len);
            // What the last round wrote must still be there: its length in
            // front, then the pattern.
            size_t old = 0;
            memcpy(&old, p, len > 8 && string[i] ? sizeof old : 0);
            expect(old == 0 || pattern_holds(p + 8, old - 8, (uint64_t)i),
                   "string %d lost contents at length %zu", i, len);
            if (len > 8) {
                memcpy(p, &len, sizeof len);
                pattern_fill(p + 8, len - 8, (uint64_t)i);
            } else {
                memset(p, 0, len);
            }
            string[i] = p;
        }
    }
    for (int i = 0; i < NSTRINGS; i++) {
        free(string[i]);
    }
}

// By the argument "very_large" these alone, and few of them.
int main(int argc, char **argv) {
    if (argc > 1) {
        expect(strcmp(argv[1], "very_large") == 0, "%s", argv[1]);
        very_large(2);
        return 0;
    }
    for (int i = 0; i < NSIZES; i++) {
        for (int j = 0; j < NSIZES; j++) {
            // The largest pairs are few enough with one way each.
            if (sizes[i] <= 300000 || (i + j) % 2) {
                go(sizes[i], sizes[j], false);
            }
            if (sizes[i] <= 300000 || (i + j) % 2 == 0) {
                go(sizes[i], sizes[j], true);
            }
        }
    }
    very_large(SIZE_MAX);
    corners();
    grown_byte_by_byte();
    return 0;
}
