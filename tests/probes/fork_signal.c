// Probes trap 26: a signal handler that interrupted malloc forks. fork takes the
// allocator's locks, and the interrupted thread may hold one. The main loop uses sizes
// that always take a slow path: a handler that interrupts a hit may not allocate.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/time.h>

enum { NFORKS = 300, NFORKS_WALKS = 100, NTHREADS = 2, PERIOD_US = 500 };

static volatile sig_atomic_t nforks, nfailed, most = NFORKS;
static _Atomic bool stop;

// rearm requests one more signal, so that the main loop runs in between however slow
// fork is.
static void rearm(void) {
    struct itimerval once = {{0, 0}, {0, nforks < most ? PERIOD_US : 0}};
    setitimer(ITIMER_REAL, &once, NULL);
}

static void on_timer(int signo) {
    (void)signo;
    int saved = errno;
    pid_t pid = fork();
    if (pid == 0) {
        // After such a fork a child may only do what a handler may.
        _exit(23);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 23) {
        nfailed++;
    }
    nforks++;
    rearm();
    errno = saved;
}

// walk takes the locks of the whole heap one after the other, repeatedly.
static void *walk(void *arg) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!stop) {
        free(malloc(50000));
        malloc_trim(0);
        mallinfo2();
    }
    return arg;
}

static void *other(void *arg) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!stop) {
        // Large ones, and enough small ones that spans come and go.
        enum { N = 300 };
        void *blocks[N];
        free(malloc(50000));
        for (int i = 0; i < N; i++) {
            blocks[i] = malloc(i % 2 ? 2000 : 500);
        }
        for (int i = 0; i < N; i++) {
            free(blocks[i]);
        }
    }
    return arg;
}

int main(int argc, char **argv) {
    bool walks = argc > 1 && strcmp(argv[1], "walks") == 0;
    bool threaded = walks || (argc > 1 && strcmp(argv[1], "threads") == 0);
    pthread_t threads[NTHREADS];
    if (walks) {
        most = NFORKS_WALKS; // some of them wait a while
    }
    for (int i = 0; i < NTHREADS && threaded; i++) {
        expect(pthread_create(&threads[i], NULL, walks ? walk : other, NULL) ==
                   0,
               "thread");
    }
    struct sigaction act = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &act, NULL);
    rearm();
    uint64_t state = 1;
    while (nforks < most) {
        size_t n = 33 * KIB + probe_random(&state) % (300 * KIB);
        char *p = malloc(n);
        expect(p, "malloc");
        p[0] = p[n - 1] = 1;
        p = realloc(p, n * 2);
        expect(p && p[n - 1] == 1, "realloc");
        free(p);
    }
    stop = true;
    for (int i = 0; i < NTHREADS && threaded; i++) {
        pthread_join(threads[i], NULL);
    }
    expect(nfailed == 0, "%d children did not arrive", (int)nfailed);
    probe_workout();
    probe_sound();
    return 0;
}
