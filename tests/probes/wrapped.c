// Probes trap 10, the case that looks alike and is not: a wrapper is preloaded
// in front and passes on to the next malloc. The allocator behind it serves
// every block and its other entry points take those blocks too.
// LD_PRELOAD=wrapper.so:libmound.so; the argument "mound" asks for proof that
// mound served the blocks.
#include "expect.h"

#include <malloc.h>

#include "mound.h"

typedef void read_memstats(struct mound_memstats *, size_t);

int main(int argc, char **argv) {
    unsigned long *nmallocs =
        (unsigned long *)dlsym(RTLD_DEFAULT, "wrapper_nmallocs");
    expect(nmallocs, "the wrapper is not preloaded");
    read_memstats *read_stats =
        (read_memstats *)dlsym(RTLD_DEFAULT, "mound_read_memstats");
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
    expect(*nmallocs >= nwrapped + N, "the wrapper was passed by");
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
    free(aligned_alloc(64, 64));
    probe_workout();
    probe_sound();
    return 0;
}
