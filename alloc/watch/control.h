// control.h: requests from other processes (MOUND_CONTROL). The helper thread, which
// then runs all the time, waits on the bell of the page and serves the requests in
// page.control (mound_page.h).
//
// It trusts nothing that it reads there: a process that can write to the page can make
// the helper do these requests and nothing else. What a request costs the program's
// threads: start and stop of sampling one barrier for all of them;
// MOUND_PAGE_PROFILE_WRITE the writing of the file, in the thread that allocates or
// frees next. The helper cannot write it, since it may only open four files of /proc
// (os/helper.h).
#ifndef MOUND_CONTROL_H
#define MOUND_CONTROL_H

#include "mound_page.h"
#include "base/compiler.h"

// control_init, at the start and before the helper runs, configures it to serve requests.
void control_init(void);

// control_start, with control, makes the helper serve the requests in this page, which is
// the page of the process from now on. publish updates the page, in a slow path. Any
// thread of the program, within a slow path or not. If the helper cannot be started,
// listening of the page says why.
void control_start(struct mound_page *page, void (*publish)(bool whole));

// control_resume starts the helper again after helper_pause, if there is control, and
// says whether there is.
bool control_resume(void);

// control_filtered notes that a filter of system calls came: requests are not served any
// more.
void control_filtered(void);

// control_forked is for the child of a fork, which has no page of its own yet.
void control_forked(void);

// control_answer serves the request in the page, if there is a new one. Called by the
// helper.
void control_answer(void);

// control_write writes the profile that was requested, if any. Called by a thread of the
// program that holds no lock.
void control_write(void);

#endif // MOUND_CONTROL_H
