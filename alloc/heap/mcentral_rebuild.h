// mcentral_rebuild.h: rebuilds the lists and counts of a class from the bits of
// its spans, and verifies them.
#ifndef MOUND_HEAP_MCENTRAL_REBUILD_H
#define MOUND_HEAP_MCENTRAL_REBUILD_H

#include "heap/mcentral.h"

// mcentral_forget_locked empties the lists and sets the counts to zero;
// mcentral_relist_locked adds a span of the class by its bits. Together they
// rebuild a store that a fork found half changed. The slots in the transfer
// store leak.
void mcentral_forget_locked(struct mcentral *mc);
void mcentral_relist_locked(struct mcentral *mc, struct mspan *s);

// mcentral_verify_locked returns the number of contradictions in the lists.
unsigned mcentral_verify_locked(struct mcentral *mc);

#endif // MOUND_HEAP_MCENTRAL_REBUILD_H
