// mcentral_hold.h: takes spans out of the lists of their class while their
// holes are released (holes.h).
#ifndef MOUND_HEAP_MCENTRAL_HOLD_H
#define MOUND_HEAP_MCENTRAL_HOLD_H

#include "heap/mcentral.h"

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

#endif // MOUND_HEAP_MCENTRAL_HOLD_H
