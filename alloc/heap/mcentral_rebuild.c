// mcentral_rebuild.c: see mcentral_rebuild.h.
#include "heap/mcentral_rebuild.h"

#include "heap/mcentral_store.h"

void mcentral_forget_locked(struct mcentral *mc) {
    mc->forgotten = true;
    spanlists_init(&mc->lists);
    mc->ntransfer = 0;
    mcentral_set_held_locked(mc, false);
    struct classstats *st = mc->stats;
    st->nslots = st->nfree = st->ntransfer = st->nspans = 0;
    st->hole_bytes = 0;
}

void mcentral_relist_locked(struct mcentral *mc, struct mspan *s) {
    list_init(&s->link);
    mspan_recount(s);
    spanlists_add(&mc->lists, s);
    mc->stats->nslots += s->nelems;
    mc->stats->nfree += s->nfree;
    mc->stats->nspans++;
    mc->stats->hole_bytes += mspan_bytes_of(s->released);
    mcentral_note_held_locked(mc);
}

unsigned mcentral_verify_locked(struct mcentral *mc) {
    mutex_assert_held(&mc->lock);
    unsigned nwrong = spanlists_verify(&mc->lists, mc);
    nwrong += mcentral_stores_much(mc) && !mc->holds_back;
    nwrong += mc->holds_back !=
              heldback_is_set(&mc->heap->heldback, mcentral_heldback_bit(mc));
    return nwrong;
}
