// mcentral_store.c: see mcentral_store.h.
#include "heap/mcentral_store.h"

#include <string.h>

#include "heap/pagemap.h"

enum {
    TRANSFER_BYTES = 512 << 10, // of slots, in the store of a class
    PATIENCE = 200, // batches until memory for the store is requested again
    // A refill does not walk more spans than this for a full batch: with one
    // free slot each, every one of them would cost a cache miss.
    REFILL_SPANS = 8,
};

void mcentral_regained_locked(struct mcentral *mc, uint64_t nbytes) {
    mc->stats->hole_bytes -= nbytes;
    atomic_fetch_add_explicit(&mc->heap->holes_regained, nbytes,
                              memory_order_relaxed);
}

// count_used counts the holes of a span whose pages are used again.
static void count_used(struct mcentral *mc, const struct mspan *s,
                       uint32_t released) {
    if (UNLIKELY(released != s->released))
        mcentral_regained_locked(mc, mspan_bytes_of(released & ~s->released));
}

size_t mcentral_take_locked(struct mcentral *mc, void **ret, size_t want) {
    mutex_assert_held(&mc->lock);
    mc->activity++;
    mc->fresh_seen = mcentral_fresh_now(mc);
    if (mc->ntransfer > 0) {
        size_t n = min_size(want, mc->ntransfer);
        mc->ntransfer = (uint16_t)(mc->ntransfer - n);
        mc->stats->ntransfer -= n;
        memcpy(ret, mc->transfer + mc->ntransfer, n * sizeof *ret);
        return n;
    }
    // From the end, so that the lowest slot of the fullest span is handed out
    // first.
    size_t n = 0;
    for (int visits = 0; n < want && visits < REFILL_SPANS; visits++) {
        struct mspan *s = spanlists_fullest(&mc->lists);
        if (s == NULL)
            break;
        uint32_t released = s->released;
        n += mspan_take(s, ret + want - n, want - n);
        count_used(mc, s, released);
        spanlists_put(&mc->lists, s);
    }
    mc->stats->nfree -= n;
    if (n < want)
        memmove(ret, ret + want - n, n * sizeof *ret);
    return n;
}

size_t mcentral_take_lines_locked(struct mcentral *mc, void *ret[LINE_SLOTS]) {
    mutex_assert_held(&mc->lock);
    if (mc->elemsize >= LINE_BYTES)
        return 0;
    struct mspan *s = spanlists_fullest_of_lines(&mc->lists);
    if (s == NULL)
        return 0;
    uint32_t released = s->released;
    size_t n = mspan_take_lines(s, ret + LINE_SLOTS);
    count_used(mc, s, released);
    mc->activity++;
    mc->fresh_seen = mcentral_fresh_now(mc);
    mc->stats->nfree -= n;
    spanlists_put(&mc->lists, s);
    return n;
}

// transfer_room returns how many pointers the store may hold.
static size_t transfer_room(const struct mcentral *mc) {
    return min_size(TRANSFER_BYTES / mc->elemsize, TRANSFER_SLOTS);
}

size_t mcentral_room_locked(const struct mcentral *mc) {
    return transfer_room(mc) - mc->ntransfer;
}

void mcentral_set_held_locked(struct mcentral *mc, bool held) {
    mc->holds_back = held;
    heldback_set(&mc->heap->heldback, mcentral_heldback_bit(mc), held);
}

bool mcentral_store_locked(struct mcentral *mc, void *const *slots, size_t n) {
    mutex_assert_held(&mc->lock);
    mc->activity++;
    if (n > mcentral_room_locked(mc))
        return false;
    if (mc->transfer == NULL) {
        // Without memory, each attempt costs a system call that fails.
        if (mc->patience > 0) {
            mc->patience--;
            return false;
        }
        mc->transfer = persistentalloc(
            &mc->heap->persistent, TRANSFER_SLOTS * sizeof *mc->transfer,
            sizeof *mc->transfer, &mc->heap->other_sys);
        if (mc->transfer == NULL) {
            mc->patience = PATIENCE;
            return false;
        }
    }
    memcpy(mc->transfer + mc->ntransfer, slots, n * sizeof *slots);
    mc->ntransfer = (uint16_t)(mc->ntransfer + n);
    mc->stats->ntransfer += n;
    mcentral_note_held_locked(mc);
    return true;
}

bool mcentral_is_live(struct mcentral *mc, void *p) {
    struct mspan *s = pagemap_span(&mc->heap->pagemap, (uintptr_t)p);
    if (s == NULL)
        return false;
    mutex_lock(&mc->lock);
    // A span stays in its class while the lock is held.
    unsigned slot =
        mspan_home(s) == mc ? mspan_slot_of(s, (uintptr_t)p) : SLOT_NONE;
    bool live = slot != SLOT_NONE && !mspan_is_free(s, slot);
    size_t few = min_size(mc->ntransfer, NEWEST_SLOTS);
    for (size_t i = 1; live && i <= few; i++)
        live = mc->transfer[mc->ntransfer - i] != p;
    mutex_unlock(&mc->lock);
    return live;
}

uint64_t mcentral_slack_locked(struct mcentral *mc) {
    const struct classstats *st = mc->stats;
    mc->nfree_seen = st->nfree;
    uint64_t nbytes = st->nfree * mc->elemsize;
    return nbytes > st->hole_bytes ? nbytes - st->hole_bytes : 0;
}
