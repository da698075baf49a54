// bench.h: what the benchmark programs share: arguments, a clock, a sink that
// keeps the compiler honest, a generator of random numbers, the line of JSON.
//
// A program prints one line of JSON on stdout and nothing else:
//   {"ops": 5, "wall_ns": 10, "cpu_ns": 10, "ns_per_op": 2.0, "malloc": "/..."}
// cpu_ns is user and system time of all threads. malloc is the file that malloc
// came from, so that scripts/bench can tell that a preload worked. A program
// with more to tell adds "notes": {"name_kib": 5, "other_ns": 7}.
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_PAGE = 4096, BENCH_NSIZES = 4096, BENCH_FAILED = 3 };

struct bench {
    int64_t wall_ns;  // when it began, then how long it took
    int64_t cpu_ns;   // the same
    char notes[1024]; // the members of an object of JSON
};

// bench_fail ends the program with one line on stderr.
static inline void bench_fail(const char *what) {
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(BENCH_FAILED);
}

// bench_number returns argument i as a number of at least 1.
static inline uint64_t bench_number(int argc, char **argv, int i) {
    char *end = NULL;
    uint64_t n = i < argc ? strtoull(argv[i], &end, 10) : 0;
    if (n == 0 || *end != '\0') {
        bench_fail("arguments are missing or wrong; scripts/bench has them");
    }
    return n;
}

// bench_word returns argument i.
static inline const char *bench_word(int argc, char **argv, int i) {
    if (i >= argc) {
        bench_fail("arguments are missing or wrong; scripts/bench has them");
    }
    return argv[i];
}

// bench_use makes the compiler believe that p is looked at. Without it a pair
// of malloc and free is deleted, and a benchmark of nothing is very fast.
static inline void bench_use(void *p) {
    __asm__ volatile("" : : "r"(p) : "memory");
}

// bench_touch_first writes the first byte of an object, as any user of it
// would.
static inline void bench_touch_first(void *p) {
    if (p == NULL) {
        bench_fail("out of memory");
    }
    *(volatile char *)p = 1;
}

// bench_touch_pages writes one byte in each page from byte first to byte size.
static inline void bench_touch_pages(char *p, size_t first, size_t size) {
    for (size_t i = first; i < size; i += BENCH_PAGE) {
        *(volatile char *)(p + i) = 1;
    }
}

// bench_random is xorshift64: the same numbers in every run and under every
// allocator. The state must not be 0.
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

// bench_sizes fills a table with sizes from 16 to 1023 bytes, as many between
// 16 and 32 as between 512 and 1024: programs ask for small things most often.
static inline void bench_sizes(uint16_t ret_sizes[BENCH_NSIZES]) {
    enum { SMALLEST = 16, NDOUBLINGS = 6 };
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < BENCH_NSIZES; i++) {
        uint32_t low = SMALLEST << bench_random(&state) % NDOUBLINGS;
        ret_sizes[i] = (uint16_t)(low + bench_random(&state) % low);
    }
}

// bench_mix fills a table with sizes from low to high bytes, as many in each
// doubling as in the next.
static inline void bench_mix(uint32_t ret_sizes[BENCH_NSIZES], uint64_t low,
                             uint64_t high) {
    uint64_t state = 88172645463325252u;
    int ndoublings = 1;
    while (low << ndoublings < high) {
        ndoublings++;
    }
    for (int i = 0; i < BENCH_NSIZES; i++) {
        uint64_t from = low << bench_random(&state) % (uint64_t)ndoublings;
        uint64_t size = from + bench_random(&state) % from;
        ret_sizes[i] = (uint32_t)(size < high ? size : high);
    }
}

// bench_rss_kib returns the memory that the process has now. It reads by
// system calls alone, for stdio would allocate.
static inline uint64_t bench_rss_kib(void) {
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    char *second = n > 0 ? strchr(text, ' ') : NULL;
    if (second == NULL) {
        bench_fail("cannot read /proc/self/statm");
    }
    return strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

// bench_note adds a figure of a program's own to its line, between bench_begin
// and bench_end. Its name ends in its unit, _ns or _kib.
static inline void bench_note(struct bench *b, const char *name, uint64_t n) {
    size_t at = strlen(b->notes), left = sizeof b->notes - at;
    int added = snprintf(b->notes + at, left, "%s\"%s\": %llu", at ? ", " : "",
                         name, (unsigned long long)n);
    if (added < 0 || (size_t)added >= left) {
        bench_fail("too many notes");
    }
}

static inline int64_t bench_wall_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

// bench_cpu_ns returns user and system time of all threads up to now.
static inline int64_t bench_cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ll +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ll;
}

static inline void bench_begin(struct bench *b) {
    b->notes[0] = '\0';
    b->cpu_ns = bench_cpu_ns();
    b->wall_ns = bench_wall_ns();
}

// bench_stop stops the clock.
static inline void bench_stop(struct bench *b) {
    b->wall_ns = bench_wall_ns() - b->wall_ns;
    b->cpu_ns = bench_cpu_ns() - b->cpu_ns;
}

// bench_print prints the line, after bench_stop. It writes through a buffer on
// the stack: stdio would allocate one and show up in the peak memory.
static inline void bench_print(const struct bench *b, uint64_t nops) {
    Dl_info info = {0};
    dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info);

    char line[8192];
    int n = snprintf(line, sizeof line,
                     "{\"ops\": %llu, \"wall_ns\": %lld, \"cpu_ns\": %lld, "
                     "\"ns_per_op\": %.4f, \"malloc\": \"%s\", "
                     "\"notes\": {%s}}\n",
                     (unsigned long long)nops, (long long)b->wall_ns,
                     (long long)b->cpu_ns, (double)b->wall_ns / (double)nops,
                     info.dli_fname ? info.dli_fname : "", b->notes);
    if (n < 0 || (size_t)n >= sizeof line || write(1, line, (size_t)n) != n) {
        bench_fail("cannot write the result");
    }
}

// bench_end stops the clock and prints the line.
static inline void bench_end(struct bench *b, uint64_t nops) {
    bench_stop(b);
    bench_print(b, nops);
}

#endif // BENCH_H
