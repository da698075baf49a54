// turn.h: a lock for an operation that one thread of a process does at a time,
// usable where a mutex is not: in a signal handler that interrupted the holder,
// and in the child of a fork in whose parent it was held.
#ifndef MOUND_BASE_TURN_H
#define MOUND_BASE_TURN_H

#include <stdatomic.h>

#include "base/compiler.h"

// All zero is free.
struct turn {
    _Atomic uint64_t
        holder; // process << 32 | thread, the kernel's IDs; 0: free
};

// turn_take returns 0 when the caller has the turn, until turn_give. -EDEADLK:
// the calling thread has it already and was interrupted. -EBUSY: another thread
// of this process still has it after wait_ns nanoseconds (0: no wait; a signal
// shortens the wait). A holder in another process, left by fork, is ignored.
// Not for a child of vfork, which shares memory with the parent's other
// threads.
int turn_take(struct turn *turn, uint64_t wait_ns);
void turn_give(struct turn *turn);

#endif // MOUND_BASE_TURN_H
