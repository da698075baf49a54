// spawn.c: see spawn.h.
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

// The output of a child that is kept; the rest is dropped.
enum { MAX_OUTPUT = 16 << 20, READ_STEP = 64 << 10, SHOWN_OUTPUT = 4000 };

// How long other processes may hold the child's pipes after it has ended.
enum { STRAGGLER_MS = 20000 };

// die reports a fault of the test machinery itself.
static _Noreturn void die(const char *what) {
    fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
    abort();
}

static long now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000L + ts.tv_nsec / 1000000L;
}

// same_name says whether two "NAME=VALUE" or "NAME" strings have the same name.
static bool same_name(const char *a, const char *b) {
    size_t na = strcspn(a, "=");
    return na == strcspn(b, "=") && memcmp(a, b, na) == 0;
}

// build_env returns the environment of the child, allocated.
static char **build_env(const struct spawn *cmd) {
    size_t n = 0;
    size_t nextra = 0;
    while (environ[n]) {
        n++;
    }
    while (cmd->env && cmd->env[nextra]) {
        nextra++;
    }
    char **env = calloc(n + nextra + 2, sizeof *env);
    if (!env) {
        die("environment");
    }

    size_t nenv = 0;
    for (size_t i = 0; i < n && !cmd->bare_env; i++) {
        bool drop = same_name(environ[i], "LD_PRELOAD") ||
                    strncmp(environ[i], "MOUND_", 6) == 0;
        for (size_t j = 0; j < nextra; j++) {
            drop = drop || same_name(environ[i], cmd->env[j]);
        }
        if (!drop) {
            env[nenv++] = environ[i];
        }
    }
    for (size_t j = 0; j < nextra; j++) {
        if (strchr(cmd->env[j], '=')) {
            env[nenv++] = (char *)cmd->env[j];
        }
    }
    if (cmd->preload &&
        asprintf(&env[nenv++], "LD_PRELOAD=%s", cmd->preload) < 0) {
        die("environment");
    }
    return env;
}

// run_child is the child's side: it never returns.
static _Noreturn void run_child(const struct spawn *cmd, char **env, int in,
                                int out, int err) {
    struct rlimit no_core = {0, 0};
    setpgid(0, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (cmd->dir && chdir(cmd->dir) != 0) {
        _exit(127);
    }
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    // The program must inherit no descriptor of ours: some probes count them.
    for (int fd = STDERR_FILENO + 1; fd < 256; fd++) {
        close(fd);
    }
    execvpe(cmd->argv[0], (char *const *)cmd->argv, env);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", cmd->argv[0],
            strerror(errno));
    _exit(127);
}

// take reads what there is. It returns false at the end of the stream.
static bool take(int fd, char **buf, size_t *nbuf) {
    char step[READ_STEP];
    ssize_t n = read(fd, step, sizeof step);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN;
    }
    if (n == 0) {
        return false;
    }
    if (*nbuf + (size_t)n <= MAX_OUTPUT) {
        *buf = realloc(*buf, *nbuf + (size_t)n + 1);
        if (!*buf) {
            die("output");
        }
        memcpy(*buf + *nbuf, step, (size_t)n);
        *nbuf += (size_t)n;
        (*buf)[*nbuf] = '\0';
    }
    return true;
}

// input_fd returns a descriptor from which the child can read text.
static int input_fd(const char *text) {
    if (!text) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    FILE *f = tmpfile();
    if (!f || fputs(text, f) < 0 || fflush(f) != 0) {
        die("input");
    }
    rewind(f);
    int fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
    fclose(f);
    return fd;
}

// drop_qemu removes the message of qemu's user mode about a child that a signal ended.
static void drop_qemu(char *text, size_t *ntext) {
    static const char said[] = "qemu: uncaught target signal";
    char *at = strstr(text, said);
    while (at) {
        char *end = strchr(at, '\n');
        end = end ? end + 1 : at + strlen(at);
        memmove(at, end, strlen(end) + 1);
        at = strstr(at, said);
    }
    *ntext = strlen(text);
}

