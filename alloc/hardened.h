// hardened.h: malloc and free in hardened mode, within a slow path. Level 1 zeroes what
// is freed and takes large objects out of use for a while; level 2 (MOUND_HARDENED=2)
// adds marks round objects and lets small ones wait too. Objects of no bytes are
// addresses that may not be touched in both.
#ifndef MOUND_HARDENED_H
#define MOUND_HARDENED_H

#include "base/compiler.h"

struct mutex;

// hardened_init is for the start, with a secret of the process. The quarantines are
// 16 KiB each, which few processes use: they have no initial values, which would be
// read from the file.
void hardened_init(uint64_t secret);

// hardened_alloc is alloc_inside, and hardened_free free_inside.
COLD void *hardened_alloc(size_t size, size_t align, bool *ret_zero);
COLD void hardened_free(void *p, const char *call);

// hardened_release frees what has waited long enough, or all, within a slow path. Of
// small objects; of large ones: largewait.h.
void hardened_release(bool all);

// For forks; hardened_repair is for a child that was made without handlers.
struct mutex *hardened_mutex(void);
void hardened_repair(void);

#endif // MOUND_HARDENED_H
