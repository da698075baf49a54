// mcache.c: see mcache.h.
#include "heap/mcache.h"

#include <string.h>

// In memory that is read-only after relocation: a write would affect every
// thread. limit is NULL to save a relocation for each class at every start.
const struct magazine mcache_none[NUM_SIZECLASSES] CACHELINE_ALIGNED = {
    [0 ... NUM_SIZECLASSES - 1] = {.top = MAGAZINE_NONE},
};

void mcache_init(struct mcache *c, uintptr_t owner) {
    list_init(&c->link);
    c->owner = owner;
    c->owner_tls = NULL;
    c->cap_bytes = 0;
    c->hand = 1;
    c->nslow = 0;
    c->refused_until = 0;
    c->nfresh = 0;
    c->trim_at = 0;
    c->armed = c->sized = false;
    memset(&c->large, 0, sizeof c->large);
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        if (c->shapes[i].array_log2 == 0)
            magazine_detach(&c->magazines[i]);
        atomic_store_explicit(&c->magazines[i].count, 0, memory_order_relaxed);
    }
}
