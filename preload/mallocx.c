// mallocx.c: the names of jemalloc's second interface that make, change and free objects.
// Programs built against jemalloc (redis, BIND, varnish) use them beside malloc and
// free on the same objects. If these came from jemalloc and malloc from libmound.so, each
// allocator would get objects of the other.
//
// Each is built on the first definition of malloc, free, calloc and realloc in the process,
// as reallocarray is in interpose.c. Of the flags, the alignment and MALLOCX_ZERO have an
// effect. Arenas and thread caches stay jemalloc's: mallctl and all other functions that
// do not touch an object are not defined here.
#include "interpose.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    LG_ALIGN = 63,                     // MALLOCX_LG_ALIGN: the low six bits
    ZERO = 64,                         // MALLOCX_ZERO
    MIN_ALIGN = _Alignof(max_align_t), // of every object
};

static size_t alignment_of(int flags) {
    return (size_t)1 << (flags & LG_ALIGN);
}

// zero_from zeroes the usable bytes from offset size on.
static void *zero_from(void *p, size_t size) {
    size_t usable = malloc_usable_size(p);
    if (usable > size)
        memset((char *)p + size, 0, usable - size);
    return p;
}

EXPORT void *mallocx(size_t size, int flags) {
    bool zero = flags & ZERO;
    if (alignment_of(flags) <= MIN_ALIGN) {
        void *p = zero ? calloc(1, size) : malloc(size);
        return zero && p != NULL ? zero_from(p, size) : p;
    }
    void *p = memalign(alignment_of(flags), size);
    return zero && p != NULL ? zero_from(p, 0) : p;
}

// If it returns NULL, the old block is unchanged.
EXPORT void *rallocx(void *p, size_t size, int flags) {
    size_t alignment = alignment_of(flags), old = malloc_usable_size(p);
    void *q;
    if (alignment <= MIN_ALIGN) {
        q = realloc(p, size > 0 ? size : 1);
        if (q == NULL)
            return NULL;
    } else {
        q = memalign(alignment, size);
        if (q == NULL)
            return NULL;
        memcpy(q, p, old < size ? old : size);
        free(p);
    }
    return flags & ZERO ? zero_from(q, old) : q;
}

// It never resizes in place, so the result is the present usable size.
EXPORT size_t xallocx(void *p, size_t size, size_t extra, int flags) {
    (void)size;
    (void)extra;
    (void)flags;
    return malloc_usable_size(p);
}

EXPORT size_t sallocx(const void *p, int flags) {
    (void)flags;
    return malloc_usable_size((void *)(uintptr_t)p);
}

EXPORT void dallocx(void *p, int flags) {
    (void)flags;
    free(p);
}

// Any size from the requested to the usable one is valid, so it is not checked.
EXPORT void sdallocx(void *p, size_t size, int flags) {
    (void)size;
    (void)flags;
    free(p);
}

// nallocx returns the usable size that mallocx would give, or 0 if that would fail. It
// allocates such an object and frees it, since another allocator may serve the program.
EXPORT size_t nallocx(size_t size, int flags) {
    void *p = mallocx(size, flags & LG_ALIGN);
    size_t usable = malloc_usable_size(p);
    free(p);
    return usable;
}
