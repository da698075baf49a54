// bulk.c: a few very large objects, filled, of which one at random is replaced
// by one of another size, over and over. Arguments: live objects, the least and
// the greatest size in MiB, replacements. One operation is a replacement.
#include "bench.h"

enum { MAXLIVE = 64 };

int main(int argc, char **argv) {
    uint64_t nlive = bench_number(argc, argv, 1);
    uint64_t least = bench_number(argc, argv, 2) << 20;
    uint64_t greatest = bench_number(argc, argv, 3) << 20;
    uint64_t nsteps = bench_number(argc, argv, 4);
    if (nlive > MAXLIVE || greatest <= least) {
        bench_fail("too many objects, or sizes in the wrong order");
    }
    char *live[MAXLIVE] = {NULL};
    uint64_t state = 1;
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < nlive + nsteps; i++) {
        uint64_t random = bench_random(&state);
        char **slot = &live[i < nlive ? i : (random >> 32) % nlive];
        uint64_t size = least + (random & UINT32_MAX) % (greatest - least);
        free(*slot);
        *slot = malloc(size);
        bench_touch_first(*slot);
        memset(*slot, 1, size);
        bench_use(*slot);
    }
    bench_end(&b, nsteps + nlive);
    return 0;
}
