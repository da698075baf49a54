// pair.c: malloc and free of one size in turn, the shortest way there is.
// Arguments: the size in bytes, the number of pairs, and what the program does
// with the memory: "first" writes the first byte, "pages" writes a byte in each
// page, "none" leaves it alone.
#include "bench.h"

int main(int argc, char **argv) {
    size_t size = bench_number(argc, argv, 1);
    uint64_t npairs = bench_number(argc, argv, 2);
    const char *touch = bench_word(argc, argv, 3);
    size_t touched = strcmp(touch, "pages") == 0   ? size
                     : strcmp(touch, "first") == 0 ? 1
                                                   : 0;
    struct bench b;
    bench_begin(&b);
    if (touched <= 1) {
        for (uint64_t i = 0; i < npairs; i++) {
            char *p = malloc(size);
            bench_use(p);
            if (touched == 1) {
                bench_touch_first(p);
            }
            free(p);
        }
    } else {
        for (uint64_t i = 0; i < npairs; i++) {
            char *p = malloc(size);
            bench_touch_first(p);
            bench_touch_pages(p, 0, touched);
            free(p);
        }
    }
    bench_end(&b, npairs);
    return 0;
}
