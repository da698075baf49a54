// malloc_slow.h: the cold twins of the fast paths in malloc.c. Each sets errno
// as the standard says and keeps it otherwise.
#ifndef MOUND_MALLOC_SLOW_H
#define MOUND_MALLOC_SLOW_H

#include "base/compiler.h"

SLOW void *malloc_slow(size_t size);
SLOW void *calloc_slow(size_t nmemb, size_t size);
SLOW void free_slow(void *p);
SLOW void *realloc_slow(void *p, size_t size);

// memalign_slow serves every alignment (a power of two) and size, as memalign.
SLOW void *memalign_slow(size_t align, size_t size);
SLOW size_t usable_size_slow(void *p);

// free_sized_slow checks that an object of size bytes, aligned to align (0: as
// malloc), has the class of p's, and frees p.
SLOW void free_sized_slow(void *p, size_t align, size_t size, const char *call);

// slow_owns says whether p is an object of this heap. Any value of p. In passive
// mode there may be some, handed out before it was known.
bool slow_owns(const void *p);

// slow_free_inside frees a block of ours within a slow path, with no cache.
void slow_free_inside(void *p);

// slow_init is for the start. The quarantine is 16 KiB that few processes use: it
// has no initial values, which would be read from the file.
void slow_init(void);

// The quarantine of MOUND_HARDENED=2. slow_release_quarantine frees what has waited
// long enough, or all, within a slow path; the others are for forks.
void slow_release_quarantine(bool all);
void slow_lock_quarantine(void);
void slow_unlock_quarantine(void);
void slow_reset_quarantine(void);

// slow_misuse is what the heap calls for a pointer that came back wrong.
struct mheap;
void slow_misuse(struct mheap *h, void *p);

#endif // MOUND_MALLOC_SLOW_H
