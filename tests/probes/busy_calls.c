// Probes traps 2, 3 and 48: other preloaded libraries interpose mmap, write, open,
// clock_gettime, getenv, strcmp and so on, and allocate inside. The allocator must
// call none of them, also if a dump is requested.
#include "expect.h"

#include <malloc.h>

int main(void) {
    unsigned long *ncalls =
        (unsigned long *)dlsym(RTLD_DEFAULT, "busy_calls_ncalls");
    expect(ncalls, "the library with the busy calls is not preloaded");
    unsigned long before = *ncalls;
    enum { N = 20000 };
    static void *blocks[N];
    for (size_t i = 0; i < N; i++) {
        blocks[i] = malloc(i % 6000 + 1);
        memset(blocks[i], 1, i % 6000 + 1);
    }
    for (size_t i = 0; i < N; i++) {
        free(blocks[i]);
    }
    probe_workout();
    free(malloc(200 * MIB));
    malloc_trim(0);
    expect(*ncalls == before, "the allocator made %lu calls that others own",
           *ncalls - before);
    return 0;
}
