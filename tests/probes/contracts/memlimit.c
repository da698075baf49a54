// memlimit.c: a program near the soft limit of MOUND_MEMLIMIT.
//
// usage: memlimit keeps MIB   20 buffers of 1 to 5 MiB, replaced in turn: the process
//                             holds no more than so many MiB at its peak
//        memlimit above       allocates three times the limit of 64 MiB, which is soft
//        memlimit thrash      at the limit in all its life: of the pages it takes,
//                             three quarters at most are touched anew
//
// Trap 57.
#include "contract.h"

#include <sys/resource.h>

enum { NKEPT = 20, NREPLACED = 600, NABOVE = 192, NOBJECTS = 1000 };
enum { NROUNDS = 60, NBUFFERS = 58 };

static void *objects[NOBJECTS];

// peak_bytes returns VmHWM.
static size_t peak_bytes(void) {
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    expect(n > 0, "no status");
    text[n] = '\0';
    const char *line = strstr(text, "VmHWM:");
    expect(line, "no VmHWM");
    return strtoul(line + sizeof "VmHWM:" - 1, NULL, 10) * KIB;
}

static void keeps(size_t most) {
    uint64_t rng = 57;
    for (int i = 0; i < NREPLACED; i++) {
        void **o = &objects[rng_next(&rng) % NKEPT];
        size_t size = MIB + rng_next(&rng) % (4 * MIB);
        free(*o);
        *o = must_malloc(size);
        memset(*o, 1, size);
    }
    size_t peak = peak_bytes();
    expect(peak <= most, "%zu MiB at the peak, more than %zu", peak / MIB,
           most / MIB);
}

static void above(void) {
    for (int i = 0; i < NABOVE; i++) {
        objects[i] = must_malloc(MIB);
        memset(objects[i], 1, MIB);
    }
    for (int i = 0; i < NABOVE; i++) {
        expect(*(char *)objects[i] == 1, "object %d was overwritten", i);
        free(objects[i]);
    }
}

static void thrash(void) {
    struct rusage use;
    size_t npages = 0;
    for (int i = 0; i < NBUFFERS; i++) {
        objects[i] = must_malloc(MIB);
        memset(objects[i], 1, MIB);
    }
    for (int round = 0; round < NROUNDS; round++) {
        for (int i = 0; i < NBUFFERS; i++) {
            free(objects[i]);
            size_t size = MIB + (size_t)(round * 37 + i) % 7 * 4096;
            objects[i] = must_malloc(size);
            memset(objects[i], 1, size);
            npages += size / 4096;
        }
    }
    getrusage(RUSAGE_SELF, &use);
    expect((size_t)use.ru_minflt < npages / 4 * 3,
           "%ld page faults for %zu pages", use.ru_minflt, npages);
}

int main(int argc, char **argv) {
    expect(argc >= 2, "usage: memlimit WAY");
    if (strcmp(argv[1], "keeps") == 0) {
        expect(argc == 3, "usage: memlimit keeps MIB");
        keeps((size_t)atol(argv[2]) * MIB);
    } else if (strcmp(argv[1], "above") == 0) {
        above();
    } else {
        thrash();
    }
    return 0;
}
