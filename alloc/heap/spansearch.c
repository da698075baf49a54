// spansearch.c: see spansearch.h.
#include "heap/spansearch.h"

#include "heap/keptspans.h"
#include "heap/spanrecord.h"

struct containing {
    uintptr_t addr;
    struct mspan *found; // live
    struct mspan *kept;  // in the cache of a thread
};

static void look_inside(struct mspan *s, void *arg) {
    struct containing *c = arg;
    if (c->addr - mspan_start(s) >= s->npages << PAGE_SHIFT)
        return;
    if (mspan_state(s) == MSPAN_KEPT)
        c->kept = s;
    else
        c->found = s;
}

struct mspan *mheap_span_containing(struct mheap *h, uintptr_t addr) {
    struct containing c = {.addr = addr};
    mutex_lock(&h->lock);
    mheap_for_each_span_locked(h, look_inside, &c);
    mutex_unlock(&h->lock);
    return c.found;
}

bool mheap_page_is_free(struct mheap *h, uintptr_t addr) {
    struct containing c = {.addr = addr};
    mutex_lock(&h->lock);
    bool is_free = pagealloc_is_free(&h->pages, addr) ||
                   firstpages_holds(&h->first_pages, addr) ||
                   keptspans_have_locked(h, addr);
    mheap_for_each_span_locked(h, look_inside, &c);
    mutex_unlock(&h->lock);
    return is_free || c.kept != NULL;
}
