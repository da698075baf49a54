// magazine.c: see magazine.h.
#include "heap/magazine.h"

#include <string.h>

#include "heap/mheap.h"
#include "heap/slotarrays.h"

_Static_assert(MAGAZINE_SLOTS + 1 == 1 << SLOTARRAY_MAX_LOG2,
               "the longest array there is");

void *const magazine_none[1];

bool magazine_holds(struct magazine *m, const void *p, size_t few) {
    void **top = magazine_load(&m->top);
    few = min_size(few, magazine_depth(m));
    for (size_t i = 1; i <= few; i++)
        if (top[-(ptrdiff_t)i] == p)
            return true;
    return false;
}

void magazine_set_count_locked(struct magazine *m, struct magazine_shape *shape,
                               struct mcentral *mc, uint64_t count) {
    uint64_t less =
        atomic_load_explicit(&m->count, memory_order_relaxed) - count;
    mc->stats->nretired += less;
    shape->count_seen -= (uint32_t)less;
    atomic_store_explicit(&m->count, count, memory_order_relaxed);
}

void magazine_detach(struct magazine *m) {
    magazine_store(&m->top, MAGAZINE_NONE);
    magazine_store(&m->limit, MAGAZINE_NONE);
    magazine_store(&m->bottom, MAGAZINE_NONE);
}

bool magazine_set_array(struct magazine *m, struct magazine_shape *shape,
                        struct mcentral *mc, unsigned log2) {
    void **array = mheap_alloc_slotarray(mc->heap, log2);
    if (array == NULL)
        return false;
    array[0] = NULL;
    mutex_lock(&mc->lock);
    void **old = magazine_load(&m->bottom) - 1;
    size_t depth = magazine_depth(m);
    memcpy(array + 1, old + 1, depth * sizeof *array);
    magazine_store(&m->bottom, array + 1);
    magazine_store(&m->top, array + 1 + depth);
    magazine_set_limit(m, shape);
    // Under the lock as well: a child of fork flushes what it finds.
    unsigned old_log2 = shape->array_log2;
    shape->array_log2 = log2 & 15;
    mutex_unlock(&mc->lock);
    if (old_log2 != 0)
        mheap_free_slotarray(mc->heap, old, old_log2);
    return true;
}

void magazine_drop_array(struct magazine *m, struct magazine_shape *shape,
                         struct mcentral *mc) {
    if (shape->array_log2 == 0)
        return;
    mutex_lock(&mc->lock);
    void **array = magazine_load(&m->bottom) - 1;
    unsigned log2 = shape->array_log2;
    magazine_detach(m);
    *shape = (struct magazine_shape){0};
    mutex_unlock(&mc->lock);
    mheap_free_slotarray(mc->heap, array, log2);
}
