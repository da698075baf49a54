// What a page shows from outside (MOUND_WATCH): a program that does one thing and says
// on stdout, in a line, when it is there. Then it waits for the end of its stdin.
//
// usage: watched idle             nothing
//        watched grow MIB         so much memory in objects of all sizes, touched
//        watched churn NTHREADS   threads that allocate and free, for ever
//        watched fork HOW         a child that lives, by fork, _Fork, SYS_fork, SYS_clone;
//                                 vfork and thread: one that has the parent's memory
//        watched brief            a child that only execs, then as idle
//        watched exec             replaces itself by watched idle
//        watched exit|_exit|quick_exit STATUS
//        watched abort
#include "expect.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

enum { NSLOTS = 1000, LIFE_MS = 60, SMALL_MAX = 3000, LARGE_MAX = 300000 };

static long now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void tell(const char *text) {
    char line[64];
    int n = snprintf(line, sizeof line, "%s %d\n", text, (int)getpid());
    expect(write(STDOUT_FILENO, line, (size_t)n) == n, "nobody reads");
}

static void wait_for_end(void) {
    char c;
    while (read(STDIN_FILENO, &c, 1) > 0) {
    }
}

static size_t size_at(uint64_t *state) {
    uint64_t r = probe_random(state);
    return r / 64 % (r % 64 == 0 ? LARGE_MAX : SMALL_MAX) + 1;
}

// churn_for replaces objects for so many milliseconds; -1: for ever.
static void churn_for(long ms, uint64_t seed) {
    void *own[NSLOTS] = {0};
    long end = now_ms() + ms;
    while (ms < 0 || now_ms() < end) {
        for (int i = 0; i < 100; i++) {
            size_t slot = probe_random(&seed) % NSLOTS;
            size_t n = size_at(&seed);
            free(own[slot]);
            own[slot] = malloc(n);
            memset(own[slot], 1, n);
        }
    }
    for (size_t i = 0; i < NSLOTS; i++) {
        free(own[i]);
    }
}

static void *churn(void *arg) {
    churn_for(-1, (uint64_t)(uintptr_t)arg);
    return NULL;
}

static void grow(size_t nbytes) {
    uint64_t seed = 1;
    for (size_t n = 0; n < nbytes;) {
        size_t size = size_at(&seed);
        char *p = malloc(size);
        expect(p != NULL, "no memory");
        memset(p, 1, size);
        n += size;
    }
}

static void child_lives(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    churn_for(LIFE_MS, 2);
    tell("child");
    wait_for_end();
}

static int live_in_shared_memory(void *arg) {
    (void)arg;
    child_lives();
    _exit(0);
}

static pid_t start_child(const char *how) {
    static char stack[256 << 10] __attribute__((aligned(64)));
    if (strcmp(how, "fork") == 0) {
        return fork();
    }
    if (strcmp(how, "_Fork") == 0) {
        return _Fork();
    }
#ifdef SYS_fork
    if (strcmp(how, "SYS_fork") == 0) {
        return (pid_t)syscall(SYS_fork);
    }
#endif
    if (strcmp(how, "SYS_clone") == 0) {
        return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    }
    // Parent and child have one memory: the parent waits, as after vfork.
    return clone(live_in_shared_memory, stack + sizeof stack,
                 CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

static void forks(const char *how) {
    churn_for(LIFE_MS, 3);
    pid_t pid = start_child(how);
    if (pid == 0) {
        child_lives();
        _exit(0);
    }
    probe_child_passed(pid, how);
    churn_for(LIFE_MS, 4);
    tell("parent");
    wait_for_end();
}

static void brief(void) {
    pid_t pid = fork();
    if (pid == 0) {
        free(malloc(100));
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    probe_child_passed(pid, "/bin/true");
    tell("ready");
    wait_for_end();
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "idle";
    const char *arg = argc > 2 ? argv[2] : "0";
    if (strcmp(what, "grow") == 0) {
        grow(strtoul(arg, NULL, 10) * MIB);
    } else if (strcmp(what, "churn") == 0) {
        for (long i = strtol(arg, NULL, 10); i > 0; i--) {
            pthread_t thread;
            expect(pthread_create(&thread, NULL, churn, (void *)i) == 0,
                   "no thread");
        }
    } else if (strcmp(what, "fork") == 0) {
        forks(arg);
        return 0;
    } else if (strcmp(what, "brief") == 0) {
        brief();
        return 0;
    } else if (strcmp(what, "exec") == 0) {
        churn_for(LIFE_MS, 5);
        execl("/proc/self/exe", "watched", "idle", NULL);
        expect(false, "exec: %s", strerror(errno));
    } else if (strcmp(what, "exit") == 0) {
        exit(atoi(arg));
    } else if (strcmp(what, "_exit") == 0) {
        _exit(atoi(arg));
    } else if (strcmp(what, "quick_exit") == 0) {
        quick_exit(atoi(arg));
    } else if (strcmp(what, "abort") == 0) {
        abort();
    }
    tell("ready");
    wait_for_end();
    return 0;
}
