// launch.c: see launch.h.
#include "launch.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "environment.h"
#include "message.h"
#include "pages.h"
#include "process.h"
#include "program.h"
#include "verb.h"

static const int passed_on[] = {SIGTERM, SIGHUP,  SIGINT,
                                SIGQUIT, SIGUSR1, SIGUSR2};
enum { NPASSED_ON = sizeof passed_on / sizeof passed_on[0] };

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int launch_parse(int key, char *value, struct argp_state *state, int option_key,
                 char ***ret_argv) {
    if (key == option_key) {
        if (!environment_option(value))
            exit(VERB_UNUSABLE);
        return 0;
    }
    switch (key) {
    case ARGP_KEY_ARG:
        *ret_argv = state->argv + state->next - 1; // the rest is the program's
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "give a program");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

bool launch_prepare(char **argv, bool keep, struct program *ret) {
    return program_find(argv[0], ret) && program_takes(ret) &&
           environment_set(keep);
}

void launch_exec(const struct program *p, char **argv) {
    execv(p->path, argv);
    if (errno == ENOEXEC)
        execvp(argv[0], argv); // a script without "#!": run by the shell
    message_error("%s: %s", p->path, strerror(errno));
}

// number_behind returns the number of the line "NAME NUMBER" of a file, or UINT64_MAX.
static uint64_t number_behind(const char *path, const char *name) {
    char line[256];
    uint64_t n = UINT64_MAX;
    size_t length = strlen(name);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            n = strtoull(line + length, NULL, 10);
    if (f != NULL)
        fclose(f);
    return n;
}

// oom_kills is the number of processes that the kernel has killed for lack of memory: in
// the control group of this process, where its children begin; without a group that
// counts, on the machine.
static uint64_t oom_kills(void) {
    char groups[4096], path[4096 + 64];
    if (process_file(getpid(), "cgroup", groups, sizeof groups) < 0)
        groups[0] = '\0';
    char *rest = NULL;
    for (char *line = strtok_r(groups, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        // "0::/PATH" of version 2, "7:memory:/PATH" of version 1.
        char *second = strchr(line, ':');
        char *third = second == NULL ? NULL : strchr(second + 1, ':');
        if (third == NULL)
            continue;
        bool one = strncmp(second + 1, "memory:", 7) == 0;
        if (!one && third != second + 1)
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s",
                 one ? "/memory" : "", third + 1,
                 one ? "memory.oom_control" : "memory.events");
        uint64_t n = number_behind(path, "oom_kill");
        if (n != UINT64_MAX)
            return n;
    }
    return number_behind("/proc/vmstat", "oom_kill");
}

bool launch_start(const struct program *p, char **argv, struct launched *ret) {
    sigset_t taken, before;
    struct sigaction child, child_before;
    *ret = (struct launched){.begin_ns = clock_ns(CLOCK_MONOTONIC),
                             .oom_kills = oom_kills()};
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    for (unsigned i = 0; i < NPASSED_ON; i++)
        sigaddset(&taken, passed_on[i]);
    sigprocmask(SIG_BLOCK, &taken, &before);
    // If SIGCHLD is ignored, children leave no status.
    memset(&child, 0, sizeof child);
    child.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &child, &child_before);
    fflush(stdout);
    ret->pid = fork();
    if (ret->pid == 0) {
        sigaction(SIGCHLD, &child_before, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        launch_exec(p, argv);
        _exit(2);
    }
    if (ret->pid < 0) {
        message_error("%s: %s", argv[0], strerror(errno));
        sigprocmask(SIG_SETMASK, &before, NULL);
        return false;
    }
    struct process child_process;
    if (process_read(ret->pid, &child_process))
        ret->start_ticks = child_process.start_ticks;
    return true;
}

static bool reap(struct launched *l) {
    if (waitpid(l->pid, &l->status, WNOHANG) != l->pid)
        return false;
    l->ended = true;
    l->end_ns = clock_ns(CLOCK_MONOTONIC);
    l->end_unix_ns = clock_ns(CLOCK_REALTIME);
    l->out_of_memory = WIFSIGNALED(l->status) &&
                       WTERMSIG(l->status) == SIGKILL &&
                       l->oom_kills != UINT64_MAX && oom_kills() > l->oom_kills;
    return true;
}

bool launch_wait(struct launched *l, int timeout_ms) {
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    for (unsigned i = 0; i < NPASSED_ON; i++)
        sigaddset(&taken, passed_on[i]);
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000;
    while (!l->ended && !reap(l)) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (timeout_ms >= 0 && now >= end)
            break;
        uint64_t left = timeout_ms < 0 ? 3600000000000u : end - now;
        struct timespec t = {(time_t)(left / 1000000000),
                             (long)(left % 1000000000)};
        siginfo_t info;
        int sig = sigtimedwait(&taken, &info, &t);
        if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
            kill(l->pid, sig);
    }
    return l->ended;
}

// struct look is the argument for pages_of: the page is copied, or removed.
struct look {
    struct mound_page *copy;
    bool found;
};

static bool look_at(const struct pages_entry *entry, void *argument) {
    struct look *look = argument;
    struct pages_removed sum = {0};
    look->found = true;
    if (look->copy != NULL)
        *look->copy = *entry->page;
    else
        pages_remove(entry, &sum);
    return false;
}

static bool look(const struct launched *l, struct mound_page *copy) {
    struct look look = {copy, false};
    const struct process p = {.pid = l->pid,
                              .inner = l->pid,
                              .start_ticks = l->start_ticks,
                              .uid = geteuid()};
    pages_of(&p, look_at, &look);
    return look.found;
}

bool launch_page(const struct launched *l, struct mound_page *ret) {
    if (!look(l, ret))
        return false;
    // After a kill by the kernel the page does not say so.
    struct mound_page_identity *who = &ret->identity;
    if (!l->ended)
        return true;
    who->state =
        WIFSIGNALED(l->status) ? MOUND_PAGE_SIGNALLED : MOUND_PAGE_EXITED;
    who->status =
        WIFSIGNALED(l->status) ? WTERMSIG(l->status) : WEXITSTATUS(l->status);
    if (who->end_unix_ns == 0)
        who->end_unix_ns = l->end_unix_ns;
    return true;
}

void launch_forget(const struct launched *l) {
    look(l, NULL);
}

int launch_exit_code(const struct launched *l) {
    return WIFSIGNALED(l->status) ? 128 + WTERMSIG(l->status)
                                  : WEXITSTATUS(l->status);
}

struct launch_text launch_how(const struct launched *l) {
    struct launch_text ret;
    if (!l->ended)
        snprintf(ret.s, sizeof ret.s, "runs");
    else if (!WIFSIGNALED(l->status))
        snprintf(ret.s, sizeof ret.s, "exited with status %d",
                 WEXITSTATUS(l->status));
    else
        snprintf(ret.s, sizeof ret.s, "killed by signal %d (%s)%s%s",
                 WTERMSIG(l->status), strsignal(WTERMSIG(l->status)),
                 WCOREDUMP(l->status) ? ", core dumped" : "",
                 l->out_of_memory ? ", out of memory" : "");
    return ret;
}
