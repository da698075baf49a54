// mcentral_rebuild.h: the lists and counts of a class anew, from the bits of its spans;
// and whether they hold.
#ifndef MOUND_HEAP_MCENTRAL_REBUILD_H
#define MOUND_HEAP_MCENTRAL_REBUILD_H

#include "heap/mcentral.h"

// mcentral_forget_locked makes the lists empty and the counts zero, and
// mcentral_relist_locked adds a span of the class by its bits: together they
// rebuild a store whose owner ceased to exist in the middle of a change. What
// was in the transfer store is leaked.
void mcentral_forget_locked(struct mcentral *mc);
void mcentral_relist_locked(struct mcentral *mc, struct mspan *s);

// mcentral_verify_locked returns the number of contradictions in the lists.
unsigned mcentral_verify_locked(struct mcentral *mc);

#endif // MOUND_HEAP_MCENTRAL_REBUILD_H
