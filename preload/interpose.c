// interpose.c: the names of the C library's allocator. Each is one jump to its
// mound_ twin. All of them are here: one left out would be answered by glibc
// about a heap that is empty, or with memory that is not ours.
#include "interpose.h"

#include <errno.h>

#include "mound.h"

EXPORT void *malloc(size_t size) {
    return mound_malloc(size);
}

EXPORT void free(void *p) {
    mound_free(p);
}

EXPORT void *calloc(size_t nmemb, size_t size) {
    return mound_calloc(nmemb, size);
}

EXPORT void *realloc(void *p, size_t size) {
    return mound_realloc(p, size);
}

EXPORT void *reallocarray(void *p, size_t nmemb, size_t size) {
    return mound_reallocarray(p, nmemb, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return mound_aligned_alloc(alignment, size);
}

EXPORT int posix_memalign(void **ret_p, size_t alignment, size_t size) {
    return mound_posix_memalign(ret_p, alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    return mound_memalign(alignment, size);
}

EXPORT void *valloc(size_t size) {
    return mound_valloc(size);
}

EXPORT void *pvalloc(size_t size) {
    return mound_pvalloc(size);
}

EXPORT void cfree(void *p) {
    mound_free(p);
}

EXPORT size_t malloc_usable_size(void *p) {
    return mound_malloc_usable_size(p);
}

EXPORT void free_sized(void *p, size_t size) {
    mound_free_sized(p, size);
}

EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size) {
    mound_free_aligned_sized(p, alignment, size);
}

EXPORT int malloc_trim(size_t pad) {
    return mound_malloc_trim(pad);
}

// Old programs and a few libraries call these; glibc still has them.
EXPORT void *__libc_malloc(size_t size) {
    return mound_malloc(size);
}

EXPORT void __libc_free(void *p) {
    mound_free(p);
}

EXPORT void *__libc_calloc(size_t nmemb, size_t size) {
    return mound_calloc(nmemb, size);
}

EXPORT void *__libc_realloc(void *p, size_t size) {
    return mound_realloc(p, size);
}

EXPORT void *__libc_memalign(size_t alignment, size_t size) {
    return mound_memalign(alignment, size);
}

EXPORT void *__libc_valloc(size_t size) {
    return mound_valloc(size);
}

EXPORT void *__libc_pvalloc(size_t size) {
    return mound_pvalloc(size);
}

// A second name for malloc that nobody can interpose.
static void *own_malloc(size_t size)
    __attribute__((alias("malloc"), copy(malloc)));

void *(*interpose_malloc(void))(size_t) {
    return own_malloc;
}
