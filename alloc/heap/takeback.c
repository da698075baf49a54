// takeback.c: see takeback.h.
#include "heap/takeback.h"

#include "heap/mcentral.h"
#include "heap/mcentral_drain.h"

void mheap_take_back(struct mheap *h) {
    struct heldback *hb = &h->heldback;
    atomic_fetch_add_explicit(&h->nfresh, 1, memory_order_relaxed);
    unsigned at = atomic_load_explicit(&hb->at, memory_order_relaxed);
    for (int left = HELDBACK_STEPS; left > 0; left--) {
        unsigned i = heldback_next(hb, at);
        if (i == HELDBACK_NONE)
            return;
        mcentral_drain_held(mheap_central(h, i));
        at = i + 1; // each in turn: some may be filled as fast
    }
    atomic_store_explicit(&hb->at, at, memory_order_relaxed);
}
