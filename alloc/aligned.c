// aligned.c: the rest of the malloc family: aligned requests, sized frees, and the
// size of a block. Each behaves as glibc 2.36's function of the same name, except
// aligned_alloc, which follows C17 like glibc 2.38's.
#include "mound.h"

#include <errno.h>

#include "base/bits.h"
#include "malloc_slow.h"
#include "newdelete.h"
#include "os/sys.h"
#include "runtime/mode.h"
#include "usable.h"

EXPORT void *mound_reallocarray(void *p, size_t nmemb, size_t size) {
    size_t nbytes;
    if (__builtin_mul_overflow(nmemb, size, &nbytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return mound_realloc(p, nbytes);
}

// aligned_hit is malloc's hit for an alignment that is a power of two; NULL: a miss.
ALWAYS_INLINE void *aligned_hit(size_t alignment, size_t size) {
    if (UNLIKELY(size > MAX_SMALL_SIZE) || UNLIKELY(alignment > PAGE_SIZE))
        return NULL;
    // Class 0 means that no class serves this; its magazine is always empty.
    return mcache_alloc(thread_cache(), sizeclass_for_aligned(size, alignment));
}

// glibc accepts any alignment and rounds it up to a power of two; an alignment that
// cannot be rounded is an error.
EXPORT void *mound_memalign(size_t alignment, size_t size) {
    if (UNLIKELY(runtime_passive())) // the next malloc may treat it differently
        return memalign_slow(alignment, size);
    if (alignment <= MIN_ALIGN)
        return mound_malloc(size);
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    if (LIKELY(is_pow2(alignment))) {
        void *p = aligned_hit(alignment, size);
        if (LIKELY(p != NULL))
            return p;
    }
    return memalign_slow((size_t)1 << ceil_log2(alignment), size);
}

EXPORT void *mound_aligned_alloc(size_t alignment, size_t size) {
    if (UNLIKELY(!is_pow2(alignment))) {
        errno = EINVAL;
        return NULL;
    }
    return mound_memalign(alignment, size);
}

static SLOW int posix_memalign_slow(void **ret_p, size_t alignment,
                                    size_t size) {
    // POSIX requires the return value only; glibc also sets errno on ENOMEM.
    void *p = mound_memalign(alignment, size);
    if (p == NULL)
        return ENOMEM;
    *ret_p = p;
    return 0;
}

EXPORT int mound_posix_memalign(void **ret_p, size_t alignment, size_t size) {
    if (UNLIKELY(alignment % sizeof(void *) != 0) ||
        UNLIKELY(!is_pow2(alignment)))
        return EINVAL;
    void *p = aligned_hit(alignment, size);
    if (UNLIKELY(p == NULL))
        return posix_memalign_slow(ret_p, alignment, size);
    *ret_p = p;
    return 0;
}

EXPORT void *mound_valloc(size_t size) {
    return mound_memalign(sys_page_size(), size);
}

EXPORT void *mound_pvalloc(size_t size) {
    size_t page = sys_page_size();
    if (size > SIZE_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return mound_memalign(page, align_up(size, page));
}

EXPORT size_t mound_malloc_usable_size(void *p) {
    size_t usable = usable_hit(p);
    return LIKELY(usable != 0) ? usable : usable_size_slow(p);
}

EXPORT void mound_cfree(void *p) {
    mound_free(p);
}

EXPORT void mound_free_aligned_sized(void *p, size_t alignment, size_t size) {
    free_sized_slow(p, alignment, size, "free_aligned_sized");
}

void newdelete_delete_aligned(void *p, size_t size, size_t alignment) {
    delete_sized_slow(p, alignment, size);
}
