// mcentral_drain.c: see mcentral_drain.h.
#include "heap/mcentral_drain.h"

#include <string.h>

#include "heap/mcentral_giveback.h"
#include "heap/mcentral_store.h"

// put_stored_locked returns some stored slots to their spans. It looks spans up
// under the lock, at most APART_PIECES times.
static NOINLINE void put_stored_locked(struct mcentral *mc,
                                       struct giveback *ret) {
    struct apart apart;
    size_t n = min_size(mc->ntransfer, APART_SLOTS);
    void **slots = mc->transfer + mc->ntransfer - n;
    mcentral_find(mc, slots, n, &apart);
    size_t now = mcentral_put_locked(mc, slots, &apart, ret);
    memmove(slots, slots + now, (n - now) * sizeof *slots);
    mc->ntransfer = (uint16_t)(mc->ntransfer - now);
    mc->stats->ntransfer -= now;
}

// drain_step_locked returns some stored slots to their spans if stores is true,
// else some empty spans beyond keep to mheap; it says whether there is more.
static bool drain_step_locked(struct mcentral *mc, bool stores, uint32_t keep,
                              struct giveback *ret) {
    bool more = true;
    *ret = (struct giveback){.much = false};
    list_init(&ret->retired);
    if (stores)
        put_stored_locked(mc, ret);
    else
        more = mcentral_retire_locked(mc, keep, &ret->retired);
    mcentral_note_held_locked(mc);
    return more;
}

static bool drain_step(struct mcentral *mc) {
    struct giveback rest;
    mutex_lock(&mc->lock);
    bool more = drain_step_locked(mc, mc->ntransfer > 0, 0, &rest);
    mutex_unlock(&mc->lock);
    mcentral_put_rest(mc, &rest);
    return more;
}

void mcentral_drain(struct mcentral *mc) {
    while (drain_step(mc))
        ;
}

bool mcentral_drain_idle(struct mcentral *mc) {
    mutex_lock(&mc->lock);
    bool idle = mc->activity == mc->activity_seen;
    mc->activity_seen = mc->activity;
    bool something = mc->ntransfer > 0 || mc->lists.nempty > 0;
    mutex_unlock(&mc->lock);
    return idle && something && drain_step(mc);
}

void mcentral_drain_held(struct mcentral *mc) {
    struct giveback rest;
    mutex_lock(&mc->lock);
    drain_step_locked(mc, mcentral_stores_much(mc), mcentral_grown_keep(mc),
                      &rest);
    mutex_unlock(&mc->lock);
    mcentral_put_rest(mc, &rest);
}
