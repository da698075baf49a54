// counted.c: preloaded into a peer, adds up the blocks its maps hold, each with
// the size that malloc rounded it to. The C library's own records before each
// block are not in it, as Go's bitmaps and spans are not in its HeapAlloc.
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

// The C library's malloc under its second names.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);
void *__libc_memalign(size_t align, size_t size);

static int64_t bytes; // of a program with one thread

int64_t counted_bytes(void);

int64_t counted_bytes(void) {
    return bytes;
}

static void *taken(void *p) {
    bytes += (int64_t)malloc_usable_size(p);
    return p;
}

void *malloc(size_t size) {
    return taken(__libc_malloc(size));
}

void *calloc(size_t n, size_t size) {
    return taken(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size) {
    int64_t before = (int64_t)malloc_usable_size(p);
    void *q = __libc_realloc(p, size);
    if (q != NULL || size == 0) {
        bytes -= before;
    }
    return q == NULL ? NULL : taken(q);
}

void *aligned_alloc(size_t align, size_t size) {
    return taken(__libc_memalign(align, size));
}

int posix_memalign(void **ret, size_t align, size_t size) {
    *ret = aligned_alloc(align, size);
    return *ret == NULL;
}

void free(void *p) {
    bytes -= (int64_t)malloc_usable_size(p);
    __libc_free(p);
}
