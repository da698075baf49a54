// mcentral_giveback.h: slots back to the spans they are of, and spans that are empty
// back to mheap, but for a small reserve: 1/16 of the class's spans, and one where it is
// of 16 KiB or less or for sampled objects.
#ifndef MOUND_HEAP_MCENTRAL_GIVEBACK_H
#define MOUND_HEAP_MCENTRAL_GIVEBACK_H

#include "heap/apart.h"
#include "heap/mcentral.h"
#include "heap/mheap.h"

// Slots go back to their spans in three steps. mcentral_find, without the lock, takes on
// as many of n slots as it can and returns how many. mcentral_put_locked sets their bits,
// and returns how many of them it has dealt with: at least one, and fewer only if many
// were misused. mcentral_put_rest, once the lock is free, gives the spans that are empty
// beyond the reserve to mheap, and reports what is no slot or was free already,
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

// mcentral_free_one does it for one, of those without a cache: threads that are past
// their end, and everybody in hardened mode.
void mcentral_free_one(struct mcentral *mc, void *p);

// mcentral_retire_locked takes up to 64 empty spans out of the class, down to keep, for
// mcentral_put_rest, and says whether there are more.
bool mcentral_retire_locked(struct mcentral *mc, uint32_t keep,
                            struct list *retired);

#endif // MOUND_HEAP_MCENTRAL_GIVEBACK_H
