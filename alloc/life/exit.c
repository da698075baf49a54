// exit.c: what runs when a process ends, in order:
//
//   process_exiting   once, by exit, _exit, quick_exit or the destructor: the last
//                     profile (profilefile_at_exit), then the statistics
//                     (dump_at_exit), then the page (page_exiting). The status may be
//                     known only after that, and is then added to a page that is kept
//   finish            after exit() and the destructors of others, to detect misuse:
//                     frees this thread's cache into its spans; in hardened level 2
//                     empties the quarantine and checks live objects; empties the
//                     stores of all classes
//
// A process that a signal ends runs nothing, except for signals of MOUND_STATS_ON:
//
//   exit_by_signal    does what process_exiting does
#include "life/exit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/turn.h"
#include "hardened.h"
#include "heap/mcache_slow.h"
#include "life/process.h"
#include "os/filter.h"
#include "out/outfile.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/dump.h"
#include "watch/endcheck.h"
#include "watch/page.h"
#include "watch/profilefile.h"

#ifdef MOUND_LOCK_COUNTS
static const char *lock_counts; // path of the file, or NULL

void exit_find_lock_counts(char **envp) {
    static const char name[] = "MOUND_LOCK_COUNTS=";
    for (; envp != NULL && *envp != NULL; envp++)
        if (str_after(*envp, name) != NULL)
            lock_counts = str_after(*envp, name);
}

static void write_lock_counts(void) {
    if (lock_counts != NULL)
        lockcount_write(lock_counts);
}
#else
void exit_find_lock_counts(char **envp) {
    (void)envp;
}

static void write_lock_counts(void) {
}
#endif

static void exiting_quickly(void) {
    process_exiting(EXIT_STATUS_UNKNOWN);
}

COLD void exit_start(void) {
    at_quick_exit(exiting_quickly);
}

// end_once writes what is due at the end of this process, unless one of its threads has
// done so. A thread that calls it meanwhile waits for the one that writes, because the
// process ends with all its threads when the first of them returns.
static void end_once(const struct stats_end *end) {
    static struct turn turn;
    static int ended_pid; // the process that has done it
    int pid = runtime_pid();
    if (runtime_is_borrowed())
        return;
    int error = turn_take(&turn, OUTFILE_WAIT_NS);
    if (error == -EDEADLK)
        outfile_abandon(); // this handler interrupted the writer and ends the process
    if (error != 0)
        return;
    if (ended_pid != pid) {
        profilefile_at_exit();
        dump_at_exit(end);
        if (end->signal != 0)
            page_note_signal(end->signal);
        else
            page_exiting(end->status);
    }
    ended_pid = pid;
    turn_give(&turn);
}

void process_exiting(int status) {
    write_lock_counts();
    if (!runtime_started() || (options->stats == STATS_OFF &&
                               !profilefile_is_due_at_exit() && !page_watched))
        return;
    runtime_enter();
    if (filter_came())
        return;
    end_once(&(struct stats_end){.ended = true, .status = status});
}

void exit_by_signal(int signal) {
    if (!runtime_started() || runtime_is_borrowed())
        return;
    runtime_enter();
    if (!filter_came())
        end_once(&(struct stats_end){.ended = true, .signal = signal});
}

// finish empties this thread's cache and the shared stores into the spans, which detects
// double frees.
__attribute__((destructor)) static void finish(void) {
    process_exiting(EXIT_STATUS_UNKNOWN);
    if (!runtime_started() || runtime_passive() || !thread_enter())
        return;
    struct mcache *c = thread_tls.own;
    if (c != NULL)
        mcache_flush(c, &mound_heap);
    if (options->hardened > 1) {
        hardened_release(/* all= */ true);
        endcheck_live();
    }
    runtime_reclaim();
    thread_leave();
}
