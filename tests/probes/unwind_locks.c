// unwind_locks.c: taking a stack inside malloc never waits for a lock that a program can
// hold. Useful only if every malloc is sampled (MOUND_PROFILE_RATE=1).
//
// usage: unwind_locks loader     a thread mallocs while it holds a lock that the
//                                callback of another thread's dl_iterate_phdr needs
//        unwind_locks profiler   a handler of SIGPROF unwinds under a lock of its
//                                own, by backtrace(), while plugins come and go
//        unwind_locks libunwind  the same by libunwind, without plugins: their
//                                loading and such a handler wait for each other
#include "expect.h"

#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

enum {
    HANG_S = 20,
    NTHREADS = 3,
    PROFILER_MS = 1500,
    PROFILER_US = 500, // of CPU time, from one SIGPROF to the next
    DEPTH = 15,
    NFRAMES = 30,
};

static void allocate(int n) {
    for (int i = 0; i < n; i++) {
        void *p = malloc((size_t)(i % 700) + 1);
        expect(p, "malloc failed");
        free(p);
    }
}

// The loader's lock.

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool held, in_callback;

static int take_lock(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)info;
    (void)size;
    (void)arg;
    in_callback = true;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return 1;
}

static void *iterate(void *arg) {
    while (!held) {
    }
    dl_iterate_phdr(take_lock, NULL);
    return arg;
}

static void loader(void) {
    pthread_t thread;
    expect(pthread_create(&thread, NULL, iterate, NULL) == 0, "no thread");
    pthread_mutex_lock(&lock);
    held = true;
    while (!in_callback) {
    }
    allocate(2000); // that thread holds the loader's lock and waits for us
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
}

// A profiler in the program.

typedef int backtrace_fn(void **pcs, int max);

static backtrace_fn *take_stack = backtrace;
static atomic_flag samples = ATOMIC_FLAG_INIT; // the profiler's own lock
static atomic_uint nsamples, nready;
static atomic_bool stop;

static void on_profile(int signo) {
    void *pcs[NFRAMES];
    int saved = errno;
    (void)signo;
    while (atomic_flag_test_and_set(&samples)) {
    }
    take_stack(pcs, NFRAMES);
    atomic_flag_clear(&samples);
    nsamples++;
    errno = saved;
}

static __attribute__((noinline)) void dive(int depth) {
    if (depth == 0) {
        allocate(20);
    } else {
        dive(depth - 1);
    }
    __asm__ volatile("");
}

// ready does the rest of what a thread's first stack takes: an allocation under the
// loader's lock for thread-local memory, which a new thread takes too.
static void ready(void) {
    void *pcs[NFRAMES];
    take_stack(pcs, NFRAMES);
    nready++;
}

static void *keep_allocating(void *arg) {
    ready();
    while (!stop) {
        dive(DEPTH);
    }
    return arg;
}

static long ms_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void profiler(bool plugins) {
    pthread_t threads[NTHREADS];
    struct itimerval timer = {{0, PROFILER_US}, {0, PROFILER_US}};
    struct sigaction act = {.sa_handler = on_profile, .sa_flags = SA_RESTART};
    ready();
    for (int i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], NULL, keep_allocating, NULL) == 0,
               "no thread");
    }
    while (nready <= NTHREADS) {
    }
    sigaction(SIGPROF, &act, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    long end = ms_now() + PROFILER_MS;
    while (ms_now() < end) {
        dive(DEPTH);
        if (plugins) {
            void *plugin = dlopen(probe_sibling("strings.so"), RTLD_NOW);
            expect(plugin, "dlopen: %s", dlerror());
            dlclose(plugin);
        }
    }
    stop = true;
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    timer = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &timer, NULL);
    expect(nsamples > 0, "the profiler never ran");
}

static void on_hang(int signo) {
    static const char text[] = "unwind_locks: it hangs\n";
    (void)signo;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        _exit(2);
    }
    _exit(1);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "loader";
    signal(SIGALRM, on_hang);
    alarm(HANG_S);
    if (strcmp(what, "loader") == 0) {
        loader();
    } else if (strcmp(what, "profiler") == 0) {
        profiler(true);
    } else {
        void *libunwind = dlopen("libunwind.so.8", RTLD_NOW);
        if (libunwind == NULL) {
            skip("no libunwind here");
        }
        *(void **)&take_stack = dlsym(libunwind, "unw_backtrace");
        expect(take_stack, "no unw_backtrace");
        profiler(false);
    }
    probe_sound();
    return 0;
}
