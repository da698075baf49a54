// mcentral.h: tier 2, the store of one size class that all threads share. See
// alloc/malloc.c for the tour.
//
// Slots that come back together are first kept together, in the transfer store:
// passing n slots on costs one copy of n pointers. What overflows it is taken
// apart: each slot's bit is set in its span. Spans are listed by their number
// of free slots, and a refill draws from the fullest ones, so that the others
// can drain and go back to mheap whole.
#ifndef MOUND_HEAP_MCENTRAL_H
#define MOUND_HEAP_MCENTRAL_H

#include "base/mutex.h"
#include "heap/apart.h"
#include "heap/heapstats.h"
#include "heap/mspan.h"

enum {
    TRANSFER_SLOTS = 2048, // the store holds so many pointers
    NEWEST_SLOTS = 64,     // of them that a check looks at
    // Lists of partial spans: list i has spans with 2^i to 2^(i+1) - 1 free, and
    // of MAX_SLOTS at most all but one are.
    PARTIAL_LISTS = 10,
};

struct mheap;

// struct mcentral: a span of the class is in the list that its number of free
// slots with memory says, in `empty` when all are free, in `hollow` when those that
// are have none, and in no list when none is free or the scavenger holds it.
//   (c) constant after mcentral_init   (l) lock
struct mcentral {
    struct mutex lock;        // rank LOCKRANK_MCENTRAL
    struct mheap *heap;       // (c)
    struct classstats *stats; // (l) what it points to
    uint32_t elemsize;        // (c)
    uint16_t sizeclass;       // (c)
    bool sampled;             // (c) for sampled objects: see mheap.h
    bool forgotten;           // (l) lists and counts are to be rebuilt
    bool holds_back;          // (l) its bit in mheap.heldback
    uint8_t patience;         // (l) see mcentral_store_locked
    uint16_t ntransfer;       // (l) pointers in transfer
    uint16_t partial_mask;    // (l) bit i: partial[i] is not empty
    uint32_t nempty;          // (l) spans in empty
    uint64_t activity;        // (l) rises with each visit
    uint64_t activity_seen;   // (l) as mcentral_drain_idle last saw it
    uint64_t fresh_seen; // (l) mheap.fresh_bytes when slots were last taken
    void **transfer;     // (l) TRANSFER_SLOTS pointers, or NULL yet
    struct list partial[PARTIAL_LISTS]; // (l)
    struct list empty;                  // (l) all slots free: a small reserve
    struct list hollow;  // (l) some free, all of them on released pages
    uint64_t nfree_seen; // (l) stats->nfree at the last mcentral_slack_locked
} CACHELINE_ALIGNED;

void mcentral_init(struct mcentral *mc, struct mheap *heap,
                   struct classstats *stats, unsigned sizeclass);

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

// Slots go back to their spans in three steps. mcentral_find, without the lock, takes on
// as many of n slots as it can and returns how many. mcentral_put_locked sets their bits,
// and returns how many of them it has dealt with: at least one, and fewer only if many
// were misused. mcentral_put_rest, once the lock is free, gives the spans that are empty
// beyond a small reserve to mheap, and reports what is no slot or was free already,
// which is dropped. It is the one that goes deep: struct apart, which is large, should
// be off the stack by then.
struct giveback {
    struct misused misused;
    struct list retired;
    bool much; // was freed since holes were last looked for
};
size_t mcentral_find(const struct mcentral *mc, void *const *slots, size_t n,
                     struct apart *ret);
size_t mcentral_put_locked(struct mcentral *mc, void *const *slots,
                           const struct apart *apart, struct giveback *ret);
void mcentral_put_rest(struct mcentral *mc, struct giveback *rest);

// mcentral_give_back does the three for n slots.
void mcentral_give_back(struct mcentral *mc, void *const *slots, size_t n);

// mcentral_is_live says whether p is a slot of this class that is not free, nor
// among those that came back last. It may be in the magazine of some thread.
bool mcentral_is_live(struct mcentral *mc, void *p);

// mcentral_grow gets more spans from mheap. It returns false when there is no
// memory. Call it without the lock.
bool mcentral_grow(struct mcentral *mc);

// mcentral_drain takes the transfer store apart and returns the reserve of
// empty spans. mcentral_drain_idle does a step of that, if nobody came since its
// last call, and says whether there may be more to do. mcentral_drain_held does a step
// for somebody who is about to touch fresh memory, if that is worth it: see heldback.h.
void mcentral_drain(struct mcentral *mc);
bool mcentral_drain_idle(struct mcentral *mc);
void mcentral_drain_held(struct mcentral *mc);

// mcentral_alloc_one and mcentral_free_one serve those without a cache: threads
// that are past their end, and everybody in hardened mode.
void *mcentral_alloc_one(struct mcentral *mc);

// mcentral_sample_put notes what prof/ knows of an object that
// mcentral_alloc_one of a store of sampled objects returned.
// mcentral_sample_take takes it back, once: NULL says that p is no such object,
// or was freed before.
void mcentral_sample_put(struct mcentral *mc, void *p, void *sample);
void *mcentral_sample_take(struct mcentral *mc, void *p);

void mcentral_free_one(struct mcentral *mc, void *p);

// mcentral_slack_locked returns how many bytes of free slots the class has, less
// those of pages that were given back, and notes that it was asked.
uint64_t mcentral_slack_locked(struct mcentral *mc);

// mcentral_hold_locked returns the holes of a partial span of the class (see
// mspan_holes) if there are any and: HOLD_IDLE, none of its slots came or went since
// the last such call (MCENTRAL_WARM: one did); HOLD_UNUSED, no slot of the class was
// taken while the heap touched the last mheap_unused_bytes for the first time;
// HOLD_ANY, in any case. Else 0. With holes, the span is in no
// list then: its slots can be freed, but none is taken until mcentral_unhold_locked,
// which notes what of the holes was released, or that the system refused to.
enum mcentral_hold { HOLD_IDLE, HOLD_UNUSED, HOLD_ANY };
enum { MCENTRAL_WARM = 1u << 31 };
uint32_t mcentral_hold_locked(struct mcentral *mc, struct mspan *s,
                              enum mcentral_hold kind);
void mcentral_unhold_locked(struct mcentral *mc, struct mspan *s,
                            uint32_t released, bool refused);

// mcentral_forget_locked makes the lists empty and the counts zero, and
// mcentral_relist_locked adds a span of the class by its bits: together they
// rebuild a store whose owner ceased to exist in the middle of a change. What
// was in the transfer store is leaked.
void mcentral_forget_locked(struct mcentral *mc);
void mcentral_relist_locked(struct mcentral *mc, struct mspan *s);

// mcentral_verify_locked returns the number of contradictions in the lists.
unsigned mcentral_verify_locked(struct mcentral *mc);

#endif // MOUND_HEAP_MCENTRAL_H
