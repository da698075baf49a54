// unwind_storm.c: stacks are taken by many threads at once while others load and
// unload libraries, fork, come and go, and while signal handlers that interrupt
// all this take stacks too. It must end; a clock sees to it that a hang is one.
//
// usage: unwind_storm [SECONDS] [tables|libunwind|fp]   5 seconds, by tables, unless
// told
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/unwind.h"

enum {
    NUNWINDERS = 3,
    NTHREADS = NUNWINDERS + 3,
    DEPTH_MAX = 40,
    LIFE = 20,       // stacks that a thread takes that comes and goes
    FORK_US = 30000, // from one fork to the next
    SIGNAL_US = 300, // from one signal to the next
    LONGEST_FUNCTION = 512,
    SPARE_SECONDS = 60, // more than it may last
};

static _Atomic bool stop;
static enum unwind_mode mode;
static struct {
    _Atomic unsigned long stacks, frames, signals, loads, forks, threads;
} count;

static void fail(const char *what) {
    fprintf(stderr, "unwind_storm: %s\n", what);
    _exit(1);
}

static void on_hang(int signo) {
    static const char text[] = "unwind_storm: it hangs\n";
    (void)signo;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(2);
    _exit(1);
}

static void mask(int how, int signo) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(how, &set, NULL);
}

static void watch(unsigned seconds) {
    signal(SIGALRM, on_hang);
    mask(SIG_UNBLOCK, SIGALRM);
    alarm(seconds);
}

static NOINLINE unsigned take_stack(void) {
    uintptr_t pcs[UNWIND_MAX];
    unsigned n = unwind_stack(pcs, UNWIND_MAX);
    if (n == 0 || pcs[0] - (uintptr_t)take_stack > LONGEST_FUNCTION)
        fail("the caller is missing");
    atomic_fetch_add(&count.stacks, 1);
    atomic_fetch_add(&count.frames, n);
    return n;
}

static int take_at_compare(const void *a, const void *b) {
    take_stack();
    return *(const int *)a - *(const int *)b;
}

// dive takes a stack of so many callers, now and then through libc's qsort.
static NOINLINE unsigned dive(unsigned depth) {
    int two[] = {2, 1};
    unsigned n;
    if (depth > 0)
        n = dive(depth - 1);
    else
        n = take_stack();
    if (depth == 5)
        qsort(two, 2, sizeof *two, take_at_compare);
    if (n < depth && n < UNWIND_MAX - 1)
        fail("callers are missing");
    return n;
}

// begin lets signals in.
static void begin(void) {
    mask(SIG_UNBLOCK, SIGUSR1);
}

static void *keep_unwinding(void *arg) {
    unsigned r = (unsigned)(uintptr_t)arg;
    begin();
    while (!atomic_load(&stop)) {
        r = r * 1103515245 + 12345;
        dive((r >> 16) % DEPTH_MAX);
    }
    return NULL;
}

// The last of the libraries wants a debugger: it is loaded and cannot be linked.
static void *keep_loading(void *arg) {
    static const char *const names[] = {"libresolv.so.2", "libanl.so.1",
                                        "libthread_db.so.1"};
    (void)arg;
    begin();
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        void *handle = dlopen(names[i % 3], RTLD_NOW | RTLD_LOCAL);
        dive(3);
        if (handle != NULL) {
            dlclose(handle);
            atomic_fetch_add(&count.loads, 1);
        }
    }
    return NULL;
}

static void *live_shortly(void *arg) {
    for (unsigned i = 0; i < LIFE; i++)
        dive(i % DEPTH_MAX);
    return arg;
}

static void *keep_starting(void *arg) {
    (void)arg;
    begin();
    while (!atomic_load(&stop)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live_shortly, NULL) != 0)
            fail("no thread");
        pthread_join(thread, NULL);
        atomic_fetch_add(&count.threads, 1);
    }
    return NULL;
}

static void fork_once(void) {
    enum unwind_mode in_child = mode == UNWIND_FP ? UNWIND_FP : UNWIND_TABLES;
    pid_t pid = fork();
    if (pid < 0)
        fail("no child");
    if (pid == 0) {
        watch(SPARE_SECONDS / 2);
        dive(10);
        dive(20);
        _exit(unwind_mode() == in_child ? 0 : 3);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) != pid)
        ;
    if (status != 0)
        fail(status == 3 << 8 ? "the child unwinds by the wrong means"
                              : "the child hung or died");
}

static void *keep_forking(void *arg) {
    (void)arg;
    begin();
    while (!atomic_load(&stop)) {
        fork_once();
        atomic_fetch_add(&count.forks, 1);
        usleep(FORK_US);
    }
    return NULL;
}

static void on_signal(int signo) {
    (void)signo;
    take_stack();
    atomic_fetch_add(&count.signals, 1);
}

static unsigned ndescriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

// alone is what needs a process of one thread.
static void alone(void) {
    const char *why = "";
    unsigned before = ndescriptors();
    if (unwind_init(mode, &why) != mode)
        fail(why);
    if (ndescriptors() != before)
        fail("libunwind left descriptors open");
    dive(20);
    fork_once();
    fork_once();
}

int main(int argc, char **argv) {
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
    const char *name = argc > 2 ? argv[2] : "tables";
    mode = strcmp(name, "fp") == 0          ? UNWIND_FP
           : strcmp(name, "libunwind") == 0 ? UNWIND_LIBUNWIND
                                            : UNWIND_TABLES;
    pthread_t threads[NTHREADS];
    void *(*const run[])(void *) = {keep_loading, keep_starting, keep_forking};
    pthread_atfork(NULL, NULL, unwind_forked);
    signal(SIGUSR1, on_signal);
    mask(SIG_BLOCK, SIGUSR1);
    watch(seconds + SPARE_SECONDS);
    alone();

    for (int i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL,
                       i < NUNWINDERS ? keep_unwinding : run[i - NUNWINDERS],
                       (void *)(uintptr_t)i);
    time_t end = time(NULL) + (time_t)seconds;
    for (unsigned i = 0; time(NULL) < end; i++) {
        pthread_kill(threads[i % NTHREADS], SIGUSR1);
        usleep(SIGNAL_US);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);

    printf("unwind_storm: %lu stacks of %.1f frames, %lu signals, %lu loads, "
           "%lu forks, %lu threads\n",
           count.stacks, (double)count.frames / (double)count.stacks,
           count.signals, count.loads, count.forks, count.threads);
    return 0;
}
