// reservations.h: the address ranges that a heap has reserved, for outside
// readers that split the memory of a process by address. Kept only if
// memlimit_watch was called.
#ifndef MOUND_HEAP_RESERVATIONS_H
#define MOUND_HEAP_RESERVATIONS_H

#include "base/compiler.h"

enum { RESERVATIONS_MAX = 40 };

// struct reservations, guarded by mheap.lock: disjoint ranges, unordered. A
// heap grows by pieces directly below the last one, so usually there is one
// range.
struct reservations {
    uint32_t n;
    uint32_t nchanges;
    bool overflow; // there are more
    struct reservation {
        uintptr_t begin;
        uintptr_t end;
    } at[RESERVATIONS_MAX];
};

// reservations_add adds a range that touches others at most at its ends;
// reservations_remove takes away a range, of which all or a part may be there. Cost: a
// step for each that there is.
void reservations_add(struct reservations *r, uintptr_t begin, uintptr_t end);
void reservations_remove(struct reservations *r, uintptr_t begin,
                         uintptr_t end);

#endif // MOUND_HEAP_RESERVATIONS_H
