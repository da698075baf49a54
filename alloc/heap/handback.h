// handback.h: slots of a magazine on their way to the store of their class.
//
// Many at once go to the transfer store, as far as that has room, in one copy: they are
// not looked at. The others go to their spans, where misuse is seen.
#ifndef MOUND_HEAP_HANDBACK_H
#define MOUND_HEAP_HANDBACK_H

#include "heap/magazine.h"

// handback_older moves the n oldest slots of a magazine to its class. Cost: one lock if
// the store has room for all; else one more for each piece of 32 slots or more. Of more
// than 256 that are to be taken apart, those that stay go to the bottom first: else they
// would move up at each piece.
void handback_older(struct magazine *m, struct magazine_shape *shape,
                    struct mcentral *mc, size_t n);

// handback_some gives some of n slots of a magazine, from one on, back to their spans,
// and returns how many: one or more.
size_t handback_some(struct magazine *m, struct magazine_shape *shape,
                     struct mcentral *mc, void **from, size_t n);

// handback_store_locked moves the n oldest slots to the transfer store, all or none, and
// says whether it did: not where one of them is no slot, which is found when they are
// looked at one by one.
bool handback_store_locked(struct magazine *m, struct mcentral *mc, size_t n);

#endif // MOUND_HEAP_HANDBACK_H
