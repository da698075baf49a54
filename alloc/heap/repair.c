// repair.c: see repair.h.
#include "heap/repair.h"

#include <string.h>

#include "heap/hugepages.h"
#include "heap/mcentral.h"
#include "heap/mcentral_rebuild.h"
#include "heap/pagecount.h"
#include "heap/spanrecord.h"

static void relist_span(struct mspan *s, void *arg) {
    (void)arg;
    struct mcentral *home = mspan_home(s);
    if (home != NULL && home->forgotten)
        mcentral_relist_locked(home, s);
}

void mheap_repair(struct mheap *h, bool ret_rebuilt[NUM_SIZECLASSES]) {
    unsigned ncentrals = mheap_ncentrals(h);
    bool any = false;
    if (mutex_reset(&h->persistent.lock))
        h->persistent.next = h->persistent.end = 0; // the chunk's rest is lost
    mutex_reset(&h->scavenger);
    if (mutex_reset(&h->lock)) {
        memset(h->kept, 0, sizeof h->kept);
        h->kept_pages = 0;
        h->first_pages.n = 0;
        memset(h->slotarrays, 0, sizeof h->slotarrays);
        h->small_spans.free = h->large_spans.free = h->caches.free = NULL;
        pagealloc_rebuild(&h->pages);
        hugepages_recount_locked(h);
        pagecount_update_locked(h, 0);
    }
    mutex_lock(&h->lock);
    for (unsigned i = 0; i < ncentrals; i++) {
        struct mcentral *mc = mheap_central(h, i);
        bool held = mutex_reset(&mc->lock);
        if (i < NUM_SIZECLASSES)
            ret_rebuilt[i] = held;
        if (!held || !mheap_is_used(h, i))
            continue;
        mcentral_forget_locked(mc);
        any = true;
    }
    if (any)
        mheap_for_each_span_locked(h, relist_span, NULL);
    for (unsigned i = mheap_next_used(h, 0); i < ncentrals;
         i = mheap_next_used(h, i + 1))
        mheap_central(h, i)->forgotten = false;
    mutex_unlock(&h->lock);
}
