// spanlists.h: the spans of one class, in lists by their number of free slots,
// so that a refill takes from the fullest spans and the others can become
// empty. Guarded by the lock of the class.
#ifndef MOUND_HEAP_SPANLISTS_H
#define MOUND_HEAP_SPANLISTS_H

#include "base/list.h"
#include "heap/mspan.h"

enum {
    // List i of partial has spans with 2^i to 2^(i+1) - 1 free slots with
    // memory. A partial span has at most MAX_SLOTS - 1.
    PARTIAL_LISTS = 10,
    // Other values of mspan.bucket:
    SPANLISTS_EMPTY = PARTIAL_LISTS, // all slots free
    SPANLISTS_HOLLOW,                // some free, all of them on released pages
    SPANLISTS_NONE,                  // none free
    SPANLISTS_HANDS,                 // of mcentral_hold_locked; in no list
    SPANLISTS_NEW,                   // in no list yet
};

struct spanlists {
    uint32_t nempty;       // spans in empty
    uint16_t partial_mask; // bit i: partial[i] is not empty
    struct list partial[PARTIAL_LISTS];
    struct list empty;
    struct list hollow;
};

void spanlists_init(struct spanlists *ls);

static inline struct mspan *spanlists_span(struct list *link) {
    return list_entry(link, struct mspan, link);
}

// spanlists_put moves a span whose slots were taken or freed to its right list,
// usually the one it is in; a span held by spanlists_hold stays out.
// spanlists_add adds a span that is in no list.
void spanlists_put_slow(struct spanlists *ls, struct mspan *s);
static inline void spanlists_put(struct spanlists *ls, struct mspan *s) {
    unsigned nbacked = s->nfree - s->nhollow;
    s->warm = 1;
    if (s->bucket >= PARTIAL_LISTS || nbacked >> s->bucket != 1 ||
        s->nfree == s->nelems)
        spanlists_put_slow(ls, s);
}
static inline void spanlists_add(struct spanlists *ls, struct mspan *s) {
    s->bucket = SPANLISTS_NEW;
    spanlists_put(ls, s);
}

// spanlists_hold takes a span out of its list, until spanlists_add.
void spanlists_hold(struct spanlists *ls, struct mspan *s);

// spanlists_take_empty takes the span that has been empty the longest; there
// must be one.
static inline struct mspan *spanlists_take_empty(struct spanlists *ls) {
    struct mspan *s = spanlists_span(ls->empty.prev);
    list_remove(&s->link);
    ls->nempty--;
    return s;
}

// spanlists_fullest returns the span with the fewest free slots with memory,
// within a factor of two; else an empty span; else one whose free slots have no
// memory; or NULL.
static inline struct mspan *spanlists_fullest(struct spanlists *ls) {
    if (ls->partial_mask != 0)
        return spanlists_span(
            ls->partial[__builtin_ctz(ls->partial_mask)].next);
    if (!list_empty(&ls->empty))
        return spanlists_span(ls->empty.next);
    if (!list_empty(&ls->hollow))
        return spanlists_span(ls->hollow.next);
    return NULL;
}

// spanlists_fullest_of_lines is the same among spans with 8 or more such slots,
// for whole cache lines of slots.
struct mspan *spanlists_fullest_of_lines(struct spanlists *ls);

// spanlists_verify returns the number of contradictions.
unsigned spanlists_verify(const struct spanlists *ls,
                          const struct mcentral *home);

#endif // MOUND_HEAP_SPANLISTS_H
