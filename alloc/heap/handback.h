// handback.h: gives slots of a magazine back to the store of their class.
//
// Batches go to the transfer store in one copy, unchecked, as far as it has
// room. The others go to their spans, where misuse is detected.
#ifndef MOUND_HEAP_HANDBACK_H
#define MOUND_HEAP_HANDBACK_H

#include "heap/magazine.h"

// handback_older moves the n oldest slots of a magazine to its class. Cost: one
// lock if the store has room for all; else one more for each piece of at least
// 32 slots. If more than 256 go to their spans, the slots that stay are first
// moved to the bottom: otherwise they would be moved for each piece.
void handback_older(struct magazine *m, struct magazine_shape *shape,
                    struct mcentral *mc, size_t n);

// handback_some gives the first of n slots at from in a magazine back to their
// spans, and returns how many: at least one.
size_t handback_some(struct magazine *m, struct magazine_shape *shape,
                     struct mcentral *mc, void **from, size_t n);

// handback_store_locked moves the n oldest slots to the transfer store, all or
// none, and says whether it did. It does not if one is not aligned like a slot:
// the check slot by slot then reports it.
bool handback_store_locked(struct magazine *m, struct mcentral *mc, size_t n);

#endif // MOUND_HEAP_HANDBACK_H
