// session.h: sampling in a process that is running: started, waited for, fetched, and
// stopped again, however the verb ends.
#ifndef MOUND_COMMAND_SESSION_H
#define MOUND_COMMAND_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "pprof.h"
#include "target.h"

struct session {
    struct target target;
    char name[64]; // of the process, as ps shows it
    bool own;      // this session has requested the sampling, and ends that
    bool goes_on;  // it has ended it, and others have not
    bool sampled;  // there were samples already when it began
    bool running;  // samples are taken
    uint64_t rate; // mean bytes between samples
};

// session_open opens the process what. False after a complaint.
bool session_open(const char *what, struct session *ret);

// session_start starts the sampling, unless the process samples by itself, at a rate of
// its own; what another session has started goes on until both have ended it.
// session_stop ends what session_start has started. False after a complaint.
bool session_start(struct session *s, uint64_t rate);
bool session_stop(struct session *s);

// session_wait waits for *ns, and sets it to how long that was. It returns false,
// early, when the process has ended, after a complaint, and true, early, when the user
// has interrupted (Ctrl-C, SIGTERM, SIGHUP), which session_interrupted says.
bool session_wait(struct session *s, uint64_t *ns);
bool session_interrupted(void);

// session_take fetches a profile (op: MOUND_PAGE_PROFILE_WRITE or _PEAK) and leaves no
// file behind. It has names; pprof_free frees it. False after a complaint.
bool session_take(struct session *s, enum mound_page_op op, struct pprof *ret);

// session_close stops the sampling, if that is still to be done.
void session_close(struct session *s);

#endif // MOUND_COMMAND_SESSION_H
