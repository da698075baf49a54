// mcentral_giveback.h: returns slots to their spans, and empty spans to mheap
// except a small reserve: 1/16 of the class's spans, and one more if spans are
// at most 16 KiB or of sampled objects.
#ifndef MOUND_HEAP_MCENTRAL_GIVEBACK_H
#define MOUND_HEAP_MCENTRAL_GIVEBACK_H

#include "heap/apart.h"
#include "heap/mcentral.h"
#include "heap/mheap.h"

// Slots return to their spans in three steps. mcentral_find, without the lock,
// sorts as many of n slots as it can and returns how many. mcentral_put_locked
// sets their bits and returns how many it handled: at least one; fewer than
// found only if many were misused. mcentral_put_rest, after the lock is
// released, gives empty spans beyond the reserve to mheap, and reports and
// drops misused slots. It needs much stack: struct apart, which is large,
// should be off the stack by then.
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

// mcentral_give_back does all three steps for n slots.
void mcentral_give_back(struct mcentral *mc, void *const *slots, size_t n);

// mcentral_free_one does so for one slot of a thread without a cache: one that
// has ended its cache, or any in hardened mode.
void mcentral_free_one(struct mcentral *mc, void *p);

// mcentral_retire_locked removes up to 64 empty spans from the class, down to
// keep, for mcentral_put_rest, and says whether there are more.
bool mcentral_retire_locked(struct mcentral *mc, uint32_t keep,
                            struct list *retired);

#endif // MOUND_HEAP_MCENTRAL_GIVEBACK_H
