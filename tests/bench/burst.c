// burst.c: a thousand objects of one size are made, then all are freed, over
// and over. Arguments: the size in bytes, the number of bursts, and the order
// of the frees, "newest" or "oldest" first. One operation is a malloc and its
// free.
#include "bench.h"

enum { NOBJECTS = 1000 };

int main(int argc, char **argv) {
    size_t size = bench_number(argc, argv, 1);
    uint64_t nbursts = bench_number(argc, argv, 2);
    int newest_first = strcmp(bench_word(argc, argv, 3), "newest") == 0;

    static void *objects[NOBJECTS];
    struct bench b;
    bench_begin(&b);
    for (uint64_t burst = 0; burst < nbursts; burst++) {
        for (int i = 0; i < NOBJECTS; i++) {
            objects[i] = malloc(size);
            bench_touch_first(objects[i]);
        }
        if (newest_first) {
            for (int i = NOBJECTS; i-- > 0;) {
                free(objects[i]);
            }
        } else {
            for (int i = 0; i < NOBJECTS; i++) {
                free(objects[i]);
            }
        }
    }
    bench_end(&b, nbursts * NOBJECTS);
    return 0;
}
