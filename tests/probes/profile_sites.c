// profile_sites: ten sites that allocate a known number of bytes each, for a
// profile to be compared with. Prints for each, at the end,
//
//   site NAME ADDRESS ALLOCATED INUSE
//
// with the address of its function and exact bytes (of slots); and `end ADDRESS`.
// Arguments: bytes for each site, 50 000 000 if there are none.
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { NSITES = 10, EVERY = 3 }; // every third object is kept

static size_t wanted = 50 * 1000 * 1000;
static size_t allocated[NSITES];
static size_t inuse[NSITES];

static void note(int site, void *p, size_t i) {
    if (p == NULL)
        exit(1);
    size_t nbytes = malloc_usable_size(p);
    *(volatile char *)p = 1;
    allocated[site] += nbytes;
    if (i % EVERY == 0)
        inuse[site] += nbytes;
    else
        free(p);
}

// Each is a function of its own whose code is no other's.
#define SITE(n, call)                                                          \
    __attribute__((noinline, noclone)) static void site_##n(void) {            \
        for (size_t i = 0; allocated[n] < wanted; i++) {                       \
            void *p = call;                                                    \
            __asm__ volatile("" : "+r"(p) : "i"(n));                           \
            note(n, p, i);                                                     \
        }                                                                      \
    }

static void *aligned(size_t align, size_t size) {
    void *p = NULL;
    return posix_memalign(&p, align, size) == 0 ? p : NULL;
}

SITE(0, malloc(20))
SITE(1, malloc(100))
SITE(2, calloc(1, 500))
SITE(3, malloc(1000))
SITE(4, aligned(256, 4000))
SITE(5, realloc(NULL, 9000))
SITE(6, malloc(30000))
SITE(7, malloc(40000))
SITE(8, calloc(2, 100000))
SITE(9, malloc(1 << 20))

static void (*const sites[NSITES])(void) = {site_0, site_1, site_2, site_3,
                                            site_4, site_5, site_6, site_7,
                                            site_8, site_9};

int main(int argc, char **argv) {
    if (argc > 1)
        wanted = strtoull(argv[1], NULL, 10);
    for (int i = 0; i < NSITES; i++)
        sites[i]();
    for (int i = 0; i < NSITES; i++)
        printf("site %d %#lx %zu %zu\n", i, (unsigned long)(uintptr_t)sites[i],
               allocated[i], inuse[i]);
    printf("end %#lx\n", (unsigned long)(uintptr_t)main);
    return 0;
}