struct spawn_result spawn_run(const struct spawn *cmd) {
    struct spawn_result r = {.out = calloc(1, 1), .err = calloc(1, 1)};
    char **env = build_env(cmd);
    int out[2];
    int err[2];
    int in = input_fd(cmd->input);
    if (in < 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        die("pipe");
    }

    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        run_child(cmd, env, in, out[1], err[1]);
    }
    setpgid(pid, pid);
    close(in);
    close(out[1]);
    close(err[1]);
    r.pid = pid;

    unsigned timeout_s = cmd->timeout_s ? cmd->timeout_s : SPAWN_TIMEOUT_S;
    const char *slower = getenv("TESTS_SLOWER");
    long factor = slower ? atol(slower) : 1;
    long deadline = now_ms() + (long)timeout_s * factor * 1000;
    bool alive = true;
    bool reading[2] = {true, true};
    while (alive || reading[0] || reading[1]) {
        if (alive && waitpid(pid, &r.status, WNOHANG) == pid) {
            alive = false;
            if (deadline > now_ms() + STRAGGLER_MS) {
                deadline = now_ms() + STRAGGLER_MS;
            }
        }
        if (now_ms() >= deadline) {
            r.timed_out = true;
            kill(-pid, SIGKILL);
            if (alive) {
                kill(pid, SIGKILL);
                waitpid(pid, &r.status, 0);
            }
            break;
        }
        struct pollfd fds[2] = {
            {.fd = reading[0] ? out[0] : -1, .events = POLLIN},
            {.fd = reading[1] ? err[0] : -1, .events = POLLIN},
        };
        poll(fds, 2, 10);
        if (fds[0].revents) {
            reading[0] = take(out[0], &r.out, &r.nout);
        }
        if (fds[1].revents) {
            reading[1] = take(err[0], &r.err, &r.nerr);
        }
    }
    close(out[0]);
    close(err[0]);
    // Nobody of that group is needed any more.
    kill(-pid, SIGKILL);
    if (cmd->preload) {
        for (size_t i = 0; env[i]; i++) {
            if (same_name(env[i], "LD_PRELOAD")) {
                free(env[i]);
            }
        }
    }
    free(env);
    if (strstr(r.err, "qemu: ")) {
        drop_qemu(r.err, &r.nerr);
    }
    return r;
}

void spawn_free(struct spawn_result *r) {
    free(r->out);
    free(r->err);
    free(r->described);
    *r = (struct spawn_result){0};
}

bool spawn_exited(const struct spawn_result *r, int code) {
    return !r->timed_out && WIFEXITED(r->status) &&
           WEXITSTATUS(r->status) == code;
}

bool spawn_signalled(const struct spawn_result *r, int signo) {
    return !r->timed_out && WIFSIGNALED(r->status) &&
           WTERMSIG(r->status) == signo;
}

const char *spawn_describe(struct spawn_result *r) {
    char how[80];
    if (r->timed_out) {
        snprintf(how, sizeof how, "hung and was killed");
    } else if (WIFSIGNALED(r->status)) {
        snprintf(how, sizeof how, "died of signal %d (%s)", WTERMSIG(r->status),
                 strsignal(WTERMSIG(r->status)));
    } else {
        snprintf(how, sizeof how, "exited with %d", WEXITSTATUS(r->status));
    }
    free(r->described);
    if (asprintf(&r->described, "%s; stderr: [%.*s]; stdout: [%.*s]", how,
                 SHOWN_OUTPUT, r->err, SHOWN_OUTPUT, r->out) < 0) {
        die("description");
    }
    return r->described;
}

// need_env returns the variable or ends the test.
static const char *need_env(const char *name) {
    const char *value = getenv(name);
    if (!value || !*value) {
        fprintf(stderr, "spawn: %s is not set; run this through meson test\n",
                name);
        abort();
    }
    return value;
}

const char *spawn_lib(void) {
    return need_env("MOUND_LIB");
}

const char *spawn_probe(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", need_env("MOUND_PROBES"), name);
    return path;
}
