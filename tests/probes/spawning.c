// Probes trap 28: vfork and exec, posix_spawn, system and popen while other threads
// allocate. A vfork child shares our memory and TLS: it allocates and frees, and ends by
// _exit, exec or a signal; none of that may damage the parent, which owns its blocks
// afterwards.
#include "expect.h"

#include <pthread.h>
#include <spawn.h>

#include "mound.h"

extern char **environ;

enum { NROUNDS = 60, NTHREADS = 2 };

static _Atomic bool stop;

static void *churn(void *arg) {
    while (!stop) {
        probe_workout();
    }
    return arg;
}

// What a vfork child leaves behind for its parent.
static void *volatile from_child;

static pid_t start_vfork(int how) {
    void *given = malloc(5000);
    pid_t pid = vfork();
    if (pid == 0) {
        free(given);
        from_child = malloc(4000);
        void *large = malloc(100000);
        free(large);
        switch (how) {
        case 0:
            _exit(7);
        case 1:
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        case 2:
            kill(getpid(), SIGKILL);
            _exit(1);
        default:
            execl("/nowhere", "nowhere", (char *)NULL);
            _exit(7);
        }
    }
    return pid;
}

int main(void) {
    pthread_t threads[NTHREADS];
    for (int i = 0; i < NTHREADS; i++) {
        expect(pthread_create(&threads[i], NULL, churn, NULL) == 0, "thread");
    }
    for (int round = 0; round < NROUNDS; round++) {
        int how = round % 4;
        from_child = NULL;
        pid_t pid = start_vfork(how);
        int status = 0;
        expect(pid > 0 && waitpid(pid, &status, 0) == pid, "vfork");
        expect(how == 2 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                        : WIFEXITED(status) &&
                              WEXITSTATUS(status) == (how == 1 ? 0 : 7),
               "vfork child %d ended with status %x", how, status);
        expect(from_child, "the vfork child left no block");
        memset(from_child, 1, 4000);
        free(from_child);

        char *const argv[] = {(char *)"true", NULL};
        expect(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0,
               "posix_spawn");
        probe_child_passed(pid, "posix_spawn");
        if (round % 10 == 0) {
            expect(system("exit 3") == 3 << 8, "system");
            FILE *f = popen("echo heard", "re");
            char line[20] = "";
            expect(f && fgets(line, sizeof line, f), "popen");
            expect(strcmp(line, "heard\n") == 0, "popen read '%s'", line);
            expect(pclose(f) == 0, "pclose");
        }
    }
    stop = true;
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    probe_sound();
    return 0;
}
