// signals.c: see signals.h. What runs on a signal:
//
//   MOUND_PROFILE_SIGNAL   profilefile_on_signal writes a profile
//   MOUND_STATS_SIGNAL     dump_now writes the statistics
//   MOUND_STATS_ON         exit_by_signal writes both; then the process dies of the
//                          signal by its default action. Process 1 of a pid
//                          namespace does not die of it and continues
//   SIGSEGV, with guards   guards_fault reports a fault at a guard page; then the
//                          previous handler runs, or the process ends
//
// A handler that interrupted a slow path cannot read the counters: it defers that to the
// end of the slow path (watch/later.h).
//
// A program that has not set a handler for a signal of MOUND_STATS_ON sees the default
// disposition: preload/signals.c returns SIG_DFL instead of process_on_deadly, and sets
// process_on_deadly when the program sets SIG_DFL. A handler of the program replaces it.
// An exec removes it, like any handler.
// The helper thread blocks all signals (os/helper_linux.c).
#include "life/signals.h"

#include <errno.h>

#include "life/exit.h"
#include "life/process.h"
#include "os/fault.h"
#include "os/sys.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "watch/dump.h"
#include "watch/guards.h"
#include "watch/later.h"
#include "watch/profile.h"
#include "watch/profilefile.h"

static void write_stats(int signal) {
    (void)signal;
    dump_now();
}

static void on_signal(int signal) {
    int saved = errno;
    if (signal == options->profile_signal)
        profilefile_on_signal(signal);
    if (signal == options->stats_signal && !later_put(write_stats, signal))
        dump_now();
    errno = saved;
}

static bool writes_profiles(void) {
    return profile_wanted() && options->profile_path[0] != '\0';
}

static void die(int signal) {
    // Process 1 of a pid namespace does not die of the signal, so this is not its end.
    if (runtime_pid() == 1 && !runtime_is_borrowed()) {
        if (writes_profiles())
            profilefile_on_signal(signal);
        dump_now();
        return;
    }
    exit_by_signal(signal);
    if (!sys_die_of(signal))
        sys_on_signal(signal, process_on_deadly);
}

void process_on_deadly(int signal) {
    int saved = errno;
    // A child of vfork dies at once, since a deferred call would run in its parent.
    if (runtime_is_borrowed() || !later_put(die, signal))
        die(signal);
    errno = saved;
}

bool process_dies_of(int signal) {
    return signal > 0 && signal <= 64 &&
           options->stats_on >> (signal - 1) & 1 && !options->off;
}

COLD void signals_start(void) {
    if (options->off)
        return;
    for (uint64_t left = options->stats_on; left != 0; left &= left - 1) {
        int signal = 1 + __builtin_ctzl(left);
        if (sys_signal_is_default(signal))
            sys_on_signal(signal, process_on_deadly);
    }
    if (writes_profiles() && options->profile_signal != 0)
        sys_on_signal(options->profile_signal, on_signal);
    if (options->stats_signal != 0)
        sys_on_signal(options->stats_signal, on_signal);
}

void signals_watch_faults(void) {
    fault_watch(guards_fault);
}
