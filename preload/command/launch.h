// launch.h: starts a program on mound: mound run, and the verbs that watch a program from
// its start to its end.
#ifndef MOUND_COMMAND_LAUNCH_H
#define MOUND_COMMAND_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mound_page.h"

// launch_parse is the part of an option parser for a program to be started: it sets
// *ret_argv to "[--] PROGRAM [ARGUMENT...]" and handles option_key, which sets a variable
// of mound. ARGP_ERR_UNKNOWN: another key.
struct argp_state;
int launch_parse(int key, char *value, struct argp_state *state, int option_key,
                 char ***ret_argv);

// launch_prepare finds the program argv[0], refuses programs that mound cannot be loaded
// into, and sets the environment: see environment.h. False after a complaint.
struct program;
bool launch_prepare(char **argv, bool keep, struct program *ret);

// launch_exec executes the program; it returns only after a complaint.
void launch_exec(const struct program *p, char **argv);

// struct launched is a child process that runs the program.
struct launched {
    pid_t pid;
    uint64_t start_ticks;
    uint64_t begin_ns; // CLOCK_MONOTONIC
    uint64_t
        oom_kills; // of its control group at the start; UINT64_MAX: not known
    bool ended;
    int status; // of waitpid
    uint64_t end_ns;
    uint64_t end_unix_ns;
    bool out_of_memory; // the kernel killed it or its group for memory
};

// launch_start starts it as a child. From then on launch_wait passes on the signals that
// this process receives (TERM, HUP, INT, QUIT, USR1, USR2), except those from a terminal,
// which both receive. False after a complaint.
bool launch_start(const struct program *p, char **argv, struct launched *ret);

// launch_wait waits until it ends, or for timeout_ms (-1: no limit), and returns whether
// it has.
bool launch_wait(struct launched *l, int timeout_ms);

// launch_page reads its page, while it runs or after its end, and then adds how it ended;
// false: there is none (any more). launch_forget removes the page.
bool launch_page(const struct launched *l, struct mound_page *ret);
void launch_forget(const struct launched *l);

// launch_exit_code is a shell's exit code: the exit status, or 128 + the signal.
int launch_exit_code(const struct launched *l);

// launch_how says how it ended: "exited with status 3", "killed by signal 9 (Killed),
// out of memory".
struct launch_text {
    char s[128];
};
struct launch_text launch_how(const struct launched *l);

#endif // MOUND_COMMAND_LAUNCH_H
