// process.h: the events of a process that preload/ passes on to the allocator, and the
// settings that it reads. In libmound.a as in libmound.so; not installed. start.c,
// exit.c and signals.c have some of them, process.c the others.
#ifndef MOUND_PROCESS_H
#define MOUND_PROCESS_H

#include "runtime/mode.h"

// process_start is the constructor's work: options from envp, the calls at
// thread exit and at fork, what the dump needs. It may allocate. Once; further
// calls do nothing.
void process_start(char **envp);

// process_exiting writes the dump and the last profile, and ends the page: at most once
// in each process, and never in a child of vfork, whose exit is not the end of its
// program. status is what the process ends with.
// When it returns they are written, whichever thread did it; it waits for that for
// a bounded time.
enum { EXIT_STATUS_UNKNOWN = -1 };
void process_exiting(int status);

// process_filtered is to be called before a filter of system calls (seccomp) comes
// over this process; what then no more is done is in os/filter.h.
void process_filtered(void);

// process_pause_helper ends the thread of our own (os/helper.h), if there is one, before
// a call that concerns all threads of the process, or that the kernel refuses where
// there are several; process_resume_helper, after it, starts it again if it ran and is
// of use. Any thread; also between fork and exec, and in signal handlers.
bool process_pause_helper(void);
void process_resume_helper(bool ran);

// process_off says whether MOUND_OFF=1; process_keep_deepbind whether
// MOUND_DEEPBIND=keep.
bool process_off(void);
bool process_keep_deepbind(void);

// process_dies_of says whether a signal is one of MOUND_STATS_ON, before whose default
// action something is written; process_on_deadly is the handler that does it and then has
// the process die of the signal.
bool process_dies_of(int signal);
void process_on_deadly(int signal);

// process_go_passive makes every call pass on to *next from now on.
// process_go_behind does so until the malloc in front of us passes on to us (see
// enum runtime_mode); blocks that are not ours are *next's then, too.
void process_go_passive(const struct runtime_next *next);
void process_go_behind(const struct runtime_next *next);

// process_passive says whether every call passes on now.
ALWAYS_INLINE bool process_passive(void) {
    return UNLIKELY(runtime_passive());
}

// process_serves says whether this malloc_usable_size is ours in effect: tools
// such as valgrind put another function in its place and leave its address. It
// calls it, and nothing is allocated.
bool process_serves(size_t (*usable_size)(void *));

#endif // MOUND_PROCESS_H
