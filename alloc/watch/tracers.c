// tracers.c: see tracers.h.
#include "watch/tracers.h"

#include "os/filter.h"
#include "runtime/options.h"
#include "watch/profile.h"

_Atomic bool tracers_followed;

void tracers_look(void) {
    bool attached = probes_attached();
    // Only one of several threads goes on.
    if (atomic_exchange_explicit(&tracers_followed, attached,
                                 memory_order_relaxed) == attached)
        return;
    if (!attached)
        profile_unfollow();
    else if (options->profile_rate != 0 && !filter_came())
        profile_follow(options->profile_rate);
}
