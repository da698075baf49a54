// session.h: sampling in a running process: starts it, waits, fetches the profile, and
// stops it again whatever happens to the verb, unless that is killed.
#ifndef MOUND_COMMAND_SESSION_H
#define MOUND_COMMAND_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "pprof.h"
#include "target.h"

struct session {
    struct target target;
    char name[64]; // of the process, as ps prints it
    bool own;      // this session has requested sampling, and will stop it
    bool goes_on;  // it has stopped it, but others have requested it too
    bool sampled;  // there were samples before this session
    bool running;  // samples are taken
    uint64_t rate; // mean bytes between samples
};

// session_open opens the process what. False after a complaint.
bool session_open(const char *what, struct session *ret);

// session_start starts sampling, unless the process samples by itself, at a rate of its
// own. Sampling that several sessions have started goes on until all have stopped it.
// session_stop stops what session_start has started. False after a complaint.
bool session_start(struct session *s, uint64_t rate);
bool session_stop(struct session *s);

// session_wait waits for *ns, and sets it to the time waited. It returns false, early,
// after a complaint if the process has ended. It returns true, early, if the user has
// interrupted (Ctrl-C, SIGTERM, SIGHUP); then session_interrupted is true.
bool session_wait(struct session *s, uint64_t *ns);
bool session_interrupted(void);

// session_take fetches a profile (op: MOUND_PAGE_PROFILE_WRITE or _PEAK), leaving no file
// behind, and symbolizes it; pprof_free frees it. False after a complaint.
bool session_take(struct session *s, enum mound_page_op op, struct pprof *ret);

// session_close stops the sampling unless that is done already.
void session_close(struct session *s);

#endif // MOUND_COMMAND_SESSION_H
