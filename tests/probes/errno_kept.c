// Probes trap 36: free preserves errno, and so does every call that succeeds, on small,
// large and huge blocks, also if a system call within fails (mlockall makes some advice
// fail).
#include "expect.h"

#include <malloc.h>
#include <sys/mman.h>

#include "mound.h"

enum { ODD = 12345 };

#define keeps(call)                                                            \
    do {                                                                       \
        errno = ODD;                                                           \
        call;                                                                  \
        expect(errno == ODD, "%s changed errno to %d", #call, errno);          \
    } while (0)

static const size_t sizes[] = {1,        24,        700,     5000,    32 * KIB,
                               33 * KIB, 300 * KIB, 5 * MIB, 70 * MIB};

static void try_size(size_t n) {
    char *volatile p;
    char *volatile q;
    void *aligned = NULL;
    keeps(p = malloc(n));
    expect(p, "malloc(%zu)", n);
    keeps(q = calloc(1, n));
    expect(q, "calloc(%zu)", n);
    memset(p, 1, n);
    keeps(malloc_usable_size(p));
    keeps(p = realloc(p, n * 2));
    keeps(p = realloc(p, n + n / 2));
    keeps(p = realloc(p, n / 2 + 1));
    keeps(p = reallocarray(p, 2, n));
    expect(p, "realloc(%zu)", n);
    keeps(free(p));
    keeps(free(q));
    keeps(p = aligned_alloc(64, (n + 63) / 64 * 64));
    keeps(free(p));
    keeps(p = memalign(4096, n));
    keeps(free(p));
    keeps(posix_memalign(&aligned, 1 << 16, n));
    keeps(free(aligned));
    keeps(p = valloc(n));
    keeps(free(p));
    keeps(p = pvalloc(n));
    keeps(free(p));
    keeps(free(NULL));
    keeps(p = realloc(NULL, n));
    keeps(q = realloc(p, 0));
    expect(!q, "realloc(p, 0) gave a block");
}

int main(void) {
    void (*read_stats)(struct mound_memstats *, size_t) =
        (void (*)(struct mound_memstats *, size_t))dlsym(RTLD_DEFAULT,
                                                         "mound_read_memstats");
    int (*write_stats)(int) =
        (int (*)(int))dlsym(RTLD_DEFAULT, "mound_write_memstats");
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            try_size(sizes[i]);
        }
        // Many blocks, so that caches overflow and whole spans go back.
        enum { N = 20000 };
        static void *blocks[N];
        for (size_t i = 0; i < N; i++) {
            keeps(blocks[i] = malloc(i % 3000));
        }
        for (size_t i = 0; i < N; i++) {
            keeps(free(blocks[i]));
        }
        keeps(malloc_trim(0));
        keeps(mallinfo2());
        if (read_stats) {
            static struct mound_memstats stats;
            keeps(read_stats(&stats, sizeof stats));
            keeps(write_stats(null_fd));
        }
        // Locked pages cannot be given back: madvise fails from here on.
        if (round == 0 && mlockall(MCL_CURRENT) != 0) {
            break;
        }
    }
    probe_sound();
    return 0;
}
