// live.c: counts the bytes a program has asked for and not given back, and
// leaves the peak of any of its processes in word 0 of the slip (bound.h).
// Preloaded; the memory comes from the C library. No allocator can do with less
// than this peak, so scripts/bench draws it beside the peak memory.
//
//   what the C library gave          what the program gets
//   |<----------- shift ------------>|
//                     | size | shift | ...
#include "bound.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

struct note {
    size_t size;
    size_t shift;
};

static _Atomic uint64_t live, peak;
static _Atomic uint64_t *slip;

static void raise_to(_Atomic uint64_t *top, uint64_t n) {
    uint64_t seen = atomic_load_explicit(top, memory_order_relaxed);
    while (seen < n &&
           !atomic_compare_exchange_weak_explicit(
               top, &seen, n, memory_order_relaxed, memory_order_relaxed)) {
    }
}

__attribute__((constructor)) static void start(void) {
    slip = slip_open();
    if (slip != NULL) {
        raise_to(&slip[0], atomic_load(&peak));
    }
}

static struct note *note_of(void *p) {
    return (struct note *)p - 1;
}

// count adds to the live bytes what a block is larger now than before.
static void count(size_t before, size_t after) {
    uint64_t now =
        atomic_fetch_add_explicit(&live, after - before, memory_order_relaxed) +
        (after - before);
    if (now > atomic_load_explicit(&peak, memory_order_relaxed) &&
        after > before) {
        raise_to(&peak, now);
        if (slip != NULL) {
            raise_to(&slip[0], now);
        }
    }
}

static void *write_note(char *p, size_t size, size_t shift) {
    *note_of(p) = (struct note){.size = size, .shift = shift};
    count(0, size);
    return p;
}

static void *take(size_t alignment, size_t size) {
    size_t shift =
        alignment > sizeof(struct note) ? alignment : sizeof(struct note);
    if (size > PTRDIFF_MAX - shift) {
        errno = ENOMEM;
        return NULL;
    }
    char *p = shift > sizeof(struct note) ? __libc_memalign(shift, shift + size)
                                          : __libc_malloc(shift + size);
    return p != NULL ? write_note(p + shift, size, shift) : NULL;
}

EXPORT void *malloc(size_t size) {
    return take(1, size);
}

EXPORT void free(void *p) {
    if (p == NULL) {
        return;
    }
    count(note_of(p)->size, 0);
    __libc_free((char *)p - note_of(p)->shift);
}

EXPORT void *calloc(size_t n, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(n, size, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    // From the C library's own calloc, which does not touch fresh pages.
    size_t shift = sizeof(struct note);
    char *p = product < PTRDIFF_MAX - shift ? __libc_calloc(1, shift + product)
                                            : NULL;
    return p != NULL ? write_note(p + shift, product, shift) : NULL;
}

// realloc counts a block that moves once, as if it had grown in place.
EXPORT void *realloc(void *p, size_t size) {
    if (p == NULL) {
        return malloc(size);
    }
    if (size == 0) {
        free(p);
        return NULL;
    }
    struct note had = *note_of(p);
    size_t shift = sizeof(struct note);
    if (had.shift != shift) {
        void *q = take(1, size);
        if (q != NULL) {
            memcpy(q, p, had.size < size ? had.size : size);
            free(p);
        }
        return q;
    }
    if (size > PTRDIFF_MAX - shift) {
        errno = ENOMEM;
        return NULL;
    }
    char *q = __libc_realloc((char *)p - shift, shift + size);
    if (q == NULL) {
        return NULL;
    }
    *note_of(q + shift) = (struct note){.size = size, .shift = shift};
    count(had.size, size);
    return q + shift;
}

EXPORT void *memalign(size_t alignment, size_t size) {
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    return take(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

EXPORT int posix_memalign(void **ret_p, size_t alignment, size_t size) {
    int before = errno;
    void *p = memalign(alignment, size);
    int error = p == NULL ? errno : 0;
    errno = before;
    if (p != NULL) {
        *ret_p = p;
    }
    return error;
}

EXPORT void *valloc(size_t size) {
    return take((size_t)sysconf(_SC_PAGESIZE), size);
}

EXPORT size_t malloc_usable_size(void *p) {
    return p != NULL ? note_of(p)->size : 0;
}
