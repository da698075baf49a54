// count.c: a loop of malloc and free for scripts/instructions, which counts
// what runs inside enter_malloc and enter_free by their names. Arguments:
// "real" or "nothing", the size in bytes, the number of pairs. With "nothing"
// both call a function that only returns, which shows what the wrappers
// themselves cost.
#include "bench.h"

#define NOINLINE __attribute__((noinline, noclone, noipa))

NOINLINE static void *nothing_malloc(size_t size) {
    (void)size;
    return NULL;
}

NOINLINE static void nothing_free(void *p) {
    (void)p;
}

// Volatile, so that both modes run the same instructions up to the call.
static void *(*volatile call_malloc)(size_t) = nothing_malloc;
static void (*volatile call_free)(void *) = nothing_free;

NOINLINE void *enter_malloc(size_t size);
NOINLINE void enter_free(void *p);

void *enter_malloc(size_t size) {
    void *p = call_malloc(size);
    bench_use(p); // the call is not the last thing, so it is no jump
    return p;
}

void enter_free(void *p) {
    call_free(p);
    bench_use(p);
}

int main(int argc, char **argv) {
    int real = strcmp(bench_word(argc, argv, 1), "real") == 0;
    size_t size = bench_number(argc, argv, 2);
    uint64_t npairs = bench_number(argc, argv, 3);
    if (real) {
        call_malloc = malloc;
        call_free = free;
    }
    struct bench b;
    bench_begin(&b);
    for (uint64_t i = 0; i < npairs; i++) {
        enter_free(enter_malloc(size));
    }
    bench_end(&b, npairs);
    return 0;
}
