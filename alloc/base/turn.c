// turn.c: see turn.h.
#include "base/turn.h"

#include <errno.h>

#include "os/sys.h"

enum { STEP_NS = 1000 * 1000 };

int turn_take(struct turn *turn, uint64_t wait_ns) {
    uint64_t pid = (uint64_t)sys_pid();
    uint64_t mine = pid << 32 | (uint32_t)sys_tid();
    for (;;) {
        uint64_t holder =
            atomic_load_explicit(&turn->holder, memory_order_relaxed);
        if (holder == mine)
            return -EDEADLK;
        if (holder >> 32 != pid) {
            // acquire: sees what the last holder wrote; partner: turn_give
            if (atomic_compare_exchange_strong_explicit(
                    &turn->holder, &holder, mine, memory_order_acquire,
                    memory_order_relaxed))
                return 0;
            continue;
        }
        if (wait_ns == 0)
            return -EBUSY;
        uint64_t step = wait_ns < STEP_NS ? wait_ns : STEP_NS;
        sys_sleep_ns(step);
        wait_ns -= step;
    }
}

void turn_give(struct turn *turn) {
    // release: partner is the acquire in turn_take
    atomic_store_explicit(&turn->holder, 0, memory_order_release);
}
