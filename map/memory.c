// memory.c: see memory.h.
#include "memory.h"

void *memory_new(const struct mound_map_type *t, size_t size, size_t align) {
    if (align < MEMORY_ALIGN)
        align = MEMORY_ALIGN;
    if (t->memory != NULL)
        return t->memory->allocate(size, align, t->memory->user);
    if (align == MEMORY_ALIGN)
        return malloc(size);
    void *p = NULL;
    int saved = errno;
    if (posix_memalign(&p, align, size) != 0)
        p = NULL;
    errno = saved;
    return p;
}

void *memory_zeroed(const struct mound_map_type *t, size_t size) {
    if (t->memory == NULL)
        return calloc(1, size);
    void *p = memory_new(t, size, MEMORY_ALIGN);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}
