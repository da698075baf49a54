// phases.c: a heap that grows to a limit, loses nine objects of ten at random
// places, and grows again with objects of another size. Arguments: the limit
// in MiB of live bytes and the number of phases. One operation is a malloc and
// its free.
#include "bench.h"

enum { MAXOBJECTS = 1 << 21, KEPT_ONE_IN = 10 };

static void *objects[MAXOBJECTS];
static uint32_t lengths[MAXOBJECTS];

int main(int argc, char **argv) {
    uint64_t limit = bench_number(argc, argv, 1) << 20;
    uint64_t nphases = bench_number(argc, argv, 2);
    // Neighbours differ, so that what a phase leaves does not fit the next.
    static const uint32_t mixes[][2] = {
        {48, 96}, {256, 512}, {128, 4096}, {64, 192}};
    enum { NMIXES = sizeof mixes / sizeof mixes[0] };
    static uint32_t sizes[NMIXES][BENCH_NSIZES];
    for (int i = 0; i < NMIXES; i++) {
        bench_mix(sizes[i], mixes[i][0], mixes[i][1]);
    }

    uint64_t n = 0, live = 0, nops = 0, state = 1;
    struct bench b;
    bench_begin(&b);
    for (uint64_t phase = 0; phase < nphases; phase++) {
        while (live < limit && n < MAXOBJECTS) {
            lengths[n] = sizes[phase % NMIXES][n % BENCH_NSIZES];
            objects[n] = malloc(lengths[n]);
            bench_touch_first(objects[n]);
            bench_touch_pages(objects[n], 0, lengths[n]);
            live += lengths[n++];
            nops++;
        }
        uint64_t nkept = 0;
        for (uint64_t i = 0; i < n; i++) {
            if (bench_random(&state) % KEPT_ONE_IN == 0) {
                objects[nkept] = objects[i];
                lengths[nkept++] = lengths[i];
            } else {
                live -= lengths[i];
                free(objects[i]);
            }
        }
        n = nkept;
    }
    bench_end(&b, nops);
    return 0;
}
