// guards.h: the guarded samples of this process (MOUND_GUARD), see prof/guard.h.
#ifndef MOUND_GUARDS_H
#define MOUND_GUARDS_H

#include "prof/guard.h"

extern struct guard_pool guards_pool HIDDEN;

// guards_init makes the pool. Once. It returns false if there is no memory.
bool guards_init(void);

// guards_fault, a callback of fault_watch (os/fault.h), reports a fault at a guard page
// and says whether it was one.
bool guards_fault(uintptr_t addr, uintptr_t pc, const void *context);

static inline bool guards_own(const void *p) {
    return guard_owns(&guards_pool, p);
}

// guards_alloc returns a guarded object with that sample, or NULL.
void *guards_alloc(size_t size, size_t align, const uintptr_t *pcs,
                   unsigned npcs, void *sample);

// guards_free frees one, reports misuse in the name of call, and returns its sample, or
// NULL. Within a slow path, with no lock held.
void *guards_free(void *p, const char *call);

// For a child whose fork ran no handlers. Other forks take the lock of the pool.
void guards_repair(void);

#endif // MOUND_GUARDS_H
