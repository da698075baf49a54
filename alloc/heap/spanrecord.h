// spanrecord.h: where the records of spans come from, and a walk over all that are
// live.
#ifndef MOUND_HEAP_SPANRECORD_H
#define MOUND_HEAP_SPANRECORD_H

#include "heap/mheap.h"

// spanrecord_alloc_locked returns a record with bits for nelems slots, in no list; or
// NULL. The caller owns it. All calls need mheap.lock.
struct mspan *spanrecord_alloc_locked(struct mheap *h, unsigned nelems);
void spanrecord_free_locked(struct mheap *h, struct mspan *s);

// mheap_for_each_span_locked calls visit for every span that is not dead. Cost: one
// step for each record there ever was.
void mheap_for_each_span_locked(struct mheap *h,
                                void (*visit)(struct mspan *s, void *arg),
                                void *arg);

#endif // MOUND_HEAP_SPANRECORD_H
