// litter.c: preloaded behind an allocator, it leaves a heap as long use would,
// before the program starts: many objects are made, nine of ten of them, picked
// at random, are freed in random order, the rest stay for ever. All of it by
// the thread that starts the program, of 16 to 1023 bytes, one in 50 of up to
// 32 KiB.
//
// What it took is in the slip (bound.h), so that it can be taken off: word 0
// wall time and 1 processor time in ns, 2 page faults. The peak memory of the
// process begins anew behind it, if the kernel lets us: with what the allocator
// then holds.
#include "bench.h"
#include "bound.h"

enum {
    NOBJECTS = 100000,
    KEPT_ONE_IN = 10,
    LARGE_ONE_IN = 50,
    LEAST_LARGE = 1 << 10,
    GREATEST_LARGE = 32 << 10
};

static uint16_t small[BENCH_NSIZES];
static uint32_t large[BENCH_NSIZES];

static uint64_t page_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt;
}

static void reset_peak(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "5", 1);
        close(fd);
    }
}

static void litter(void **objects) {
    uint64_t state = 88172645463325252u;
    for (uint64_t i = 0; i < NOBJECTS; i++) {
        size_t size = i % LARGE_ONE_IN == 0
                          ? large[i / LARGE_ONE_IN % BENCH_NSIZES]
                          : small[i % BENCH_NSIZES];
        objects[i] = malloc(size);
        bench_touch_first(objects[i]);
        bench_touch_pages(objects[i], BENCH_PAGE, size);
    }
    for (uint64_t i = NOBJECTS - 1; i > 0; i--) {
        uint64_t j = bench_random(&state) % (i + 1);
        void *p = objects[i];
        objects[i] = objects[j];
        objects[j] = p;
    }
    for (uint64_t i = NOBJECTS / KEPT_ONE_IN; i < NOBJECTS; i++) {
        free(objects[i]);
    }
}

__attribute__((constructor)) static void start(void) {
    int kept = errno;
    int64_t wall = bench_wall_ns(), cpu = bench_cpu_ns();
    uint64_t faults = page_faults();
    size_t nbytes = NOBJECTS * sizeof(void *);
    void **objects = mmap(NULL, nbytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (objects == MAP_FAILED) {
        bench_fail("no memory for litter");
    }
    bench_sizes(small);
    bench_mix(large, LEAST_LARGE, GREATEST_LARGE);
    litter(objects);
    munmap(objects, nbytes);
    _Atomic uint64_t *slip = slip_open();
    if (slip != NULL) {
        atomic_fetch_add(&slip[0], (uint64_t)(bench_wall_ns() - wall));
        atomic_fetch_add(&slip[1], (uint64_t)(bench_cpu_ns() - cpu));
        atomic_fetch_add(&slip[2], page_faults() - faults);
        munmap(slip, SLIP_NWORDS * sizeof *slip);
    }
    reset_peak();
    errno = kept;
}
