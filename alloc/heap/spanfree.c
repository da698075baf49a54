// spanfree.c: see spanfree.h.
#include "heap/spanfree.h"

#include "heap/keptspans.h"

void mheap_free_span(struct mheap *h, struct mspan *s) {
    struct leftover left = {0};
    size_t npages = s->npages;
    mutex_lock(&h->lock);
    if (!keptspans_retire_locked(h, s, /* scavenged= */ false))
        left = leftover_locked(h, npages);
    mutex_unlock(&h->lock);
    leftover_do(h, left);
}
