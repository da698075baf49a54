// A preloaded library that stands in for calls an allocator might make, as fake
// clocks, sandboxes and tracers do, and allocates in each of them. Whoever
// calls them from inside malloc ends in a recursion without end.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

unsigned long busy_calls_ncalls;

// allocate_uncounted takes more than any cache holds, so that it reaches whatever
// its caller was in.
static void allocate_uncounted(void) {
    enum { N = 64 };
    void *blocks[N];
    for (size_t i = 0; i < N; i++) {
        blocks[i] = malloc(i % 8 == 0 ? 40000 : 16 + i * 8);
        if (blocks[i]) {
            memset(blocks[i], 1, 16);
        }
    }
    for (size_t i = 0; i < N; i++) {
        free(blocks[i]);
    }
}

static void allocate_a_lot(void) {
    busy_calls_ncalls++;
    allocate_uncounted();
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
    allocate_a_lot();
    return (int)syscall(SYS_clock_gettime, clock, ts);
}

void *mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at) {
    allocate_a_lot();
    return (void *)syscall(SYS_mmap, addr, n, prot, flags, fd, at);
}

// These two are called on purpose, from where that is safe: who interposes them
// watches memory go back.
int munmap(void *addr, size_t n) {
    allocate_uncounted();
    return (int)syscall(SYS_munmap, addr, n);
}

int madvise(void *addr, size_t n, int advice) {
    allocate_uncounted();
    return (int)syscall(SYS_madvise, addr, n, advice);
}

int mprotect(void *addr, size_t n, int prot) {
    allocate_a_lot();
    return (int)syscall(SYS_mprotect, addr, n, prot);
}

ssize_t write(int fd, const void *p, size_t n) {
    allocate_a_lot();
    return syscall(SYS_write, fd, p, n);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = flags & O_CREAT ? va_arg(list, int) : 0;
    va_end(list);
    allocate_a_lot();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

long sysconf(int name) {
    static long (*next)(int);
    allocate_a_lot();
    if (!next) {
        next = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    }
    return next(name);
}

char *getenv(const char *name) {
    static char *(*next)(const char *);
    allocate_a_lot();
    if (!next) {
        next = (char *(*)(const char *))dlsym(RTLD_NEXT, "getenv");
    }
    return next(name);
}

// Sanitizers stand in for these.
int strncmp(const char *a, const char *b, size_t n) {
    allocate_a_lot();
    for (; n > 0 && *a != '\0' && *a == *b; n--) {
        a++;
        b++;
    }
    return n == 0 ? 0 : (unsigned char)*a - (unsigned char)*b;
}

int strcmp(const char *a, const char *b) {
    return strncmp(a, b, SIZE_MAX);
}

int dl_iterate_phdr(int (*f)(struct dl_phdr_info *, size_t, void *),
                    void *data) {
    static int (*next)(int (*)(struct dl_phdr_info *, size_t, void *), void *);
    allocate_a_lot();
    if (!next) {
        next = (int (*)(int (*)(struct dl_phdr_info *, size_t, void *),
                        void *))dlsym(RTLD_NEXT, "dl_iterate_phdr");
    }
    return next(f, data);
}
