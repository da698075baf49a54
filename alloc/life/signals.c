// signals.c: see signals.h. What runs on a signal, in order; nothing for any other:
//
//   MOUND_PROFILE_SIGNAL   profilefile_on_signal writes a profile
//   SIGSEGV, with guards   guards_fault reports a fault at a guard; then the
//                          handler from before runs, or the process ends
// Our helper thread blocks all signals (os/helper_linux.c).
#include "life/signals.h"

#include "os/fault.h"
#include "os/sys.h"
#include "runtime/options.h"
#include "watch/guards.h"
#include "watch/profilefile.h"

void signals_start(void) {
    if (options->profile_path[0] != '\0' && options->profile_signal != 0 &&
        !options->off)
        sys_on_signal(options->profile_signal, profilefile_on_signal);
}

void signals_watch_faults(void) {
    fault_watch(guards_fault);
}
