// spanlists.c: see spanlists.h.
#include "heap/spanlists.h"

COLD void spanlists_init(struct spanlists *ls) {
    for (int i = 0; i < PARTIAL_LISTS; i++)
        list_init(&ls->partial[i]);
    list_init(&ls->empty);
    list_init(&ls->hollow);
    ls->partial_mask = 0;
    ls->nempty = 0;
}

static unsigned bucket_of(const struct mspan *s) {
    unsigned nbacked = s->nfree - s->nhollow;
    if (s->nfree == 0)
        return SPANLISTS_NONE;
    if (s->nfree == s->nelems)
        return SPANLISTS_EMPTY;
    return nbacked == 0 ? SPANLISTS_HOLLOW
                        : 31 - (unsigned)__builtin_clz(nbacked);
}

static void take_out(struct spanlists *ls, struct mspan *s) {
    list_remove(&s->link);
    if (s->bucket < PARTIAL_LISTS && list_empty(&ls->partial[s->bucket]))
        ls->partial_mask &= (uint16_t) ~(1u << s->bucket);
    if (s->bucket == SPANLISTS_EMPTY)
        ls->nempty--;
}

NOINLINE void spanlists_put_slow(struct spanlists *ls, struct mspan *s) {
    unsigned bucket = bucket_of(s);
    if (bucket == s->bucket || s->bucket == SPANLISTS_HANDS)
        return;
    take_out(ls, s);
    if (bucket < PARTIAL_LISTS) {
        list_push(&ls->partial[bucket], &s->link);
        ls->partial_mask |= (uint16_t)(1u << bucket);
    } else if (bucket == SPANLISTS_EMPTY) {
        list_push(&ls->empty, &s->link);
        ls->nempty++;
    } else if (bucket == SPANLISTS_HOLLOW) {
        list_push(&ls->hollow, &s->link);
    }
    s->bucket = (uint8_t)bucket;
}

void spanlists_hold(struct spanlists *ls, struct mspan *s) {
    take_out(ls, s);
    s->bucket = SPANLISTS_HANDS;
}

struct mspan *spanlists_fullest_of_lines(struct spanlists *ls) {
    uint32_t mask = ls->partial_mask & ~word_range(0, 3);
    if (mask != 0)
        return spanlists_span(ls->partial[__builtin_ctz(mask)].next);
    if (!list_empty(&ls->empty))
        return spanlists_span(ls->empty.next);
    return NULL;
}

unsigned spanlists_verify(const struct spanlists *ls,
                          const struct mcentral *home) {
    unsigned nwrong = 0;
    uint32_t nempty = 0;
    for (unsigned i = 0; i < PARTIAL_LISTS; i++) {
        const struct list *head = &ls->partial[i];
        nwrong += list_empty(head) == (ls->partial_mask >> i & 1);
        for (struct list *l = head->next; l != head; l = l->next) {
            struct mspan *s = spanlists_span(l);
            nwrong +=
                s->bucket != i || bucket_of(s) != i || mspan_home(s) != home;
        }
    }
    for (struct list *l = ls->empty.next; l != &ls->empty; l = l->next) {
        struct mspan *s = spanlists_span(l);
        nwrong += s->nfree != s->nelems || mspan_home(s) != home;
        nempty++;
    }
    nwrong += nempty != ls->nempty;
    for (struct list *l = ls->hollow.next; l != &ls->hollow; l = l->next) {
        struct mspan *s = spanlists_span(l);
        nwrong += bucket_of(s) != SPANLISTS_HOLLOW || mspan_home(s) != home;
    }
    return nwrong;
}
