// Probes trap 30 for the helper: the thread that returns memory does not disturb the
// program. Each case runs while it is alive.
//
// usage: rights WAY [any]   any: also without a helper
//   users     all threads of the process have the user and groups that it changed to
//   confined  it can only return memory, and its folder is "/"
//   spaces    setns and unshare work as in a program without it
//   forks     after a fork there is one thread only
//   filters   a filter for all threads can be set, by prctl or by number
//   alone     none is started once all threads but one have ended
#include "expect.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
    NBLOCKS = 100,
    BLOCK = MIB,
    NOBODY = 65534,
    LOOKS = 200,
    LOOK_US = 1000
};
enum { PATH = 100, TEXT = 4096, SKIPPED = 77 };

static void free_much(void) {
    static char *blocks[NBLOCKS];
    for (int i = 0; i < NBLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        memset(blocks[i], 1, BLOCK);
    }
    for (int i = 0; i < NBLOCKS; i++) {
        free(blocks[i]);
    }
}

// status reads a line of a thread's status.
static void status(int tid, const char *name, char *ret, size_t n) {
    char path[PATH];
    char text[TEXT];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    int fd = open(path, O_RDONLY);
    *ret = '\0';
    if (fd < 0) {
        return; // it ended
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    char *line = strstr(text, name);
    expect(line || got <= 0, "no %s in %s", name, path);
    if (line) {
        line += strlen(name);
        snprintf(ret, n, "%.*s", (int)strcspn(line, "\n"), line);
    }
}

// threads_of fills ret with the threads of this process and returns how many.
static int threads_of(int *ret, int most) {
    DIR *dir = opendir("/proc/self/task");
    expect(dir, "/proc/self/task");
    int n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL && n < most;) {
        if (e->d_name[0] != '.') {
            ret[n++] = atoi(e->d_name);
        }
    }
    closedir(dir);
    return n;
}

static int count_threads(void) {
    int tids[10];
    return threads_of(tids, 10);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t ready;
static int other; // the thread that waits

static void *wait_main(void *arg) {
    other = (int)syscall(SYS_gettid);
    free(malloc(1000));
    pthread_barrier_wait(&ready);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return arg;
}

static pthread_t thread;
static bool any;

// start_helper returns the helper's thread ID; another thread waits meanwhile.
static int start_helper(void) {
    int tids[10];
    pthread_barrier_init(&ready, NULL, 2);
    pthread_mutex_lock(&gate);
    expect(pthread_create(&thread, NULL, wait_main, NULL) == 0, "no thread");
    pthread_barrier_wait(&ready);
    free_much();
    int n = threads_of(tids, 10);
    for (int i = 0; i < n; i++) {
        if (tids[i] != getpid() && tids[i] != other) {
            return tids[i];
        }
    }
    expect(any, "no helper was started");
    return 0;
}

static void end_other(void) {
    pthread_mutex_unlock(&gate);
    pthread_join(thread, NULL);
}

static void expect_all(const char *name, const char *value) {
    int tids[10];
    char line[PATH];
    int n = threads_of(tids, 10);
    for (int i = 0; i < n; i++) {
        status(tids[i], name, line, sizeof line);
        expect(*line == '\0' || strcmp(line, value) == 0,
               "thread %d has %s%s, not %s", tids[i], name, line, value);
    }
}

static void users(void) {
    if (getuid() != 0) {
        fprintf(stderr, "not root\n");
        exit(SKIPPED);
    }
    gid_t groups[] = {NOBODY};
    expect(setgroups(1, groups) == 0, "setgroups");
    expect_all("Groups:\t", "65534 ");
    free_much();
    expect(setresgid(NOBODY, NOBODY, NOBODY) == 0, "setresgid");
    expect_all("Gid:\t", "65534\t65534\t65534\t65534");
    free_much();
    expect(seteuid(NOBODY) == 0 && seteuid(0) == 0, "seteuid");
    expect_all("Uid:\t", "0\t0\t0\t0");
    free_much();
    expect(setuid(NOBODY) == 0, "setuid");
    expect_all("Uid:\t", "65534\t65534\t65534\t65534");
    free_much();
    expect_all("Uid:\t", "65534\t65534\t65534\t65534");
}

static void confined(int helper) {
    char line[PATH];
    char folder[PATH] = "";
    expect(chdir("/proc") == 0, "chdir");
    // It starts by confining itself.
    for (int i = 0; i < LOOKS; i++) {
        status(helper, "Seccomp:\t", line, sizeof line);
        if (*line == '2') {
            break;
        }
        usleep(LOOK_US);
    }
    expect(*line == '2', "Seccomp: %s", line);
    status(helper, "NoNewPrivs:\t", line, sizeof line);
    expect(*line == '1', "NoNewPrivs: %s", line);
    snprintf(line, sizeof line, "/proc/self/task/%d/cwd", helper);
    expect(readlink(line, folder, sizeof folder - 1) > 0 &&
               strcmp(folder, "/") == 0,
           "its folder is %s", folder);
    status(getpid(), "Seccomp:\t", line, sizeof line);
    expect(*line == '0', "the process has Seccomp: %s", line);
    status(getpid(), "NoNewPrivs:\t", line, sizeof line);
    expect(*line == '0', "the process has NoNewPrivs: %s", line);
}

static void spaces(int helper) {
    end_other();
    expect(any || syscall(SYS_tgkill, getpid(), helper, 0) == 0,
           "the helper ended by itself");
    int fd = open("/proc/self/ns/mnt", O_RDONLY);
    expect(setns(fd, CLONE_NEWNS) == 0 || errno != EINVAL, "setns: %m");
    expect(unshare(CLONE_NEWUSER) == 0 || errno != EINVAL, "unshare: %m");
    expect(count_threads() == 1, "%d threads", count_threads());
}

static void forks(void) {
    end_other();
    pid_t child = fork();
    if (child == 0) {
        free_much();
        _exit(count_threads() != 1);
    }
    int n = count_threads();
    int st = 0;
    expect(n == 1, "%d threads after fork", n);
    waitpid(child, &st, 0);
    expect(st == 0, "the child ended with status %#x", st);
}

static void filters(void) {
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog all = {1, allow};
    if (getuid() != 0) {
        expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "prctl");
    }
    long ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                       SECCOMP_FILTER_FLAG_TSYNC, &all);
    expect(ret == 0, "seccomp for all threads: %ld, %m", ret);
    free_much();
    expect_all("Seccomp:\t", "2");
    expect(count_threads() == 2, "a helper was started under a filter");
}

static void alone(void) {
    pthread_barrier_init(&ready, NULL, 2);
    expect(pthread_create(&thread, NULL, wait_main, NULL) == 0, "no thread");
    pthread_barrier_wait(&ready);
    pthread_join(thread, NULL);
    free_much();
    expect(count_threads() == 1, "%d threads", count_threads());
}

int main(int argc, char **argv) {
    expect(argc >= 2, "usage: rights WAY [any]");
    const char *way = argv[1];
    any = argc > 2;
    if (strcmp(way, "alone") == 0) {
        alone();
        return 0;
    }
    int helper = start_helper();
    if (strcmp(way, "users") == 0) {
        users();
    } else if (strcmp(way, "confined") == 0) {
        confined(helper);
    } else if (strcmp(way, "spaces") == 0) {
        spaces(helper);
    } else if (strcmp(way, "forks") == 0) {
        forks();
    } else {
        filters();
    }
    return 0;
}
