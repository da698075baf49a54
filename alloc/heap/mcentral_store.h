// mcentral_store.h: slots of a class in and out of its store, under its lock.
//
// The transfer store of a class holds at most 2048 slots and at most 512 KiB,
// as many bytes as the largest magazine of slots up to a page. It does not
// raise the peak: its slots are taken back before fresh memory is touched
// (heldback.h).
#ifndef MOUND_HEAP_MCENTRAL_STORE_H
#define MOUND_HEAP_MCENTRAL_STORE_H

#include "heap/mcentral.h"
#include "heap/mheap.h"

// mcentral_take_locked moves up to want free slots to ret and returns how many;
// 0 means that the class has none and the caller should call mcentral_grow. The
// addresses descend, so that a magazine filled with them hands out the lowest
// first.
size_t mcentral_take_locked(struct mcentral *mc, void **ret, size_t want);

// mcentral_take_lines_locked is the same for the first slots of a thread: they
// share no cache line with another's. It may return 0 where the other would not.
size_t mcentral_take_lines_locked(struct mcentral *mc, void *ret[LINE_SLOTS]);

// mcentral_store_locked moves n slots, all of one magazine, to the transfer
// store if it has room for them (mcentral_room_locked). The slots are not
// checked until they return to their spans. It returns false, with nothing
// changed, if there is no room, or no memory for a store.
bool mcentral_store_locked(struct mcentral *mc, void *const *slots, size_t n);
size_t mcentral_room_locked(const struct mcentral *mc);

// mcentral_is_live says whether p is a slot of this class that is not free, nor
// among those that came back last. It may be in the magazine of some thread. Takes the
// lock.
bool mcentral_is_live(struct mcentral *mc, void *p);

// mcentral_slack_locked returns how many bytes of free slots the class has, less
// those of pages that were given back, and notes the call.
uint64_t mcentral_slack_locked(struct mcentral *mc);

// mcentral_regained_locked counts bytes of released holes that are in use
// again.
void mcentral_regained_locked(struct mcentral *mc, uint64_t nbytes);

// mcentral_fresh_now returns how much memory the heap touched for the first time.
static inline uint64_t mcentral_fresh_now(const struct mcentral *mc) {
    return atomic_load_explicit(&mc->heap->fresh_bytes, memory_order_relaxed);
}

// A class holds back memory that others could use if its store has 16 KiB or
// more, or if more than 1/16 of its spans are empty (its last growth added
// 1/16, which are about to be used). mcentral_note_held_locked sets its bit in
// mheap.heldback after slots came back. Taking slots and growing do not update
// the bit: a wrong one costs one visit.
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
