// Probes trap 33: timer signals arrive all the time and their handlers malloc, free,
// calloc and realloc, small and large, while the program is in slow paths (sizes over 32
// KiB always are). A handler that interrupts a hit may not allocate, so the main loop
// makes no hits. Every block has a pattern. Argument "threads": each of three threads
// gets the signals.
#include "expect.h"

#include <pthread.h>
#include <sys/time.h>

enum { NSIGNALS = 8000, NSLOTS = 6, PERIOD_US = 150 };

static volatile sig_atomic_t nsignals, nempty;
static _Atomic bool stop;

// Blocks that pass from one handler to the next.
static _Thread_local struct {
    void *p;
    size_t n;
    uint64_t tag;
} slots[NSLOTS] __attribute__((tls_model("initial-exec")));
static _Thread_local uint64_t handler_state
    __attribute__((tls_model("initial-exec")));

// rearm requests one more timer signal, so that the main loop runs in between, also on a
// slow machine.
static void rearm(void) {
    struct itimerval once = {{0, 0}, {0, stop ? 0 : PERIOD_US}};
    setitimer(ITIMER_REAL, &once, NULL);
}

static void on_signal(int signo) {
    int saved = errno;
    uint64_t r = probe_random(&handler_state);
    size_t i = r % NSLOTS;
    size_t n = r / 64 % 5 == 0 ? r / 1024 % 60000 + 1 : r / 1024 % 2000 + 1;
    if (slots[i].p && !intact(slots[i].p, slots[i].n, slots[i].tag)) {
        fail_at(__LINE__, "a block of the handlers changed");
    }
    switch (r / 4096 % 3) {
    case 0:
        free(slots[i].p);
        slots[i].p = malloc(n);
        break;
    case 1:
        free(slots[i].p);
        slots[i].p = calloc(1, n);
        if (slots[i].p && !all_zero(slots[i].p, n)) {
            fail_at(__LINE__, "calloc in a handler is not zero");
        }
        break;
    default: {
        size_t common = slots[i].n < n ? slots[i].n : n;
        void *p = realloc(slots[i].p, n);
        if (p && slots[i].p &&
            !intact_part(p, common, slots[i].n, slots[i].tag)) {
            fail_at(__LINE__, "realloc in a handler lost data");
        }
        slots[i].p = p;
    }
    }
    if (!slots[i].p) {
        nempty++;
    } else {
        slots[i].n = n;
        slots[i].tag = r;
        fill(slots[i].p, n, r);
    }
    nsignals++;
    if (signo == SIGALRM) {
        rearm();
    }
    errno = saved;
}

static void *storm(void *arg) {
    uint64_t state = (uint64_t)(uintptr_t)arg;
    handler_state = state * 1000;
    enum { NBLOCKS = 16 };
    struct {
        char *p;
        size_t n;
    } blocks[NBLOCKS] = {0};
    while (!stop && nsignals < NSIGNALS) {
        uint64_t r = probe_random(&state);
        size_t i = r % NBLOCKS;
        size_t n = 33 * KIB + r / 64 % (400 * KIB);
        char *old = blocks[i].p;
        if (old) {
            expect(old[0] == (char)i && old[blocks[i].n - 1] == (char)i,
                   "a block of the main loop changed");
        }
        if (r / 16 % 4 == 0 && old) {
            old = realloc(old, n);
            expect(old && old[0] == (char)i, "realloc lost data");
        } else {
            free(old);
            old = r / 16 % 4 == 1 ? calloc(1, n) : malloc(n);
        }
        expect(old, "no memory while signals arrive");
        blocks[i].p = old;
        blocks[i].n = n;
        old[0] = old[n - 1] = (char)i;
    }
    stop = true;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (size_t i = 0; i < NBLOCKS; i++) {
        free(blocks[i].p);
    }
    for (size_t i = 0; i < NSLOTS; i++) {
        if (slots[i].p) {
            expect(intact(slots[i].p, slots[i].n, slots[i].tag),
                   "a block of the handlers changed");
        }
        free(slots[i].p);
    }
    return NULL;
}

int main(int argc, char **argv) {
    bool threaded = argc > 1 && strcmp(argv[1], "threads") == 0;
    // A handler must not interrupt another: those make hits.
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigfillset(&act.sa_mask);
    sigaction(SIGALRM, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    rearm();
    if (threaded) {
        // SIGALRM goes to main, which passes storms on to the threads.
        pthread_t threads[3];
        for (uintptr_t i = 0; i < 3; i++) {
            expect(pthread_create(&threads[i], NULL, storm, (void *)(i + 2)) ==
                       0,
                   "thread");
        }
        for (unsigned i = 0; !stop; i++) {
            pthread_kill(threads[i % 3], SIGUSR1);
            usleep(PERIOD_US);
        }
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
    } else {
        storm((void *)1);
    }
    expect(nsignals >= NSIGNALS, "only %d signals", (int)nsignals);
    expect(nempty == 0, "%d of %d handlers got no memory", (int)nempty,
           (int)nsignals);
    probe_workout();
    probe_sound();
    return 0;
}
