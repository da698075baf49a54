// many_mappings.c: many large objects, freed in any order, do not use up the
// kernel's mappings of a process (vm.max_map_count, 65530).
//
// usage: many_mappings [OPERATIONS], 100 000 unless told
//        many_mappings grow    objects that grow, and are moved by mremap: they take a
//                              share of the mappings and no more
//        many_mappings full N  the same when the program has left N mappings: realloc
//                              serves or fails, and no object loses its contents
//
// Trap 54.
#include <malloc.h>
#include <sys/mman.h>

#include "contract.h"

enum { NLIVE = 3000, OPERATIONS = 100000, SEED = 54, LOOK_EVERY = 10000 };
// What the objects alone may need if each had a mapping of its own, and some.
enum { MAX_MAPPINGS = 2 * NLIVE + 2000, MAX_GROWN = 30000 };

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

// use_up takes all mappings of the process but about n.
static void use_up(size_t n) {
    enum { PAGE = 4096, ROOM = 300 * 1000 };
    char *p = mmap(NULL, (size_t)ROOM * PAGE, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    expect(p != MAP_FAILED, "no addresses");
    size_t i = 1;
    // Each page in the middle of others is two mappings more.
    while (i < ROOM - 1 && mprotect(p + i * PAGE, PAGE, PROT_READ) == 0) {
        i += 2;
    }
    for (; n > 1 && i > 2; n -= 2) {
        i -= 2;
        mprotect(p + i * PAGE, PAGE, PROT_NONE);
    }
}

enum { NGROWN = 6000, NGROWN_FULL = 300, NROUNDS = 3 };

static void grow(size_t nobjects) {
    static struct {
        unsigned char *p;
        size_t size;
    } o[NGROWN];
    uint64_t rng = SEED;
    for (size_t i = 0; i < nobjects; i++) {
        o[i].size = MIB + rng_next(&rng) % MIB;
        o[i].p = malloc(o[i].size);
        if (o[i].p) {
            memcpy(o[i].p, &i, sizeof i);
            o[i].p[o[i].size - 1] = (unsigned char)i;
        }
    }
    for (int round = 0; round < NROUNDS; round++) {
        for (size_t k = 0; k < nobjects; k++) {
            size_t i = k * 7919 % nobjects;
            size_t size = o[i].size + o[i].size / 4;
            unsigned char *p = o[i].p ? realloc(o[i].p, size) : NULL;
            if (!p) {
                continue; // it is where it was
            }
            expect(memcmp(p, &i, sizeof i) == 0 &&
                       p[o[i].size - 1] == (unsigned char)i,
                   "object %zu of %zu bytes lost its contents", i, o[i].size);
            o[i].p = p;
            o[i].size = size;
            p[size - 1] = (unsigned char)i;
        }
    }
    for (size_t i = 0; i < nobjects; i++) {
        expect(!o[i].p || (memcmp(o[i].p, &i, sizeof i) == 0 &&
                           o[i].p[o[i].size - 1] == (unsigned char)i),
               "object %zu of %zu bytes lost its contents", i, o[i].size);
        if (i == nobjects - 1) {
            size_t n = count_mappings();
            expect(nobjects < NGROWN || n < MAX_GROWN, "%zu mappings", n);
        }
    }
    for (size_t i = 0; i < nobjects; i++) {
        free(o[i].p);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "grow") == 0) {
        grow(NGROWN);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "full") == 0) {
        use_up((size_t)atol(argv[2]));
        grow(NGROWN_FULL);
        return 0;
    }
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
