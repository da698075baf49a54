// hardened.h: malloc and free in hardened mode, within a slow path. Level 1 zeroes
// freed memory and quarantines large objects; level 2 (MOUND_HARDENED=2) adds marks
// around objects and a quarantine for small ones. In both, an object of no bytes is an
// inaccessible address (runtime/zerosize.h).
#ifndef MOUND_HARDENED_H
#define MOUND_HARDENED_H

#include "base/compiler.h"

struct mutex;

// hardened_init is called once, at the start, with a secret of the process. A quarantine
// has 16 KiB and few processes use it: without initial values it costs no reads of the
// library's file.
void hardened_init(uint64_t secret);

// hardened_alloc replaces alloc_inside, hardened_free free_inside.
COLD void *hardened_alloc(size_t size, size_t align, bool *ret_zero);
COLD void hardened_free(void *p, const char *call);

// hardened_release frees small objects that leave the quarantine, or all in it, within a
// slow path. largewait.h does the same for large objects.
void hardened_release(bool all);

// For forks; hardened_repair is for a child whose fork ran no handlers.
struct mutex *hardened_mutex(void);
void hardened_repair(void);

#endif // MOUND_HARDENED_H
