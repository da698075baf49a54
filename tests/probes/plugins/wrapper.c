// A wrapper to be preloaded in front of an allocator: it counts and passes on
// to the next malloc, as tools such as heap tracers do.
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

unsigned long wrapper_nmallocs;
unsigned long wrapper_nfrees;
unsigned long wrapper_nreallocs;
int wrapper_came_early; // called before libc has the environment

extern char **environ;

static void note_call(unsigned long *counter) {
    wrapper_came_early |= environ == NULL;
    __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static char bootstrap[65536] __attribute__((aligned(16)));
static size_t nbootstrap;

static int from_bootstrap(const void *p) {
    return (const char *)p >= bootstrap &&
           (const char *)p < bootstrap + sizeof bootstrap;
}

// next_of finds the next definition. While that allocates (dlsym may), blocks
// come from a little array.
static void *next_of(void **cached, const char *name) {
    // volatile: glibc's headers promise that dlsym calls nobody back.
    static volatile int searching;
    if (!*cached && !searching) {
        searching = 1;
        *cached = dlsym(RTLD_NEXT, name);
        searching = 0;
    }
    return *cached;
}

static void *take_bootstrap(size_t n) {
    size_t at = nbootstrap;
    nbootstrap += (n + 15) & ~(size_t)15;
    return nbootstrap <= sizeof bootstrap ? bootstrap + at : NULL;
}

void *malloc(size_t n) {
    static void *cached;
    void *(*next)(size_t) = (void *(*)(size_t))next_of(&cached, "malloc");
    if (!next) {
        return take_bootstrap(n);
    }
    note_call(&wrapper_nmallocs);
    return next(n);
}

void *calloc(size_t n, size_t size) {
    static void *cached;
    void *(*next)(size_t, size_t) =
        (void *(*)(size_t, size_t))next_of(&cached, "calloc");
    if (!next) {
        return take_bootstrap(n * size);
    }
    note_call(&wrapper_nmallocs);
    return next(n, size);
}

void *realloc(void *p, size_t n) {
    static void *cached;
    void *(*next)(void *, size_t) =
        (void *(*)(void *, size_t))next_of(&cached, "realloc");
    if (from_bootstrap(p)) {
        void *q = malloc(n);
        size_t left = (size_t)(bootstrap + sizeof bootstrap - (char *)p);
        return q ? memcpy(q, p, n < left ? n : left) : NULL;
    }
    note_call(&wrapper_nreallocs);
    return next ? next(p, n) : NULL;
}

void free(void *p) {
    static void *cached;
    void (*next)(void *) = (void (*)(void *))next_of(&cached, "free");
    if (!next || from_bootstrap(p)) {
        return;
    }
    note_call(&wrapper_nfrees);
    next(p);
}
