// Not a probe by itself: tests/preload/dump.py sends signals to it after it has printed
// "ready".
#include "expect.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <pthread.h>
static void out(const char *text) {
    if (write(1, text, strlen(text)) < 0) {
        _exit(9);
    }
}

static void on_term(int signal) {
    (void)signal;
    out("handled\n");
    _exit(7);
}

// was returns what is said of a disposition.
static const char *was(const struct sigaction *old) {
    return old->sa_handler == SIG_DFL   ? "default\n"
           : old->sa_handler == SIG_IGN ? "ignored\n"
                                        : "handled\n";
}

// Slow paths, nearly all the time.
static void *busy(void *arg) {
    (void)arg;
    for (;;) {
        void *volatile p = malloc(100000);
        free(p);
    }
    return NULL;
}

static void query(void) {
    struct sigaction old;
    sigaction(SIGTERM, NULL, &old);
    out(was(&old));
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "wait";
    struct sigaction old, new = {.sa_handler = on_term};
    if (strcmp(way, "busy") == 0 || strcmp(way, "threads") == 0) {
        pthread_t t;
        for (int i = 0; i < 4 && strcmp(way, "threads") == 0; i++) {
            pthread_create(&t, NULL, busy, NULL);
        }
        out("ready\n");
        busy(NULL);
    } else if (strcmp(way, "handler") == 0) {
        sigaction(SIGTERM, &new, &old);
        out(was(&old));
        query();
    } else if (strcmp(way, "signal") == 0) {
        out(signal(SIGTERM, on_term) == SIG_DFL ? "default\n" : "other\n");
    } else if (strcmp(way, "restored") == 0) {
        sigaction(SIGTERM, &new, &old);
        sigaction(SIGTERM, &old, NULL);
        query();
    } else if (strcmp(way, "reset") == 0) {
        signal(SIGTERM, on_term);
        out(signal(SIGTERM, SIG_DFL) == on_term ? "ours\n" : "other\n");
        query();
    } else if (strcmp(way, "waited") == 0) {
        sigset_t set;
        int number;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        out("ready\n");
        sigwait(&set, &number);
        return number == SIGTERM ? 5 : 6;
    } else if (strcmp(way, "vfork") == 0) {
        pid_t child = vfork();
        if (child == 0) {
            kill(getpid(), SIGTERM);
            _exit(3);
        }
        int status;
        waitpid(child, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 4;
    } else if (strcmp(way, "fork") == 0) {
        pid_t child = fork();
        if (child == 0) {
            raise(SIGTERM);
            _exit(3);
        }
        int status;
        waitpid(child, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 4;
    } else if (strcmp(way, "filtered") == 0) {
        struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                     offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog filter = {4, code};
        expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0,
               "filter");
    } else {
        query();
    }
    out("ready\n");
    for (;;) {
        pause();
    }
}
