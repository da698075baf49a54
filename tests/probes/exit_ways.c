// A program that ends in the way named by its argument, for the tests of the
// dump at exit (traps 37, 38 and 40). It allocates a little first. With a
// second argument N it makes N further pairs of malloc and free.
#include "expect.h"

#include <pthread.h>
#include <sys/syscall.h>

static void *end_from_thread(void *arg) {
    exit(arg ? 1 : 0);
}

static void *leave_soon(void *arg) {
    (void)arg;
    usleep(50000);
    _exit(0);
}

static void leave_in_handler(int signal) {
    (void)signal;
    _exit(0);
}

enum { PIPE_BYTES = 4096 };

// overlap starts this program again with a small full pipe as its stderr, so that the
// dump blocks until we read; the output goes to our own stderr.
static int overlap(char *name, char *way) {
    int fds[2];
    char buf[PIPE_BYTES] = {0};
    expect(pipe(fds) == 0, "pipe");
    expect(fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES) == PIPE_BYTES, "pipe size");
    expect(write(fds[1], buf, PIPE_BYTES - 8) == PIPE_BYTES - 8, "fill");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 2);
        close(fds[0]);
        close(fds[1]);
        execl("/proc/self/exe", name, way, (char *)NULL);
        _exit(1);
    }
    close(fds[1]);
    usleep(300000); // both are ending by now
    expect(read(fds[0], buf, PIPE_BYTES - 8) == PIPE_BYTES - 8, "drain");
    for (ssize_t n; (n = read(fds[0], buf, sizeof buf)) > 0;) {
        expect(write(2, buf, (size_t)n) == n, "write");
    }
    probe_child_passed(pid, "overlap");
    _exit(0);
}

static void allocate_late(void) {
    free(malloc(100));
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    long npairs = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    for (long i = 0; i < npairs; i++) {
        void *p = malloc(100);
        expect(p, "malloc");
        free(p);
    }
    if (strcmp(way, "return") == 0) {
        return 0;
    } else if (strcmp(way, "exit") == 0) {
        exit(0);
    } else if (strcmp(way, "exit3") == 0) {
        exit(3);
    } else if (strcmp(way, "_exit") == 0) {
        _exit(0);
    } else if (strcmp(way, "_Exit") == 0) {
        _Exit(0);
    } else if (strcmp(way, "quick_exit") == 0) {
        at_quick_exit(allocate_late);
        quick_exit(0);
    } else if (strcmp(way, "pthread_exit") == 0) {
        pthread_exit(NULL);
    } else if (strcmp(way, "thread") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, end_from_thread, NULL);
        pthread_join(thread, NULL);
    } else if (strcmp(way, "thread_exits") == 0) {
        // Another thread is inside malloc while this one leaves.
        pthread_t thread;
        pthread_create(&thread, NULL, end_from_thread, NULL);
        for (;;) {
            free(malloc(40000));
        }
    } else if (strcmp(way, "chdir") == 0) {
        expect(chdir("/") == 0, "chdir");
        return 0;
    } else if (strcmp(way, "atexit") == 0) {
        atexit(allocate_late);
        return 0;
    } else if (strcmp(way, "fork") == 0) {
        // Two children: one leaves by exit, one by _exit.
        for (int i = 0; i < 2; i++) {
            pid_t pid = fork();
            if (pid == 0) {
                free(malloc(100));
                if (i == 0) {
                    exit(0);
                }
                _exit(0);
            }
            probe_child_passed(pid, "fork");
        }
        return 0;
    } else if (strcmp(way, "raw_fork") == 0) {
        // One child by _Fork, one by the system call: no handlers run.
        pid_t pid = _Fork();
        if (pid == 0) {
            exit(0);
        }
        probe_child_passed(pid, "_Fork");
        pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0) {
            _exit(0);
        }
        probe_child_passed(pid, "clone");
        return 0;
    } else if (strcmp(way, "overlap") == 0) {
        return overlap(argv[0], "exit_beside_exit");
    } else if (strcmp(way, "overlap_handler") == 0) {
        return overlap(argv[0], "exit_under_exit");
    } else if (strcmp(way, "exit_beside_exit") == 0) {
        // This thread is writing its dump when another one exits.
        pthread_t thread;
        pthread_create(&thread, NULL, leave_soon, NULL);
        exit(0);
    } else if (strcmp(way, "exit_under_exit") == 0) {
        // A handler exits while its own thread is writing the dump.
        signal(SIGALRM, leave_in_handler);
        ualarm(50000, 0);
        exit(0);
    } else if (strcmp(way, "vfork") == 0) {
        pid_t pid = vfork();
        if (pid == 0) {
            _exit(0);
        }
        probe_child_passed(pid, "vfork");
        return 0;
    } else if (strcmp(way, "exec") == 0) {
        execl("/bin/true", "true", (char *)NULL);
        return 1;
    } else if (strcmp(way, "exec_self") == 0) {
        execl("/proc/self/exe", argv[0], "return", (char *)NULL);
        return 1;
    } else if (strcmp(way, "kill") == 0) {
        raise(SIGKILL);
    } else if (strcmp(way, "exit_group") == 0) {
        syscall(SYS_exit_group, 0);
    } else if (strcmp(way, "abort") == 0) {
        abort();
    }
    fail_at(__LINE__, "how shall it end?");
}
