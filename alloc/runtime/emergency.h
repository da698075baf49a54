// emergency.h: memory for signal handlers that interrupted a slow path of their
// own thread. They must not take locks, so there is a small store whose slots are
// claimed by atomic bits, and frees of other memory are deferred.
#ifndef MOUND_EMERGENCY_H
#define MOUND_EMERGENCY_H

#include "base/compiler.h"

// emergency_init, at the start, sets the function that does a deferred free later,
// within a slow path.
void emergency_init(void (*free_deferred)(void *p));

// emergency_alloc returns memory for size bytes aligned to align, or NULL when
// the store has none left or size is over 64 KiB.
void *emergency_alloc(size_t size, size_t align);

// emergency_owns says whether p was returned by emergency_alloc. p may have any value.
bool emergency_owns(const void *p);

// emergency_free frees such a block. It returns false if p is none or is free already.
// Any thread, at any time.
bool emergency_free(void *p);

size_t emergency_usable_size(const void *p);

// emergency_slot is the address of some slot, in use or not.
void *emergency_slot(void);

// emergency_defer adds p to a list of deferred frees and returns the list; NULL begins
// one. The list's memory comes from the store. emergency_free_deferred frees what is in
// a list, and the list, within a slow path.
void **emergency_defer(void **list, void *p);
void emergency_free_deferred(void **list);

#endif // MOUND_EMERGENCY_H
