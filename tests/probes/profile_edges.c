// profile_edges: difficult cases for a profile. Argument:
//
//   first      each thread makes one object, and that is sampled
//   no-room    a heap whose caches have no room for large slots: each malloc
//              counts towards the next sample all the same
//   raw-exit   a start after threads have ended by a raw system call
//   raw-fork   a stop in a child whose fork ran no handlers
#include "expect.h"

#include <pthread.h>
#include <sys/syscall.h>

enum { NTHREADS = 200, NCHILDREN = 100, LARGE_SLOT = 32768, ROUNDS = 3000 };

static int (*start)(size_t);
static int (*end)(void);
static int (*write_profile)(int, int);

static void find(void *ret_function, const char *name) {
    *(void **)ret_function = dlsym(RTLD_DEFAULT, name);
    if (*(void **)ret_function == NULL)
        skip("another malloc");
}

// Sampled objects of size bytes, by the profile's text.
static unsigned long sampled(size_t size) {
    char path[] = "/tmp/profile_edges.XXXXXX";
    int fd = mkstemp(path);
    expect(fd >= 0, "no file");
    unlink(path);
    expect(write_profile(fd, 1) == 0, "no profile: %s", strerror(errno));
    FILE *f = fdopen(fd, "r");
    rewind(f);
    static char line[8192];
    unsigned long total = 0, inuse, inuse_bytes, n, bytes;
    expect(fgets(line, sizeof line, f) != NULL, "empty");
    while (fgets(line, sizeof line, f) &&
           sscanf(line, "%lu: %lu [%lu: %lu]", &inuse, &inuse_bytes, &n,
                  &bytes) == 4)
        if (n > 0 && bytes / n == size)
            total += n;
    fclose(f);
    return total;
}

static void *one(void *arg) {
    char *volatile p = malloc(LARGE_SLOT);
    p[0] = 1;
    free(p);
    return arg;
}

static void first(void) {
    expect(start(1) == 0, "no start");
    for (int i = 0; i < NTHREADS; i++) {
        pthread_t t;
        expect(pthread_create(&t, NULL, one, NULL) == 0, "no thread");
        pthread_join(t, NULL);
    }
    end();
    unsigned long n = sampled(LARGE_SLOT);
    expect(n == NTHREADS, "%lu of %d were sampled", n, NTHREADS);
}

static void no_room(void) {
    static const size_t sizes[] = {9472,  9728,  10240, 10880, 12288, 13568,
                                   14336, 16384, 18432, 19072, 20480, 21760,
                                   24576, 27264, 28672, 32768};
    enum { NSIZES = sizeof sizes / sizeof sizes[0], EACH = 64 << 10 };
    expect(start(EACH) == 0, "no start");
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < NSIZES; i++) {
            char *volatile p = malloc(sizes[i]);
            p[0] = 1;
            free(p);
        }
    end();
    for (int i = 0; i < NSIZES; i++) {
        // The chance is 1 - e^-x, a little less than x.
        double x = (double)sizes[i] / EACH;
        double want = ROUNDS * x * (1 - x / 2 + x * x / 6);
        double got = (double)sampled(sizes[i]);
        expect(got > want * 0.85 && got < want * 1.15,
               "%zu bytes: %.0f samples, not %.0f", sizes[i], got, want);
    }
}

static void *leave_raw(void *arg) {
    char *volatile p = malloc(100);
    free(p);
    syscall(SYS_exit, 0);
    return arg;
}

static void raw_exit(void) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    // Too large to be kept for the next thread: it is unmapped.
    pthread_attr_setstacksize(&attr, 64 * MIB);
    for (int i = 0; i < 8; i++) {
        pthread_t t;
        expect(pthread_create(&t, &attr, leave_raw, NULL) == 0, "no thread");
        pthread_join(t, NULL);
    }
    expect(start(512 * KIB) == 0, "no start");
}

static _Atomic bool done;

static void *busy(void *arg) {
    void (*read_stats)(void *, size_t) = NULL;
    static uint64_t stats[2048];
    find(&read_stats, "mound_read_memstats");
    while (!done)
        read_stats(stats, sizeof stats);
    return arg;
}

static void raw_fork(void) {
    pthread_t t;
    expect(start(512 * KIB) == 0, "no start");
    expect(pthread_create(&t, NULL, busy, NULL) == 0, "no thread");
    for (int i = 0; i < NCHILDREN; i++) {
        long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) {
            alarm(CHILD_TIMEOUT_S);
            end();
            syscall(SYS_exit_group, 0);
        }
        int status = -1;
        waitpid((pid_t)pid, &status, 0);
        expect(status == 0, "a child ended with %#x", status);
    }
    done = true;
    pthread_join(t, NULL);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } edges[] = {{"first", first},
                 {"no-room", no_room},
                 {"raw-exit", raw_exit},
                 {"raw-fork", raw_fork}};
    find(&start, "mound_memprofile_start");
    find(&end, "mound_memprofile_stop");
    find(&write_profile, "mound_memprofile_write");
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        if (argc > 1 && strcmp(argv[1], edges[i].name) == 0) {
            edges[i].run();
            return 0;
        }
    return 2;
}
