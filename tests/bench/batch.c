// batch.c: a batch of objects of mixed sizes is made, then all are freed, over
// and over. Arguments: the least and the greatest size in bytes, the objects of
// a batch, the order of the frees ("newest" or "oldest" first, or "mixed"), the
// number of batches, and what is written to an object ("first" byte, or a byte
// in each of its "pages"). One operation is a malloc and its free.
#include "bench.h"

enum { MAXOBJECTS = 16384 };

static uint32_t order[MAXOBJECTS];

static void fill_order(const char *how, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        order[i] = strcmp(how, "newest") == 0 ? n - 1 - i : i;
    }
    uint64_t state = 1;
    for (uint32_t i = n - 1; i > 0 && strcmp(how, "mixed") == 0; i--) {
        uint32_t j = (uint32_t)(bench_random(&state) % (i + 1));
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

int main(int argc, char **argv) {
    static uint32_t sizes[BENCH_NSIZES];
    static void *objects[MAXOBJECTS];
    bench_mix(sizes, bench_number(argc, argv, 1), bench_number(argc, argv, 2));
    uint64_t nobjects = bench_number(argc, argv, 3);
    uint64_t nbatches = bench_number(argc, argv, 5);
    int all = strcmp(bench_word(argc, argv, 6), "pages") == 0;
    if (nobjects > MAXOBJECTS) {
        bench_fail("too many objects");
    }
    fill_order(bench_word(argc, argv, 4), (uint32_t)nobjects);

    uint64_t next = 0;
    struct bench b;
    bench_begin(&b);
    for (uint64_t batch = 0; batch < nbatches; batch++) {
        for (uint64_t i = 0; i < nobjects; i++) {
            uint32_t size = sizes[next++ % BENCH_NSIZES];
            objects[i] = malloc(size);
            bench_touch_first(objects[i]);
            bench_touch_pages(objects[i], BENCH_PAGE, all ? size : 0);
        }
        for (uint64_t i = 0; i < nobjects; i++) {
            free(objects[order[i]]);
        }
    }
    bench_end(&b, nbatches * nobjects);
    return 0;
}
