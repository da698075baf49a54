// malloc_slow.h: the cold twins of malloc, calloc and free in malloc.c. Each sets
// errno as the standard says, and otherwise preserves it.
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

// free_sized_slow reports a wrong size unless an object of size bytes, aligned to align
// (0: as malloc), has the class of p's, and frees p. If the report returns, p is freed
// by its real size: p is an object of ours even if the caller's size is wrong.
//
// By default the process continues if the size given to operator delete is too small:
// the C++ libraries ignore the size, so old programs have such errors (a delete through
// a base class without a virtual destructor). Then only the first one is reported.
SLOW void free_sized_slow(void *p, size_t align, size_t size, const char *call);
SLOW void delete_sized_slow(void *p, size_t align, size_t size);

// slow_free_inside frees a block of ours within a slow path, with no cache.
void slow_free_inside(void *p);

// slow_misuse is the heap's callback for a pointer that is no live object of it.
void slow_misuse(struct mheap *h, void *p);

#endif // MOUND_MALLOC_SLOW_H
