// contract.h: what the probes of this folder share: one way to fail, and
// figures about the process read without touching the heap.
#ifndef TESTS_PROBES_CONTRACT_H
#define TESTS_PROBES_CONTRACT_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, LINE_BYTES = 512 };
enum { KIB = 1 << 10, MIB = 1 << 20, NS_PER_S = 1000000000 };

// fail says on stderr what was wrong, in one line, and ends the process. It
// needs no heap, for the heap may be what is broken.
__attribute__((format(printf, 1, 2))) static inline _Noreturn void
fail(const char *fmt, ...) {
    char line[LINE_BYTES];
    va_list list;
    va_start(list, fmt);
    int n = vsnprintf(line, sizeof line - 1, fmt, list);
    va_end(list);
    n = n < 0 ? 0 : n > LINE_BYTES - 2 ? LINE_BYTES - 2 : n;
    line[n] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n + 1);
    (void)ignored;
    _exit(EXIT_FAILED);
}

// skip ends the process: this machine cannot run the probe.
static inline _Noreturn void skip(const char *reason) {
    ssize_t ignored = write(STDERR_FILENO, reason, strlen(reason));
    (void)ignored;
    _exit(EXIT_SKIPPED);
}

// expect fails with the text unless cond holds.
#define expect(cond, ...)                                                      \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail(__VA_ARGS__);                                                 \
        }                                                                      \
    } while (0)

// must_malloc is malloc for places where memory may not run out.
static inline void *must_malloc(size_t size) {
    void *p = malloc(size);
    expect(p, "malloc(%zu) returned NULL, errno %d", size, errno);
    return p;
}

// hide keeps the compiler from knowing the value.
static inline size_t hide(size_t n) {
    __asm__ volatile("" : "+r"(n));
    return n;
}

static inline void *hide_ptr(void *p) {
    __asm__ volatile("" : "+r"(p));
    return p;
}

// read_file reads a file of /proc whole into buf and returns the length, or 0.
static inline size_t read_file(const char *path, char *buf, size_t nbuf) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    while (fd >= 0 && len + 1 < nbuf) {
        ssize_t n = read(fd, buf + len, nbuf - 1 - len);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    if (fd >= 0) {
        close(fd);
    }
    buf[len] = '\0';
    return len;
}

// proc_field returns the figure after "name" in a /proc file of "Name: N kB"
// lines, in bytes.
static inline size_t proc_field(const char *path, const char *name) {
    static char text[64 * KIB];
    expect(read_file(path, text, sizeof text), "cannot read %s", path);
    const char *at = strstr(text, name);
    expect(at, "%s has no %s", path, name);
    return strtoull(at + strlen(name), NULL, 10) * KIB;
}

// rss_bytes returns the resident memory that is no file's.
//
// smaps_rollup is exact; the counters of /proc/self/status may lag behind by
// some pages for each thread.
static inline size_t rss_bytes(void) {
    return proc_field("/proc/self/smaps_rollup", "\nAnonymous:");
}

static inline size_t vm_bytes(void) {
    return proc_field("/proc/self/status", "\nVmSize:");
}

static inline int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

// rng_next is splitmix64.
static inline uint64_t rng_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// mixed_size draws a size: mostly small, sometimes up to max.
static inline size_t mixed_size(uint64_t *rng, size_t max) {
    uint64_t r = rng_next(rng);
    unsigned kind = r & 63;
    size_t top = kind < 48   ? 512
                 : kind < 60 ? 8 * KIB
                 : kind < 63 ? 128 * KIB
                             : max;
    return 1 + (size_t)((r >> 8) % (top < max ? top : max));
}

// pattern_fill writes bytes that depend on tag and place; pattern_holds tells
// whether the first nbytes are still those.
static inline void pattern_fill(void *p, size_t nbytes, uint64_t tag) {
    unsigned char *b = p;
    for (size_t i = 0; i < nbytes; i++) {
        b[i] = (unsigned char)((tag + i) * 167 + (i >> 8));
    }
}

static inline bool pattern_holds(const void *p, size_t nbytes, uint64_t tag) {
    const unsigned char *b = p;
    for (size_t i = 0; i < nbytes; i++) {
        if (b[i] != (unsigned char)((tag + i) * 167 + (i >> 8))) {
            return false;
        }
    }
    return true;
}

// all_zero tells whether nbytes from p are zero.
static inline bool all_zero(const void *p, size_t nbytes) {
    const unsigned char *b = p;
    return nbytes == 0 || (b[0] == 0 && memcmp(b, b + 1, nbytes - 1) == 0);
}

#endif // TESTS_PROBES_CONTRACT_H
