// request.h: requests to a process that was started with MOUND_CONTROL=1, through its
// page (mound_page.h).
#ifndef MOUND_COMMAND_REQUEST_H
#define MOUND_COMMAND_REQUEST_H

#include <stdint.h>

#include "target.h"

enum { REQUEST_TIMEOUT_MS = 10 * 1000 };

// request_do makes the process do op, waits until it is done, and returns its result; or
// -errno after one line on stderr that says why not. The result comes from the page, so
// the user of the process can forge it.
//
// Requests to a process are made one at a time: this waits for the end of another one. If
// the command that made that one was killed, this takes its place.
int64_t request_do(struct target *t, enum mound_page_op op, uint64_t arg,
                   int timeout_ms);

// request_profile makes the process write a profile (op: MOUND_PAGE_PROFILE_WRITE or
// MOUND_PAGE_PROFILE_PEAK), waits until one of its threads has done so, and returns the
// path of the file, which only this caller gets and which it removes and frees; or NULL
// after a complaint. If no thread allocates or frees before the time is over, the
// program writes the file later.
char *request_profile(struct target *t, enum mound_page_op op, int timeout_ms);

#endif // MOUND_COMMAND_REQUEST_H
