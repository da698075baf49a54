// Probes trap 10, the case that looks alike and is not: a wrapper is preloaded
// in front and passes on to the next malloc. The allocator behind it serves
// every block and its other entry points take those blocks too.
// LD_PRELOAD=wrapper.so:libmound.so; the argument "mound" asks for proof that
// mound served the blocks. Further arguments: the names that the wrapper has.
#include "expect.h"

#include <malloc.h>

#include "mound.h"

typedef void read_memstats(struct mound_memstats *, size_t);

static bool has(char **names, const char *name) {
    bool any = *names;
    for (; *names; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return !any;
}

// What is built on realloc and free ends in the wrapper's, if it has them.
static void built_on_others(char **names) {
    unsigned long *nfrees =
        (unsigned long *)dlsym(RTLD_DEFAULT, "wrapper_nfrees");
    unsigned long *nreallocs =
        (unsigned long *)dlsym(RTLD_DEFAULT, "wrapper_nreallocs");
    static const char *const frees[] = {"free_sized", "free_aligned_sized",
                                        "cfree"};
    unsigned long freed = *nfrees;
    unsigned long reallocated = *nreallocs;
    for (int i = 0; i < 3; i++) {
        void *p = reallocarray(reallocarray(NULL, 10, 10), 100, 100);
        void *function = dlsym(RTLD_DEFAULT, frees[i]);
        expect(p, "reallocarray");
        if (!function) {
            free(p);
        } else if (i == 1) {
            ((void (*)(void *, size_t, size_t))function)(p, 16, 10000);
        } else {
            ((void (*)(void *, size_t))function)(p, 10000);
        }
    }
    expect(*nreallocs - reallocated == (has(names, "realloc") ? 6u : 0u),
           "the wrapper saw %lu reallocs", *nreallocs - reallocated);
    expect(*nfrees - freed == (has(names, "free") ? 3u : 0u),
           "the wrapper saw %lu frees", *nfrees - freed);
}

int main(int argc, char **argv) {
    unsigned long *nmallocs =
        (unsigned long *)dlsym(RTLD_DEFAULT, "wrapper_nmallocs");
    expect(nmallocs, "the wrapper is not preloaded");
    read_memstats *read_stats =
        (read_memstats *)dlsym(RTLD_DEFAULT, "mound_read_memstats");
    char **names = argc > 1 ? argv + 2 : argv + 1;
    int *came_early = (int *)dlsym(RTLD_DEFAULT, "wrapper_came_early");
    expect(!*came_early, "the wrapper was called before libc was ready");
    bool must = argc > 1 && strcmp(argv[1], "mound") == 0;
    expect(!must || read_stats, "libmound.so is not preloaded");

    struct mound_memstats before = {0};
    struct mound_memstats after = {0};
    if (must) {
        read_stats(&before, sizeof before);
    }
    unsigned long nwrapped = *nmallocs;
    enum { N = 1000 };
    void *blocks[N];
    for (size_t i = 0; i < N; i++) {
        blocks[i] = malloc(i * 100 + 1);
        expect(blocks[i] && malloc_usable_size(blocks[i]) >= i * 100 + 1,
               "usable size of a block through the wrapper");
        fill(blocks[i], i * 100 + 1, i);
    }
    expect(!has(names, "malloc") || *nmallocs >= nwrapped + N,
           "the wrapper was passed by");
    if (must) {
        read_stats(&after, sizeof after);
        expect(after.mallocs - before.mallocs == N,
               "mound served %ld of %d blocks",
               (long)(after.mallocs - before.mallocs), N);
    }
    for (size_t i = 0; i < N; i++) {
        expect(intact(blocks[i], i * 100 + 1, i), "block %zu changed", i);
        free(blocks[i]);
    }
    built_on_others(names);
    free(aligned_alloc(64, 64));
    probe_workout();
    probe_sound();
    return 0;
}
