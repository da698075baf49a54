// turn.h: whose turn it is, in this process, to do what one thread does at a time
// and any thread may come to at any moment: a signal handler that interrupted who
// has the turn, a child of fork whose parent's thread had it.
#ifndef MOUND_BASE_TURN_H
#define MOUND_BASE_TURN_H

#include <stdatomic.h>

#include "base/compiler.h"

// All zero is a turn that nobody has.
struct turn {
    _Atomic uint64_t holder; // process << 32 | thread, of the kernel; 0: nobody
};

// turn_take returns 0: it is this thread's turn until turn_give. -EDEADLK: this
// very thread has it, and was interrupted. -EBUSY: another thread of this process
// still has it after wait_ns nanoseconds (0: at once; a signal makes the wait
// shorter). A holder in another process, which fork copied, does not count. Not for
// a child of vfork, whose parent's other threads go on in the same memory.
int turn_take(struct turn *turn, uint64_t wait_ns);
void turn_give(struct turn *turn);

#endif // MOUND_BASE_TURN_H
