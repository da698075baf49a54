// bound.h: the slip of paper that the two bounds, lifo.c and live.c, and
// litter.c leave for scripts/bench: a file named by BENCH_SLIP, of SLIP_NWORDS numbers of 64 bits,
// shared by all processes of a workload. A map of it survives _exit and kill.
#ifndef BENCH_BOUND_H
#define BENCH_BOUND_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLIP_NWORDS = 4 };

#define EXPORT __attribute__((visibility("default")))

// slip_open returns the shared words, or NULL if there is no such file.
static inline _Atomic uint64_t *slip_open(void) {
    const char *path = getenv("BENCH_SLIP");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return NULL;
    }
    void *p = mmap(NULL, SLIP_NWORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                   MAP_SHARED, fd, 0);
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

#endif // BENCH_BOUND_H
