// interpose.c: the names of the C library's allocator, all of them. If one were missing,
// glibc's would be called: it describes an empty heap, or returns memory that is not
// ours.
//
// Each is one jump to its mound_ twin, with two exceptions. What glibc builds on the
// interposed realloc or free (reallocarray; the sized frees of C23) is built the same way
// here: a program may interpose realloc and not reallocarray. While another allocator
// serves the program, aligned requests go to the next definition of the same name, as
// they would without mound: see runtime_mode for when that is.
#include "interpose.h"

#include <errno.h>

#include "first.h"
#include "mound.h"
#include "life/process.h"

AT_START bool interpose_own;

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
    size_t nbytes;
    if (__builtin_mul_overflow(nmemb, size, &nbytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, nbytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    if (process_passive())
        return interpose_next.aligned_alloc(alignment, size);
    return mound_aligned_alloc(alignment, size);
}

EXPORT int posix_memalign(void **ret_p, size_t alignment, size_t size) {
    if (process_passive())
        return interpose_next.posix_memalign(ret_p, alignment, size);
    return mound_posix_memalign(ret_p, alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    if (process_passive())
        return interpose_next.memalign(alignment, size);
    return mound_memalign(alignment, size);
}

EXPORT void *valloc(size_t size) {
    if (process_passive())
        return interpose_next.valloc(size);
    return mound_valloc(size);
}

EXPORT void *pvalloc(size_t size) {
    if (process_passive())
        return interpose_next.pvalloc(size);
    return mound_pvalloc(size);
}

EXPORT void cfree(void *p) {
    free(p);
}

EXPORT size_t malloc_usable_size(void *p) {
    return mound_malloc_usable_size(p);
}

// A size can be checked only if the block is what mound returned: a malloc found before
// mound may have put a header in front.
EXPORT void free_sized(void *p, size_t size) {
    if (interpose_own)
        mound_free_sized(p, size);
    else
        free(p);
}

EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size) {
    if (interpose_own)
        mound_free_aligned_sized(p, alignment, size);
    else
        free(p);
}

EXPORT int malloc_trim(size_t pad) {
    return mound_malloc_trim(pad);
}

// Old programs and a few libraries call these names; glibc still has them. A malloc found
// before mound may pass calls on by these names as well as by dlsym(RTLD_NEXT).
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

// Second names that cannot be interposed.
static void *own_malloc(size_t size)
    __attribute__((alias("malloc"), copy(malloc)));
static void own_free(void *p) __attribute__((alias("free"), copy(free)));
static void *own_calloc(size_t nmemb, size_t size)
    __attribute__((alias("calloc"), copy(calloc)));
static void *own_realloc(void *p, size_t size)
    __attribute__((alias("realloc"), copy(realloc)));

// The loader records where a name leads only if the library calls it. Never called.
__attribute__((used)) static void call_all(void) {
    free(realloc(malloc(1), 1));
    free(calloc(1, 1));
}

COLD unsigned interpose_front(void) {
    unsigned front = 0;
    if (!first_is("malloc", (const void *)own_malloc))
        front |= NAME_MALLOC;
    if (!first_is("calloc", (const void *)own_calloc))
        front |= NAME_CALLOC;
    if (!first_is("realloc", (const void *)own_realloc))
        front |= NAME_REALLOC;
    interpose_own =
        !(front & NAME_MALLOC) && first_is("free", (const void *)own_free);
    return front;
}
