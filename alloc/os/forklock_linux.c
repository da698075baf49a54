// forklock_linux.c: forklock.h with glibc.
#include "os/forklock.h"

#include "os/sys.h"

// Exported by glibc since 2.2.5; the lock is recursive by owner.
void _IO_list_lock(void);
void _IO_list_unlock(void);
void _IO_list_resetlock(void);

static bool locked; // guarded by the list's lock if there are several threads

void forklock_before(void) {
    // Two threads may fork at once, so the flag is written after the lock is
    // taken. Without the lock there is only one thread.
    bool lock = !sys_single_threaded();
    if (lock)
        _IO_list_lock();
    locked = lock;
}

void forklock_after_parent(void) {
    if (locked)
        _IO_list_unlock();
}

void forklock_after_child(void) {
    // glibc has already reset the lock if it saw several threads. That cleared
    // our recursion count, and an unlock would make it negative.
    if (locked)
        _IO_list_resetlock();
}
