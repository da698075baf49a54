// memname_linux.c: memname.h on Linux.
#include "os/memname.h"

#include <stdatomic.h>
#include <sys/prctl.h>

#include "os/filter.h"
#include "os/syscall.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_VMA_ANON_NAME
#define PR_SET_VMA_ANON_NAME 0
#endif

static AT_START _Atomic bool on; // relaxed: it publishes nothing else

void memname_start(void) {
    atomic_store_explicit(&on, true, memory_order_relaxed);
}

void memname_set(uintptr_t addr, size_t nbytes, const char *name) {
    if (LIKELY(!atomic_load_explicit(&on, memory_order_relaxed)) ||
        filter_noted())
        return;
    long ret = syscall5(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr,
                        nbytes, name);
    if (ret == -EINVAL || ret == -ENOSYS || ret == -EPERM)
        atomic_store_explicit(&on, false, memory_order_relaxed);
}
