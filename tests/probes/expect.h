// expect.h: what every probe needs to check itself. A probe is a plain program:
// it exits with 0 when all is right, else it prints one line and exits with 1;
// 77 means that this machine cannot run it. Nothing in here allocates before it
// is called.
#ifndef TESTS_PROBES_EXPECT_H
#define TESTS_PROBES_EXPECT_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
#define PROBE_NORETURN [[noreturn]]
#else
#define PROBE_NORETURN _Noreturn
#endif

enum { EXIT_SKIPPED = 77, CHILD_TIMEOUT_S = 30, MIB = 1 << 20, KIB = 1 << 10 };

// say writes one line without stdio's buffers and without allocating.
__attribute__((unused, format(printf, 2, 0))) static void
say(int line, const char *fmt, va_list list) {
    char text[600];
    int saved = errno;
    int n = snprintf(text, sizeof text / 4,
                     "%s:%d: ", program_invocation_short_name, line);
    int m = vsnprintf(text + n, sizeof text - (size_t)n - 1, fmt, list);
    size_t len = (size_t)n + (size_t)m;
    if (len > sizeof text - 2) {
        len = sizeof text - 2;
    }
    text[len] = '\n';
    if (write(STDERR_FILENO, text, len + 1) < 0) {
        _exit(2);
    }
    errno = saved;
}

PROBE_NORETURN __attribute__((unused, format(printf, 2, 3))) static void
fail_at(int line, const char *fmt, ...) {
    va_list list;
    va_start(list, fmt);
    say(line, fmt, list);
    va_end(list);
    _exit(1);
}

PROBE_NORETURN __attribute__((unused, format(printf, 2, 3))) static void
skip_at(int line, const char *fmt, ...) {
    va_list list;
    va_start(list, fmt);
    say(line, fmt, list);
    va_end(list);
    _exit(EXIT_SKIPPED);
}

// expect ends the probe with one line, in printf's manner, unless cond holds.
#define expect(cond, ...)                                                      \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_at(__LINE__, __VA_ARGS__);                                    \
        }                                                                      \
    } while (0)

#define skip(...) skip_at(__LINE__, __VA_ARGS__)

// pattern_next returns the next place to look at after i in a block of n bytes:
// all of a small block, of a larger one both ends and a byte here and there.
static inline size_t pattern_next(size_t i, size_t n) {
    enum { WHOLE = 512, EDGE = 64, STEP = 251 };
    if (n <= WHOLE || i < EDGE || i + EDGE >= n) {
        return i + 1;
    }
    return i + STEP + EDGE < n ? i + STEP : n - EDGE;
}

static inline unsigned char pattern_at(size_t i, uint64_t tag) {
    return (unsigned char)((tag * 0x9e3779b97f4a7c15u >> 56) ^ (i * 131));
}

// fill writes a pattern that belongs to tag into a block of n bytes; intact
// tells whether the first n bytes of a block that was filled with nfilled are
// still what they were.
__attribute__((unused)) static void fill(void *p, size_t n, uint64_t tag) {
    unsigned char *b = (unsigned char *)p;
    for (size_t i = 0; i < n; i = pattern_next(i, n)) {
        b[i] = pattern_at(i, tag);
    }
}

__attribute__((unused)) static bool intact_part(const void *p, size_t n,
                                                size_t nfilled, uint64_t tag) {
    const unsigned char *b = (const unsigned char *)p;
    for (size_t i = 0; i < n; i = pattern_next(i, nfilled)) {
        if (b[i] != pattern_at(i, tag)) {
            return false;
        }
    }
    return true;
}

__attribute__((unused)) static bool intact(const void *p, size_t n,
                                           uint64_t tag) {
    return intact_part(p, n, n, tag);
}

__attribute__((unused)) static bool all_zero(const void *p, size_t n) {
    const unsigned char *b = (const unsigned char *)p;
    for (size_t i = 0; i < n; i++) {
        if (b[i]) {
            return false;
        }
    }
    return true;
}

