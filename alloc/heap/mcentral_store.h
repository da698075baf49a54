// mcentral_store.h: slots of a class in and out of its store, under its lock.
//
// The transfer store of a class holds 2048 slots, and 512 KiB of them, at most: as many
// bytes as the largest magazine of slots up to a page. What it holds does not make the
// peak higher, for it is taken back before fresh memory is touched (heldback.h).
#ifndef MOUND_HEAP_MCENTRAL_STORE_H
#define MOUND_HEAP_MCENTRAL_STORE_H

#include "heap/mcentral.h"
#include "heap/mheap.h"

// mcentral_take_locked moves up to want free slots to ret and returns how many;
// 0 means that the class has none and mcentral_grow is due. The addresses
// descend, so that a magazine filled with them hands out the lowest first.
size_t mcentral_take_locked(struct mcentral *mc, void **ret, size_t want);

// mcentral_take_lines_locked is the same for the first slots of a thread: they
// share no cache line with another's. It may return 0 where the other would not.
size_t mcentral_take_lines_locked(struct mcentral *mc, void *ret[LINE_SLOTS]);

// mcentral_store_locked keeps n slots, all from one magazine, in the transfer
// store if there is room: for mcentral_room_locked of them. Nothing is checked: they
// are looked at when taken apart. It returns false, with nothing changed, if there is
// no room, or no memory for a store.
bool mcentral_store_locked(struct mcentral *mc, void *const *slots, size_t n);
size_t mcentral_room_locked(const struct mcentral *mc);

// mcentral_is_live says whether p is a slot of this class that is not free, nor
// among those that came back last. It may be in the magazine of some thread. Takes the
// lock.
bool mcentral_is_live(struct mcentral *mc, void *p);

// mcentral_slack_locked returns how many bytes of free slots the class has, less
// those of pages that were given back, and notes the call.
uint64_t mcentral_slack_locked(struct mcentral *mc);

// mcentral_regained_locked counts bytes of holes that are none any more.
void mcentral_regained_locked(struct mcentral *mc, uint64_t nbytes);

// mcentral_fresh_now returns how much memory the heap touched for the first time.
static inline uint64_t mcentral_fresh_now(const struct mcentral *mc) {
    return atomic_load_explicit(&mc->heap->fresh_bytes, memory_order_relaxed);
}

// A class holds back what others could use if its store has 16 KiB or more, so that a
// visit is worth it, or if more than 1/16 of its spans are empty: as many as it got by
// its last growth, which are about to be used. Its bit in mheap.heldback says so:
// mcentral_note_held_locked, after slots came back. Those that are taken, or new,
// change nothing: a bit too many costs one visit.
enum { MCENTRAL_HELD_BYTES = 16 << 10, MCENTRAL_GROW_SHARE = 16 };
static inline bool mcentral_stores_much(const struct mcentral *mc) {
    return (size_t)mc->ntransfer * mc->elemsize >= MCENTRAL_HELD_BYTES;
}
static inline uint32_t mcentral_grown_keep(const struct mcentral *mc) {
    return (uint32_t)(mc->stats->nspans / MCENTRAL_GROW_SHARE);
}
static inline unsigned mcentral_heldback_bit(const struct mcentral *mc) {
    return mc->sizeclass + (mc->sampled ? NUM_SIZECLASSES : 0u);
}
void mcentral_set_held_locked(struct mcentral *mc, bool held);
static inline void mcentral_note_held_locked(struct mcentral *mc) {
    bool held =
        mcentral_stores_much(mc) || mc->lists.nempty > mcentral_grown_keep(mc);
    if (UNLIKELY(held != mc->holds_back))
        mcentral_set_held_locked(mc, held);
}

#endif // MOUND_HEAP_MCENTRAL_STORE_H
