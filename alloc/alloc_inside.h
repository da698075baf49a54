// alloc_inside.h: to allocate within a slow path.
#ifndef MOUND_ALLOC_INSIDE_H
#define MOUND_ALLOC_INSIDE_H

#include "base/compiler.h"

// alloc_inside returns a block of size bytes aligned to align (a power of two, at
// least MIN_ALIGN) and in *ret_zero whether it is known to be zero; or NULL if there is
// no memory even after caches and stores were reclaimed.
void *alloc_inside(size_t size, size_t align, bool *ret_zero);

#endif // MOUND_ALLOC_INSIDE_H
