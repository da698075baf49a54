// calloc.c: calloc and free in turn, a byte of each page written. Arguments:
// the least and the greatest size in bytes and the number of pairs. Some blocks are kept
// for a while, so that the same zeroed block cannot simply come back each time.
#include "bench.h"

enum { NKEPT = 8 };

int main(int argc, char **argv) {
    size_t least = bench_number(argc, argv, 1);
    size_t greatest = bench_number(argc, argv, 2);
    uint64_t npairs = bench_number(argc, argv, 3);
    static uint32_t sizes[BENCH_NSIZES];
    bench_mix(sizes, least, greatest);

    void *kept[NKEPT] = {NULL};
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < npairs; i++) {
        free(kept[i % NKEPT]);
        size_t size = sizes[i % BENCH_NSIZES];
        char *p = calloc(1, size);
        bench_touch_first(p);
        bench_touch_pages(p, 0, size);
        kept[i % NKEPT] = p;
    }
    bench_end(&b, npairs);
    return 0;
}
