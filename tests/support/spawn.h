// spawn.h: runs a command as a child process and returns its output.
//
// Tests that need malloc itself replaced cannot run in the test process, whose
// own messages allocate. They start a plain program through this file, with
// LD_PRELOAD set for that program alone.
#ifndef TESTS_SUPPORT_SPAWN_H
#define TESTS_SUPPORT_SPAWN_H

#include <stdbool.h>
#include <stddef.h>

// How long a child may take before it counts as hung, unless told otherwise.
// Times TESTS_SLOWER, if that is in the environment: an emulator takes longer.
enum { SPAWN_TIMEOUT_S = 60 };

// struct spawn says what to run. All pointers may be NULL but argv.
struct spawn {
    const char *const *argv; // argv[0] is looked up in PATH; ends in NULL
    const char *const *env; // "NAME=VALUE" sets, "NAME" alone removes; NULL end
    const char *preload;    // value of LD_PRELOAD; NULL: the child has none
    const char *dir;        // working directory; NULL: that of the caller
    const char *input;      // what the child reads on stdin; NULL: /dev/null
    unsigned timeout_s;     // 0: SPAWN_TIMEOUT_S
    bool bare_env;          // start from an empty environment, not from ours
};

// struct spawn_result is its result. out and err end in a NUL that does not count.
struct spawn_result {
    int status;     // as waitpid gives it; use the functions below
    bool timed_out; // killed by us because it hung
    int pid;
    char *out;
    size_t nout;
    char *err;
    size_t nerr;
    char *described; // used by spawn_describe
};

// spawn_run starts the command, waits for it and for all processes that hold its stdout
// or stderr, and returns what they wrote. A command that cannot be
// started exits with status 127. The child leads a process group of its own; at
// the time limit the whole group is killed. Core dumps are switched off.
//
// MOUND_* variables of the caller never reach the child unless env names them.
// The result must be given to spawn_free.
struct spawn_result spawn_run(const struct spawn *cmd);

void spawn_free(struct spawn_result *r);

// spawn_exited tells whether the child ended by itself with that exit code.
bool spawn_exited(const struct spawn_result *r, int code);

// spawn_signalled tells whether the child was ended by that signal.
bool spawn_signalled(const struct spawn_result *r, int signo);

// spawn_describe returns a text for a failure message: how the child ended and
// what it wrote on stderr (and on stdout, when that was little). It is freed
// with r.
const char *spawn_describe(struct spawn_result *r);

// spawn_lib returns the path of libmound.so (MOUND_LIB), spawn_probe that of a
// probe program or plugin (a file below MOUND_PROBES; static buffer). Both end
// the test with a message when the variable is missing.
const char *spawn_lib(void);
const char *spawn_probe(const char *name);

#endif // TESTS_SUPPORT_SPAWN_H
