// scratch.h: temporary memory for one dump, returned at its end.
#ifndef MOUND_PROF_SCRATCH_H
#define MOUND_PROF_SCRATCH_H

#include "base/bits.h"
#include "os/mem.h"
#include "os/memname.h"
#include "os/sys.h"

// scratch_map returns zeroed memory, or NULL.
static inline void *scratch_map(size_t nbytes) {
    nbytes = align_up(nbytes, sys_page_size());
    uintptr_t addr = mem_reserve(0, nbytes, sys_page_size());
    if (addr != 0 && !mem_commit(addr, nbytes)) {
        mem_unreserve(addr, nbytes);
        addr = 0;
    }
    if (addr != 0)
        memname_set(addr, nbytes, MEMNAME_PROFILE);
    return (void *)addr;
}

// scratch_unmap gives it back, with the same size; NULL is none.
static inline void scratch_unmap(void *p, size_t nbytes) {
    if (p != NULL)
        mem_unreserve((uintptr_t)p, align_up(nbytes, sys_page_size()));
}

#endif // MOUND_PROF_SCRATCH_H
