// realloc.c: one block grows from 16 bytes to a limit, over and over.
// Arguments: how (the bytes it grows by at a time, or "double"), the limit in
// bytes, and how often. What was added is written to. One operation is one
// realloc.
#include "bench.h"

enum { FIRST = 16 };

int main(int argc, char **argv) {
    int doubling = strcmp(bench_word(argc, argv, 1), "double") == 0;
    size_t step = doubling ? 0 : bench_number(argc, argv, 1);
    size_t limit = bench_number(argc, argv, 2);
    uint64_t ntimes = bench_number(argc, argv, 3);

    uint64_t nops = 0;
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < ntimes; i++) {
        size_t size = FIRST;
        char *p = malloc(size);
        bench_touch_first(p);
        while (size < limit) {
            size_t bigger = doubling ? 2 * size : size + step;
            p = realloc(p, bigger);
            bench_touch_first(p);
            bench_touch_pages(p, size, bigger);
            size = bigger;
            nops++;
        }
        free(p);
    }
    bench_end(&b, nops);
    return 0;
}
