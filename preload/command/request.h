// request.h: requests to a process that was started with MOUND_CONTROL=1, by its page
// (mound_page.h).
#ifndef MOUND_COMMAND_REQUEST_H
#define MOUND_COMMAND_REQUEST_H

#include <stdint.h>

#include "target.h"

enum { REQUEST_TIMEOUT_MS = 10 * 1000 };

// request_do has the process do op, waits for that, and returns its result; or -errno
// after one line on stderr that says why not. The page is the process's, or another
// user's: the result is what somebody wrote there.
//
// Only one request is on its way to a process: another one waits for its end. That of a
// command that was killed is taken over.
int64_t request_do(struct target *t, enum mound_page_op op, uint64_t arg,
                   int timeout_ms);

// request_profile has the process write a profile (op: MOUND_PAGE_PROFILE_WRITE or
// MOUND_PAGE_PROFILE_PEAK), waits until a thread of it did so, and returns the path of
// the file, which is the caller's alone and which it removes and frees; or NULL after a
// complaint. A program of
// which no thread allocates or frees before the time is over writes it later.
char *request_profile(struct target *t, enum mound_page_op op, int timeout_ms);

#endif // MOUND_COMMAND_REQUEST_H
