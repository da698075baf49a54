// process.h: the events of a process that preload/ reports to the allocator, and the
// settings that preload/ reads. In libmound.a and libmound.so; not installed. Defined in
// start.c, exit.c, signals.c and process.c.
#ifndef MOUND_PROCESS_H
#define MOUND_PROCESS_H

#include "runtime/mode.h"

// process_start does the work of the constructor: reads the options from envp, registers
// calls at thread exit and fork, prepares the dump. It may allocate. Further calls do
// nothing.
void process_start(char **envp);

// process_exiting writes the last profile and the dump, and ends the page: at most once
// in each process, and never in a child of vfork, whose exit is not the end of its
// program. status is the exit status. If another thread is writing them, it waits until
// they are written, for at most OUTFILE_WAIT_S seconds.
enum { EXIT_STATUS_UNKNOWN = -1 };
void process_exiting(int status);

// process_filtered must be called before the process sets a filter of system calls
// (seccomp). os/filter.h says what mound stops doing then.
void process_filtered(void);

// process_pause_helper ends the helper thread (os/helper.h), if it runs, before a call
// that concerns all threads of the process, or that the kernel refuses in a process with
// several threads. process_resume_helper, after the call, starts it again if it ran and
// is still needed. Any thread; also between fork and exec, and in signal handlers.
bool process_pause_helper(void);
void process_resume_helper(bool ran);

// process_off says whether MOUND_OFF=1; process_keep_deepbind whether
// MOUND_DEEPBIND=keep.
bool process_off(void);
bool process_keep_deepbind(void);

// process_dies_of says whether a signal is one of MOUND_STATS_ON whose default action
// ends the process after the statistics are written; process_on_deadly is the handler
// that writes them and then lets the process die of the signal.
bool process_dies_of(int signal);
void process_on_deadly(int signal);

// process_go_passive makes every call pass on to *next from now on.
// process_go_behind does so until the malloc in front of mound calls mound (see enum
// runtime_mode); after that, blocks that are not ours are still passed to *next.
void process_go_passive(const struct runtime_next *next);
void process_go_behind(const struct runtime_next *next);

// process_passive says whether every call passes on now.
ALWAYS_INLINE bool process_passive(void) {
    return UNLIKELY(runtime_passive());
}

// process_serves says whether a call of malloc_usable_size reaches ours: tools such as
// valgrind replace the function behind the same address. It calls it; nothing is
// allocated.
bool process_serves(size_t (*usable_size)(void *));

#endif // MOUND_PROCESS_H
