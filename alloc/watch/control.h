// control.h: requests from outside (MOUND_CONTROL): the helper thread, which stays then,
// waits on the bell of the page and does what control of the page says (mound_page.h).
//
// It trusts nothing that it reads there: whoever may write to the page may make the
// helper work, and no more. What a request costs the threads of the program: a barrier
// for all of them where samples start or stop; and to the one that allocates or frees
// next after MOUND_PAGE_PROFILE_WRITE, the writing of the file. The helper itself opens no
// file but four of /proc (os/helper.h), so it cannot do that.
#ifndef MOUND_CONTROL_H
#define MOUND_CONTROL_H

#include "mound_page.h"
#include "base/compiler.h"

// control_init, at the start and before there is a helper, makes the helper one that
// answers.
void control_init(void);

// control_start, with control, lets it answer requests in this page, which is the
// process's from now on. publish brings the page up to date, in a slow path. Any thread of
// the program, within a slow path or not. Where the helper cannot be made, listening of the page says why not.
void control_start(struct mound_page *page, void (*publish)(bool whole));

// control_resume starts the helper again after helper_pause, if there is control, and
// says whether there is.
bool control_resume(void);

// control_filtered is for when a filter of system calls came: nobody will answer.
void control_filtered(void);

// control_forked is for the child of a fork, which has no page of its own yet.
void control_forked(void);

// control_answer does the request in the page, if there is a new one. The helper calls
// it.
void control_answer(void);

// control_write writes the profile that was requested, if there is one. A thread of the
// program, which holds no lock.
void control_write(void);

#endif // MOUND_CONTROL_H
