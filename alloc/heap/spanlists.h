// spanlists.h: the spans of one class in lists by how many slots of them are free, so
// that a refill draws from the fullest, and the others can drain and become free whole.
// No lock of its own: that of the class.
#ifndef MOUND_HEAP_SPANLISTS_H
#define MOUND_HEAP_SPANLISTS_H

#include "base/list.h"
#include "heap/mspan.h"

enum {
    // List i of partial has spans with 2^i to 2^(i+1) - 1 slots that are free and have
    // memory, and of MAX_SLOTS at most all but one are.
    PARTIAL_LISTS = 10,
    // Where else a span can be: mspan.bucket says.
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

// spanlists_put puts a span whose slots came or went into the list that is right for
// it: mostly the one it is in. One in hands stays there. spanlists_add adds a span that
// is in no list.
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

// spanlists_take_empty takes the empty span that is so for the longest time; there is
// one.
static inline struct mspan *spanlists_take_empty(struct spanlists *ls) {
    struct mspan *s = spanlists_span(ls->empty.prev);
    list_remove(&s->link);
    ls->nempty--;
    return s;
}

// spanlists_fullest returns the span with the fewest slots that are free and have
// memory, within a factor of two; an empty one if there is no such, and one whose slots
// have none last. Or NULL.
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

// spanlists_fullest_of_lines is the same of those with 8 or more slots, for whole cache
// lines of them.
struct mspan *spanlists_fullest_of_lines(struct spanlists *ls);

// spanlists_verify returns the number of contradictions.
unsigned spanlists_verify(const struct spanlists *ls,
                          const struct mcentral *home);

#endif // MOUND_HEAP_SPANLISTS_H
