// Probes trap 10: the program defines malloc, free, calloc and realloc, which override
// any preloaded ones, but not aligned_alloc and the rest. What it does not define must
// be libc's, as without mound: a block must never be allocated in one heap and freed in
// another.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>

enum { HEADER = 16, ARENA = 64 * MIB };

static char arena[ARENA] __attribute__((aligned(4096)));
static size_t narena;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// volatile: glibc's headers promise that strdup calls no function of the program.
static volatile unsigned long nmallocs, nfrees;
static void (*libc_free)(void *);

static bool mine(const void *p) {
    return (const char *)p >= arena && (const char *)p < arena + ARENA;
}

static size_t size_of(const void *p) {
    return *(const size_t *)((const char *)p - HEADER);
}

void *malloc(size_t n) {
    if (n > ARENA / 4) {
        errno = ENOMEM;
        return NULL;
    }
    pthread_mutex_lock(&lock);
    nmallocs++;
    size_t at = narena;
    narena += HEADER + ((n + 15) & ~(size_t)15);
    bool full = narena > ARENA;
    pthread_mutex_unlock(&lock);
    if (full) {
        static const char text[] = "own_malloc: arena full\n";
        (void)!write(2, text, sizeof text - 1);
        _exit(1);
    }
    *(size_t *)(arena + at) = n;
    return arena + at + HEADER;
}

void free(void *p) {
    if (!p) {
        return;
    }
    if (!mine(p)) {
        // From an entry point that this program does not define: libc's.
        libc_free(p);
        return;
    }
    pthread_mutex_lock(&lock);
    nfrees++;
    pthread_mutex_unlock(&lock);
}

void *calloc(size_t n, size_t size) {
    void *p = malloc(n * size);
    if (p) {
        memset(p, 0, n * size);
    }
    return p;
}

void *realloc(void *p, size_t n) {
    void *q = malloc(n);
    if (p && q) {
        memcpy(q, p, n < size_of(p) ? n : size_of(p));
        free(p);
    }
    return q;
}

static void *work(void *arg) {
    for (int i = 0; i < 2000; i++) {
        void *p = NULL;
        expect(posix_memalign(&p, 64, 500) == 0, "posix_memalign");
        free(strdup("a string"));
        free(p);
    }
    return arg;
}

int main(void) {
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    libc_free = (void (*)(void *))dlsym(libc, "free");
    size_t (*libc_usable)(void *) =
        (size_t(*)(void *))dlsym(libc, "malloc_usable_size");
    struct mallinfo2 (*libc_info)(void) =
        (struct mallinfo2(*)(void))dlsym(libc, "mallinfo2");
    expect(libc_free && libc_usable && libc_info, "dlsym: %s", dlerror());

    // Allocations inside libc use the program's malloc.
    unsigned long before = nmallocs;
    char *copy = strdup("a copy");
    expect(mine(copy) && nmallocs == before + 1, "strdup passed us by");
    free(copy);

    // Each missing entry point: libc's own figures must show the block.
    for (int which = 0; which < 6; which++) {
        size_t used = libc_info().uordblks + libc_info().hblkhd;
        void *p = NULL;
        before = nmallocs;
        switch (which) {
        case 0:
            p = aligned_alloc(64, 6400);
            break;
        case 1:
            p = memalign(64, 6400);
            break;
        case 2:
            p = valloc(6400);
            break;
        case 3:
            p = pvalloc(6400);
            break;
        case 4:
            expect(posix_memalign(&p, 128, 6400) == 0, "memalign");
            break;
        default:
            p = aligned_alloc(1 << 16, 1 << 20);
            break;
        }
        expect(p && !mine(p), "entry point %d gave no block", which);
        expect(nmallocs == before, "entry point %d called our malloc", which);
        expect(libc_info().uordblks + libc_info().hblkhd >= used + 6400,
               "entry point %d was not served by libc", which);
        expect(malloc_usable_size(p) == libc_usable(p),
               "malloc_usable_size does not speak of libc's block");
        memset(p, 1, malloc_usable_size(p));
        free(p);
        expect(libc_info().uordblks + libc_info().hblkhd < used + 6400,
               "entry point %d: libc did not get its block back", which);
    }
    // Like libc's, reallocarray calls the first realloc in the process.
    void *array = reallocarray(NULL, 10, 640);
    expect(mine(array), "reallocarray passed realloc by");
    array = reallocarray(array, 10, 6400);
    expect(mine(array), "reallocarray took the block to another heap");
    free(array);
    expect(mallinfo2().arena == libc_info().arena, "mallinfo2 is not libc's");
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    malloc_trim(0);

    // Threads, fork and the functions of mound.h still work.
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        expect(pthread_create(&threads[i], NULL, work, NULL) == 0, "thread");
    }
    pid_t pid = fork();
    if (pid == 0) {
        probe_child_starts();
        work(NULL);
        free(aligned_alloc(64, 640));
        _exit(0);
    }
    probe_child_passed(pid, "fork");
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    expect(nfrees > 6000, "only %lu frees", nfrees);
    return 0;
}
