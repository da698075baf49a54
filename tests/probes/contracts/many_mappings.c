// many_mappings.c: many large objects, freed in any order, do not use up the
// kernel's mappings of a process (vm.max_map_count, 65530).
//
// usage: many_mappings [OPERATIONS], 100 000 unless told
//
// Trap 54.
#include <malloc.h>

#include "contract.h"

enum { NLIVE = 3000, OPERATIONS = 100000, SEED = 54, LOOK_EVERY = 10000 };
// What the objects alone may need if each had a mapping of its own, and some.
enum { MAX_MAPPINGS = 2 * NLIVE + 2000 };

// count_mappings returns the number of lines of /proc/self/maps.
static size_t count_mappings(void) {
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    expect(fd >= 0, "cannot read /proc/self/maps");
    char text[16 * KIB];
    size_t lines = 0;
    ssize_t n;
    while ((n = read(fd, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            lines += text[i] == '\n';
        }
    }
    close(fd);
    return lines;
}

int main(int argc, char **argv) {
    long operations = argc > 1 ? atol(argv[1]) : OPERATIONS;
    static struct {
        unsigned char *p;
        size_t size;
    } live[NLIVE];
    uint64_t rng = SEED;
    size_t most = 0;
    for (long i = 0; i < operations; i++) {
        size_t at = rng_next(&rng) % NLIVE;
        if (live[at].p) {
            expect(live[at].p[0] == (unsigned char)at &&
                       live[at].p[live[at].size - 1] == (unsigned char)at,
                   "an object of %zu bytes was overwritten", live[at].size);
        }
        free(live[at].p);
        size_t size = 33 * KIB + rng_next(&rng) % (600 * KIB);
        live[at].size = size;
        live[at].p = i % 7 ? malloc(size) : memalign(8192, size);
        expect(live[at].p,
               "operation %ld: no memory for %zu bytes, %zu mappings", i, size,
               count_mappings());
        live[at].p[0] = (unsigned char)at;
        live[at].p[size - 1] = (unsigned char)at;
        if (i % LOOK_EVERY == LOOK_EVERY - 1) {
            // What is free goes back in the middle of it all.
            malloc_trim(0);
            size_t n = count_mappings();
            most = n > most ? n : most;
        }
    }
    expect(most <= MAX_MAPPINGS, "%d objects in %zu mappings", NLIVE, most);
    for (size_t at = 0; at < NLIVE; at++) {
        free(live[at].p);
    }
    return 0;
}
