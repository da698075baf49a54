// slowpath.h: how a slow path begins and ends.
//
// Every slow call has the same shape: enter the slow path (or find that this is a
// signal handler that interrupted one, and serve it without locks), do the work,
// leave, and only then set errno.
#ifndef MOUND_SLOWPATH_H
#define MOUND_SLOWPATH_H

#include "runtime/runtime.h"
#include "runtime/thread.h"

enum {
    // Every 64th slow path of a thread runs the scavenger's clock.
    SLOWPATH_TICKS = 64,
    SLOWPATH_TICKS_LARGE = 8, // ticks for a free of a large object
    // Objects of 1 MiB or more: before one is made, caches are reclaimed; after one is
    // freed, the scavenger runs.
    SLOWPATH_PAGES_LARGE = (1 << 20) / PAGE_SIZE,
};

// slowpath_enter begins a slow path; false: serve this call without locks.
static inline bool slowpath_enter(void) {
    runtime_enter_late();
    if (!thread_enter())
        return false;
    runtime_enter();
    return true;
}

// slowpath_leave ends it. At every 64th slow path of the thread it runs the scavenger
// and, if they are on, the page and the tracers; at each one, the chores that are due
// (enum runtime_chore).
void slowpath_leave(void);

// slowpath_tick_now makes the next slowpath_leave run the scavenger.
static inline void slowpath_tick_now(void) {
    thread_tls.nticks = SLOWPATH_TICKS;
}

#endif // MOUND_SLOWPATH_H
