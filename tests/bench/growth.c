// growth.c: a fresh heap grows by many objects of one size that all stay alive,
// so most of the time goes into pages the system has not given yet. Arguments:
// the size in bytes and the number of objects.
#include "bench.h"

int main(int argc, char **argv) {
    size_t size = bench_number(argc, argv, 1);
    uint64_t nobjects = bench_number(argc, argv, 2);

    void *last = NULL;
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < nobjects; i++) {
        void **p = malloc(size);
        bench_touch_first(p);
        *p = last; // a list, so that nothing else has to remember them
        last = p;
    }
    bench_use(last);
    bench_end(&b, nobjects);
    return 0;
}
