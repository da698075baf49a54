// mallocx.c: the functions of jemalloc that make, change and free objects give objects
// that malloc's own functions take, aligned and zeroed as their flags say.
#include <dlfcn.h>
#include <malloc.h>

#include "contract.h"

enum { ZERO = 64, TOP = 3 * MIB };

static void *(*mallocx_fn)(size_t, int);
static void *(*rallocx_fn)(void *, size_t, int);
static size_t (*xallocx_fn)(void *, size_t, size_t, int);
static size_t (*sallocx_fn)(const void *, int);
static void (*dallocx_fn)(void *, int);
static void (*sdallocx_fn)(void *, size_t, int);
static size_t (*nallocx_fn)(size_t, int);

static void find(void *ret_fn, const char *name) {
    *(void **)ret_fn = dlsym(RTLD_DEFAULT, name);
    if (*(void **)ret_fn == NULL)
        skip("there is no mallocx here");
}

static void expect_zero(const unsigned char *p, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        expect(p[i] == 0, "byte %zu of %zu is %d", i, to, p[i]);
}

static void check(size_t size, int lg) {
    // Memory that was used, so that zeros do not come by chance.
    void *used = must_malloc(size);
    memset(used, 0xa5, malloc_usable_size(used));
    free(used);
    unsigned char *p = mallocx_fn(size, lg | ZERO);
    expect(p != NULL, "mallocx(%zu, %d) returned NULL", size, lg);
    expect(((uintptr_t)p & (((uintptr_t)1 << lg) - 1)) == 0,
           "mallocx(%zu, %d) returned %p", size, lg, (void *)p);
    size_t usable = malloc_usable_size(p);
    expect(usable >= size && usable == sallocx_fn(p, 0), "%zu is %zu, %zu",
           size, usable, sallocx_fn(p, 0));
    if (lg <= 4)
        expect(usable == nallocx_fn(size, lg), "%zu is %zu, not %zu", size,
               usable, nallocx_fn(size, lg));
    expect_zero(p, 0, usable);
    memset(p, 0x5a, usable);
    expect(xallocx_fn(p, size, 0, 0) >= size, "xallocx shrank %zu", size);
    p = rallocx_fn(p, 2 * size, lg | ZERO);
    expect(p != NULL && ((uintptr_t)p & (((uintptr_t)1 << lg) - 1)) == 0,
           "rallocx(%zu, %d) returned %p", 2 * size, lg, (void *)p);
    for (size_t i = 0; i < size; i++)
        expect(p[i] == 0x5a, "byte %zu of %zu was not kept", i, size);
    expect_zero(p, usable, malloc_usable_size(p));
    p = rallocx_fn(p, size, lg);
    expect(p != NULL, "rallocx(%zu, %d) returned NULL", size, lg);
    switch (size % 3) {
    case 0:
        free(p);
        break;
    case 1:
        dallocx_fn(p, lg);
        break;
    default:
        sdallocx_fn(p, size, lg);
    }
}

int main(void) {
    find(&mallocx_fn, "mallocx");
    find(&rallocx_fn, "rallocx");
    find(&xallocx_fn, "xallocx");
    find(&sallocx_fn, "sallocx");
    find(&dallocx_fn, "dallocx");
    find(&sdallocx_fn, "sdallocx");
    find(&nallocx_fn, "nallocx");
    for (size_t size = 1; size < TOP; size += size < 300 ? 1 : size / 7) {
        for (int lg = 0; lg <= 16; lg += lg < 4 ? 4 : 3)
            check(size, lg);
    }
    // What malloc made, these take.
    void *p = rallocx_fn(must_malloc(100), 200, 0);
    expect(p != NULL && malloc_usable_size(p) >= 200, "rallocx of malloc's");
    sdallocx_fn(p, 200, 0);
    expect(mallocx_fn(SIZE_MAX / 2, 0) == NULL, "too much was given");
    expect(nallocx_fn(SIZE_MAX, 0) == 0, "nallocx of too much");
    return 0;
}