// probe_rss returns the resident bytes of this process.
__attribute__((unused)) static size_t probe_rss(void) {
    char text[200] = {0};
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0) {
        fail_at(__LINE__, "cannot read /proc/self/statm");
    }
    close(fd);
    char *second = strchr(text, ' ');
    return strtoul(second ? second : "0", NULL, 10) *
           (size_t)sysconf(_SC_PAGESIZE);
}

// probe_random returns the next number of a fixed, seeded sequence.
__attribute__((unused)) static uint64_t probe_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// probe_sound fails unless the heap contradicts itself nowhere. With another
// malloc it does nothing.
__attribute__((unused)) static void probe_sound(void) {
    int (*verify)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "mound_verify");
    if (verify) {
        int nwrong = verify();
        expect(nwrong == 0, "mound_verify found %d contradictions", nwrong);
    }
}

// probe_child_starts is the first call of a forked child: a hang ends it.
__attribute__((unused)) static void probe_child_starts(void) {
    signal(SIGALRM, SIG_DFL);
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
    alarm(CHILD_TIMEOUT_S);
}

// probe_child_passed waits for the child and fails unless it exited with 0.
__attribute__((unused)) static void probe_child_passed(pid_t pid,
                                                       const char *what) {
    int status = 0;
    expect(pid > 0, "%s: no child: %s", what, strerror(errno));
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    expect(got == pid, "%s: waitpid: %s", what, strerror(errno));
    expect(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM,
           "%s: the child hung", what);
    expect(!WIFSIGNALED(status), "%s: the child died of signal %d", what,
           WTERMSIG(status));
    expect(WEXITSTATUS(status) == 0, "%s: the child exited with %d", what,
           WEXITSTATUS(status));
}

// probe_sibling returns the path of a file that was built beside the probe.
__attribute__((unused)) static const char *probe_sibling(const char *name) {
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    expect(n > 0, "cannot read /proc/self/exe");
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    expect((size_t)(slash + 1 - path) + strlen(name) < sizeof path,
           "path too long");
    strcpy(slash + 1, name);
    return path;
}

// probe_workout_to calls the functions of the family over sizes from 1 byte to
// the given one and checks alignment and contents. It leaves nothing allocated.
__attribute__((unused)) static void probe_workout_to(size_t max_size) {
    static const size_t sizes[] = {1,   8,    16,    24,    100,
                                   700, 5000, 33000, 70000, 200000};
    enum { NSIZES = sizeof sizes / sizeof sizes[0] };
    void *blocks[NSIZES];
    size_t nblocks = 0;
    for (size_t i = 0; i < NSIZES && sizes[i] <= max_size; i++) {
        size_t n = sizes[i];
        nblocks++;
        blocks[i] = malloc(n);
        expect(blocks[i], "malloc(%zu) failed", n);
        fill(blocks[i], n, i);
        char *zero = (char *)calloc(n, 1);
        expect(zero, "calloc(%zu) failed", n);
        expect(all_zero(zero, n), "calloc(%zu) is not zero", n);
        fill(zero, n, i);
        char *grown = (char *)realloc(zero, n * 2);
        expect(grown, "realloc from %zu to %zu failed", n, n * 2);
        expect(intact(grown, n, i), "realloc from %zu lost data", n);
        void *aligned = NULL;
        expect(posix_memalign(&aligned, 64, n) == 0 &&
                   (uintptr_t)aligned % 64 == 0,
               "posix_memalign(64, %zu)", n);
        free(aligned);
        free(grown);
    }
    for (size_t i = 0; i < nblocks; i++) {
        expect(intact(blocks[i], sizes[i], i), "block of %zu bytes changed",
               sizes[i]);
        free(blocks[i]);
    }
}

__attribute__((unused)) static void probe_workout(void) {
    probe_workout_to(SIZE_MAX);
}

#endif // TESTS_PROBES_EXPECT_H
