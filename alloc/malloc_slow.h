// malloc_slow.h: the cold twins of malloc, calloc and free in malloc.c. Each sets
// errno as the standard says and keeps it otherwise.
#ifndef MOUND_MALLOC_SLOW_H
#define MOUND_MALLOC_SLOW_H

#include "base/compiler.h"

struct mheap;

SLOW void *malloc_slow(size_t size);
SLOW void *calloc_slow(size_t nmemb, size_t size);
SLOW void free_slow(void *p);

// memalign_slow serves every alignment (a power of two) and size, as memalign.
SLOW void *memalign_slow(size_t align, size_t size);
SLOW size_t usable_size_slow(void *p);

// free_sized_slow checks that an object of size bytes, aligned to align (0: as
// malloc), has the class of p's, and frees p. A wrong size is a mistake of the caller,
// but p is an object: it is freed as well, by its own size, if the report returns.
//
// By default the process goes on after a size of operator delete that is too small: the
// C++ libraries ignore it, so that programs have lived with such a mistake for years
// (a delete by a base without a virtual destructor). Only the first is reported then.
SLOW void free_sized_slow(void *p, size_t align, size_t size, const char *call);
SLOW void delete_sized_slow(void *p, size_t align, size_t size);

// slow_free_inside frees a block of ours within a slow path, with no cache.
void slow_free_inside(void *p);

// slow_misuse is what the heap calls for a pointer that came back wrong.
void slow_misuse(struct mheap *h, void *p);

#endif // MOUND_MALLOC_SLOW_H
