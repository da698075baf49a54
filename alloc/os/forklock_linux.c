// forklock_linux.c: forklock.h with glibc.
#include "os/forklock.h"

#include "os/sys.h"

// Exported by glibc since 2.2.5; the lock is recursive by owner.
void _IO_list_lock(void);
void _IO_list_unlock(void);
void _IO_list_resetlock(void);

static bool locked; // guarded by that lock, when there are threads

void forklock_before(void) {
    // Two threads may fork at once: the flag is written once the lock is held,
    // and a second thread exists only if it is to be taken.
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
    // glibc has reset the lock already if it saw threads; our count of it is
    // gone with that, and an unlock would take it below zero.
    if (locked)
        _IO_list_resetlock();
}
