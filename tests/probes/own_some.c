// Probes trap 10: the program defines a malloc with some names of the family and without
// others. tests/preload/own_malloc.py exports the names that a copy of this file is to
// have; the arguments are those names. A library (this probe acts as one, by dlsym) gets
// the program's block from a defined name and libc's from the others, as without mound;
// but what glibc builds on realloc and free calls the program's.
#include "expect.h"

#include <malloc.h>

enum { HEADER = 16, ARENA = 4 * MIB };

static char arena[ARENA] __attribute__((aligned(4096)));
static size_t narena;
static unsigned long nfrees;
static void (*libc_free)(void *);

static bool mine(const void *p) {
    return (const char *)p >= arena && (const char *)p < arena + ARENA;
}

static size_t size_of(const void *p) {
    return ((const size_t *)p)[-1];
}

static void *take(size_t alignment, size_t n) {
    if (alignment < HEADER) {
        alignment = HEADER;
    }
    size_t at = (narena + HEADER + alignment - 1) / alignment * alignment;
    if (n > ARENA || at + n > ARENA) {
        return NULL;
    }
    narena = at + n;
    ((size_t *)(arena + at))[-1] = n;
    return arena + at;
}

void *malloc(size_t n) {
    return take(HEADER, n);
}

void free(void *p) {
    if (mine(p)) {
        nfrees++;
    } else if (p) {
        // From a name that this program does not define: libc's.
        libc_free(p);
    }
}

void *calloc(size_t n, size_t size) {
    void *p = take(HEADER, n * size);
    return p ? memset(p, 0, n * size) : NULL;
}

void *realloc(void *p, size_t n) {
    void *q = take(HEADER, n);
    if (p && q) {
        memcpy(q, p, n < size_of(p) ? n : size_of(p));
        nfrees++;
    }
    return q;
}

void *reallocarray(void *p, size_t n, size_t size) {
    return realloc(p, n * size);
}

void *memalign(size_t alignment, size_t n) {
    return take(alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n) {
    return take(alignment, n);
}

int posix_memalign(void **ret_p, size_t alignment, size_t n) {
    *ret_p = take(alignment, n);
    return *ret_p ? 0 : ENOMEM;
}

void *valloc(size_t n) {
    return take(4096, n);
}

void *pvalloc(size_t n) {
    return take(4096, (n + 4095) / 4096 * 4096);
}

size_t malloc_usable_size(void *p) {
    return p ? size_of(p) : 0;
}

static char **names; // that this copy has

static bool has(const char *name) {
    for (char **n = names; *n; n++) {
        if (strcmp(*n, name) == 0) {
            return true;
        }
    }
    return false;
}

// found returns the function that a library finds under a name.
static void *found(const char *name) {
    void *function = dlsym(RTLD_DEFAULT, name);
    expect(function, "%s: %s", name, dlerror());
    return function;
}

typedef void *one_fn(size_t);
typedef void *two_fn(size_t, size_t);
typedef int memalign_fn(void **, size_t, size_t);
typedef void *array_fn(void *, size_t, size_t);
typedef size_t usable_fn(void *);
typedef struct mallinfo2 info_fn(void);

static void *call(const char *name) {
    void *function = found(name);
    void *p = NULL;
    if (strcmp(name, "malloc") == 0 || strcmp(name, "valloc") == 0 ||
        strcmp(name, "pvalloc") == 0) {
        return ((one_fn *)function)(6400);
    }
    if (strcmp(name, "posix_memalign") == 0) {
        expect(((memalign_fn *)function)(&p, 64, 6400) == 0, "memalign");
        return p;
    }
    if (strcmp(name, "realloc") == 0) {
        return ((two_fn *)function)(0, 6400);
    }
    if (strcmp(name, "reallocarray") == 0) {
        return ((array_fn *)function)(NULL, 64, 100);
    }
    return ((two_fn *)function)(64, name[0] == 'c' ? 100 : 6400);
}

static void free_by(const char *name, void *function, void *p) {
    if (strcmp(name, "free_aligned_sized") == 0) {
        ((void (*)(void *, size_t, size_t))function)(p, 64, 6400);
    } else {
        ((void (*)(void *, size_t))function)(p, 6400);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    names = argv + 1;
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    *(void **)&libc_free = dlsym(libc, "free");
    info_fn *libc_info = (info_fn *)dlsym(libc, "mallinfo2");
    usable_fn *libc_usable = (usable_fn *)dlsym(libc, "malloc_usable_size");
    usable_fn *usable = (usable_fn *)found("malloc_usable_size");
    expect(libc_free && libc_info && libc_usable, "dlsym: %s", dlerror());

    // The old names are libc's and stay so; nothing else changes by their use.
    two_fn *old_memalign = (two_fn *)dlsym(RTLD_DEFAULT, "__libc_memalign");
    void (*old_free)(void *) =
        (void (*)(void *))dlsym(RTLD_DEFAULT, "__libc_free");
    for (size_t align = 8; old_memalign && old_free && align < 100;
         align *= 2) {
        size_t used = libc_info().uordblks;
        void *p = old_memalign(align, 6400);
        expect(libc_info().uordblks >= used + 6400,
               "__libc_memalign(%zu) is not libc's", align);
        old_free(p);
    }

    static const char *const gives[] = {
        "malloc",         "calloc", "realloc", "reallocarray", "aligned_alloc",
        "posix_memalign", "valloc", "pvalloc", "memalign"};
    static const char *const frees[] = {"free", "free_sized",
                                        "free_aligned_sized", "cfree"};
    for (size_t i = 0; i < sizeof gives / sizeof gives[0]; i++) {
        for (size_t j = 0; j < sizeof frees / sizeof frees[0]; j++) {
            void *by = dlsym(RTLD_DEFAULT, frees[j]);
            if (!by) { // not of glibc
                by = found("free");
            }
            bool on_realloc = strcmp(gives[i], "reallocarray") == 0;
            bool own = has(gives[i]) || (on_realloc && has("realloc"));
            size_t used = libc_info().uordblks;
            unsigned long before = nfrees;
            void *p = call(gives[i]);
            expect(p, "%s gave nothing", gives[i]);
            expect(mine(p) == own, "%s gave %s block", gives[i],
                   mine(p) ? "the program's" : "another");
            expect(own || libc_info().uordblks >= used + 6400,
                   "%s was not served by libc", gives[i]);
            memset(p, 1, 6400);
            if (own) {
                expect(!has("malloc_usable_size") || usable(p) >= 6400,
                       "the program's malloc_usable_size is passed by");
                free_by(frees[j], by, p);
                expect(nfrees == before + 1, "%s of %s's block passed free by",
                       frees[j], gives[i]);
            } else if (!has("malloc_usable_size")) {
                expect(usable(p) == libc_usable(p),
                       "malloc_usable_size does not speak of libc's block");
                free_by(frees[j], by, p);
                expect(libc_info().uordblks < used + 6400,
                       "%s: libc did not get %s's block back", frees[j],
                       gives[i]);
            }
        }
    }
    if (has("realloc")) {
        array_fn *grow = (array_fn *)found("reallocarray");
        void *p = grow(call("malloc"), 100, 100);
        expect(mine(p),
               "reallocarray took the block out of the program's heap");
        expect(!grow(p, SIZE_MAX, 2), "reallocarray overflowed");
    }
    expect(((info_fn *)found("mallinfo2"))().arena == libc_info().arena,
           "mallinfo2 is not libc's");
    return 0;
}
