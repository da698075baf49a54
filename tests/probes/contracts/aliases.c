// aliases.c: every name of the malloc family, the nine __libc_ aliases
// included, is answered by the object that answers malloc: nothing of the
// family is left to another allocator.
//
// usage: aliases [EXTRA...], names which must be there beside glibc's
//
// Trap 11.
#include <dlfcn.h>
#include <malloc.h>

#include "contract.h"

static const char *const names[] = {
    "malloc",
    "free",
    "calloc",
    "realloc",
    "reallocarray",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "valloc",
    "pvalloc",
    "malloc_usable_size",
    "malloc_trim",
    "mallopt",
    "mallinfo",
    "mallinfo2",
    "malloc_info",
    "malloc_stats",
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "__libc_valloc",
    "__libc_pvalloc",
    "__libc_mallopt",
    "__libc_mallinfo",
};

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t);
extern void *__libc_pvalloc(size_t);
extern void __libc_free(void *);

static const char *owner(const char *name) {
    void *at = dlsym(RTLD_DEFAULT, name);
    Dl_info info;
    expect(at && dladdr(at, &info), "%s is nowhere", name);
    return info.dli_fname;
}

int main(int argc, char **argv) {
    const char *ours = owner("malloc");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect(strcmp(owner(names[i]), ours) == 0, "%s is in %s, malloc in %s",
               names[i], owner(names[i]), ours);
    }
    for (int i = 1; i < argc; i++) {
        expect(strcmp(owner(argv[i]), ours) == 0, "%s is in %s, malloc in %s",
               argv[i], owner(argv[i]), ours);
    }

    // One heap: what one name hands out the other takes back.
    void *p[] = {__libc_malloc(100),        __libc_calloc(10, 10),
                 __libc_realloc(NULL, 100), __libc_memalign(256, 100),
                 __libc_valloc(100),        __libc_pvalloc(100)};
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        expect(p[i] && malloc_usable_size(p[i]) >= 100,
               "alias number %zu returned %p", i, p[i]);
        memset(p[i], 1, 100);
        p[i] = realloc(p[i], 5000);
        expect(p[i] && *(char *)p[i] == 1, "realloc after alias %zu failed", i);
        free(p[i]);
        __libc_free(malloc(100));
    }
    return 0;
}
