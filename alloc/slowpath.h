// slowpath.h: the way into a slow path and out of it.
//
// Every slow call has the same shape: enter the slow path (or find that this is a
// signal handler which interrupted one, and serve it without locks), do the work,
// leave, and only then set errno.
#ifndef MOUND_SLOWPATH_H
#define MOUND_SLOWPATH_H

#include "runtime/runtime.h"
#include "runtime/thread.h"

enum {
    // The scavenger's clock is read at every so many slow paths.
    SLOWPATH_TICKS = 64,
    SLOWPATH_TICKS_LARGE = 8, // a free of a large object counts for more
    // Of an object: worth to look for memory that is held back before it is made, and
    // for the scavenger after it is freed.
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

// slowpath_leave ends it. At times it looks after the scavenger and after caches of
// threads that are gone.
void slowpath_leave(void);

// slowpath_tick_now makes that time come with the next slowpath_leave.
static inline void slowpath_tick_now(void) {
    thread_tls.nticks = SLOWPATH_TICKS;
}

#endif // MOUND_SLOWPATH_H
