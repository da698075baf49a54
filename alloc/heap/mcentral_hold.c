// mcentral_hold.c: see mcentral_hold.h.
#include "heap/mcentral_hold.h"

#include "heap/mcentral_store.h"
#include "heap/mheap.h"

uint32_t mcentral_hold_locked(struct mcentral *mc, struct mspan *s,
                              enum mcentral_hold kind) {
    mutex_assert_held(&mc->lock);
    if (s->bucket >= PARTIAL_LISTS ||
        (kind == HOLD_UNUSED && mcentral_fresh_now(mc) - mc->fresh_seen <
                                    mheap_unused_bytes(mc->heap)))
        return 0;
    uint32_t holes = mspan_holes(s);
    if (holes == 0)
        return 0;
    if (s->warm > 0 && kind == HOLD_IDLE) {
        s->warm--;
        return MCENTRAL_WARM;
    }
    // Its release was refused recently.
    if (s->warm > 1 && kind == HOLD_UNUSED)
        return 0;
    spanlists_hold(&mc->lists, s);
    return holes;
}

void mcentral_unhold_locked(struct mcentral *mc, struct mspan *s,
                            uint32_t released, bool refused) {
    mutex_assert_held(&mc->lock);
    enum { REFUSED_WALKS = 16 };
    if (s->bucket != SPANLISTS_HANDS)
        return;
    mspan_set_released(s, released);
    mc->stats->hole_bytes += mspan_bytes_of(released);
    spanlists_add(&mc->lists, s);
    s->warm = refused ? REFUSED_WALKS : 0;
}
