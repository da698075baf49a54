// memory.h: where the map's memory comes from: malloc, or the type's allocator.
#ifndef MAP_MEMORY_H
#define MAP_MEMORY_H

#include "mound_map_type.h"

#include <stdlib.h>

enum {
    MEMORY_ALIGN = 16, // what malloc promises
};

// memory_new returns size bytes, aligned to align, a power of two, and at least to
// MEMORY_ALIGN; NULL: out of memory. errno may change.
void *memory_new(const struct mound_map_type *t, size_t size, size_t align);

// memory_zeroed is memory_new with zeros in it, for structs.
void *memory_zeroed(const struct mound_map_type *t, size_t size);

// memory_free frees what memory_new made with this size. p may be NULL.
static inline void memory_free(const struct mound_map_type *t, void *p,
                               size_t size) {
    if (t->memory == NULL)
        free(p);
    else if (p != NULL)
        t->memory->release(p, size, t->memory->user);
}

#endif
