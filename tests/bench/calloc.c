// calloc.c: calloc and free of one size in turn, a byte of each page written.
// Arguments: the size in bytes and the number of pairs. Some blocks are kept
// for a while, so that the same zeroed block cannot simply come back each time.
#include "bench.h"

enum { NKEPT = 8 };

int main(int argc, char **argv) {
    size_t size = bench_number(argc, argv, 1);
    uint64_t npairs = bench_number(argc, argv, 2);

    void *kept[NKEPT] = {NULL};
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < npairs; i++) {
        free(kept[i % NKEPT]);
        char *p = calloc(1, size);
        bench_touch_first(p);
        bench_touch_pages(p, 0, size);
        kept[i % NKEPT] = p;
    }
    bench_end(&b, npairs);
    return 0;
}
