// map_writers.c: two threads that write to one map, which nobody may do. It ends in Go's
// message now and then, and the more often the longer it goes on; each attempt is a child
// of its own, for it may end in any way.
//
// usage: map_writers [ATTEMPTS]     until one has found it, at most 100 unless told; with
// a number all of them, and how many of them found it is printed.
#include "../map/which.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ATTEMPTS = 100,
    KEYS = 5000,
    ROUNDS = 2000,
};

MOUND_MAP_U64(ints, uint64_t)

static pthread_barrier_t start;

static void *writer(void *arg) {
    ints *m = (ints *)arg;
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS; i++) {
        for (uint64_t k = 0; k < KEYS; k++)
            ints_put(m, k, NULL);
        for (uint64_t k = 0; k < KEYS; k++)
            ints_delete(m, k);
    }
    return NULL;
}

static void __attribute__((noreturn)) attempt(int fd) {
    dup2(fd, STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    alarm(5);
    ints *m = ints_make(0);
    pthread_t other;
    pthread_barrier_init(&start, NULL, 2);
    if (m == NULL || pthread_create(&other, NULL, writer, m) != 0)
        _exit(1);
    writer(m);
    pthread_join(other, NULL);
    _exit(0);
}

// found makes an attempt, and tells whether it ended in the message.
static bool found(void) {
    int fds[2];
    if (pipe(fds) != 0)
        exit(2);
    pid_t child = fork();
    if (child == 0)
        attempt(fds[1]);
    close(fds[1]);
    char said[256];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof said - 1 &&
           (got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = 0;
    close(fds[0]);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(2);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
           strcmp(said, "fatal error: concurrent map writes\n") == 0;
}

int main(int argc, char **argv) {
    int attempts = argc > 1 ? atoi(argv[1]) : ATTEMPTS, n = 0;
    for (int i = 0; i < attempts; i++) {
        n += found();
        if (n > 0 && argc == 1)
            return 0;
    }
    if (argc > 1)
        printf("%d of %d\n", n, attempts);
    else
        fprintf(stderr, "map_writers: %d attempts, no message\n", attempts);
    return n == 0;
}
