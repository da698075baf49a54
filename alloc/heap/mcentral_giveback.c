// mcentral_giveback.c: see mcentral_giveback.h.
#include "heap/mcentral_giveback.h"

#include "heap/mcentral_sample.h"
#include "heap/mcentral_store.h"
#include "heap/scavenger_help.h"
#include "heap/spanfree.h"

enum {
    RETIRE_SPANS = 64, // under one lock
    EMPTY_SHARE = 16,  // the reserve: 1/16 of the class's spans
};

// retire_span_locked removes an empty span from the class; mheap gets it after
// the lock is released. The class byte is cleared first, so that no free finds
// the span.
static void retire_span_locked(struct mcentral *mc, struct list *retired) {
    struct mspan *s = spanlists_take_empty(&mc->lists);
    mc->stats->nslots -= s->nelems;
    mc->stats->nfree -= s->nelems;
    mc->stats->nspans--;
    // Its pages will be used again: releasing its holes did not pay off.
    if (s->released != 0)
        mcentral_regained_locked(mc, mspan_bytes_of(s->released));
    pagemap_clear(&mc->heap->pagemap, s);
    atomic_store_explicit(&s->home, NULL, memory_order_relaxed);
    atomic_store_explicit(&s->state, MSPAN_DEAD, memory_order_relaxed);
    list_push(retired, &s->link);
}

bool mcentral_retire_locked(struct mcentral *mc, uint32_t keep,
                            struct list *retired) {
    for (int i = 0; i < RETIRE_SPANS && mc->lists.nempty > keep; i++)
        retire_span_locked(mc, retired);
    return mc->lists.nempty > keep;
}

static void free_retired(struct mheap *heap, struct list *retired) {
    while (!list_empty(retired)) {
        struct mspan *s = spanlists_span(retired->next);
        list_remove(&s->link);
        if (s->samples != NULL)
            mcentral_free_samples(heap, s);
        mheap_free_span(heap, s);
    }
}

// empty_reserve returns how many empty spans a class keeps: a share of all, and
// one where that costs little. Larger ones serve other classes meanwhile; a
// small process has many classes and few objects in each.
static uint32_t empty_reserve(const struct mcentral *mc) {
    enum { ONE_BYTES = 16 << 10 };
    // Sampled objects come and go one by one.
    bool one =
        mc->sampled || sizeclass_pages[mc->sizeclass] <= ONE_BYTES / PAGE_SIZE;
    return (uint32_t)(mc->stats->nspans / EMPTY_SHARE) + one;
}

// freed_much_locked says whether much was freed since the last search for
// holes.
static bool freed_much_locked(const struct mcentral *mc) {
    enum { MUCH_BYTES = 4 << 20 };
    int64_t more = (int64_t)(mc->stats->nfree - mc->nfree_seen);
    return more * (int64_t)mc->elemsize >= MUCH_BYTES;
}

size_t mcentral_find(const struct mcentral *mc, void *const *slots, size_t n,
                     struct apart *ret) {
    return apart_find(ret, &mc->heap->pagemap, mc, mc->sizeclass, slots, n);
}

// put_each_locked is mcentral_put_locked for a piece with a misused slot.
static COLD size_t put_each_locked(struct mcentral *mc,
                                   const struct piece *piece,
                                   void *const *slots, size_t i,
                                   struct misused *misused) {
    i = apart_set_each_locked(piece, mc, slots, i, misused);
    if (piece->span != NULL && mspan_home(piece->span) == mc)
        spanlists_put(&mc->lists, piece->span);
    return i;
}

size_t mcentral_put_locked(struct mcentral *mc, void *const *slots,
                           const struct apart *apart, struct giveback *ret) {
    mutex_assert_held(&mc->lock);
    const struct piece *piece = apart->pieces;
    const struct piece *end = piece + apart->npieces;
    size_t n = 0;
    ret->misused.n = 0;
    list_init(&ret->retired);
    for (; piece < end; piece++) {
        if (UNLIKELY(!apart_set_locked(piece, mc, n))) {
            n = put_each_locked(mc, piece, slots, n, &ret->misused);
            if (ret->misused.n == APART_MISUSED)
                break;
            continue;
        }
        n = piece->end;
        if (piece[1].span != piece->span)
            spanlists_put(&mc->lists, piece->span);
    }
    mc->stats->nfree += n - ret->misused.n;
    mcentral_retire_locked(mc, empty_reserve(mc), &ret->retired);
    mcentral_note_held_locked(mc);
    ret->much = freed_much_locked(mc);
    return n;
}

void mcentral_put_rest(struct mcentral *mc, struct giveback *rest) {
    free_retired(mc->heap, &rest->retired);
    for (unsigned i = 0; i < rest->misused.n; i++)
        mheap_report_misuse(mc->heap, rest->misused.slots[i]);
    if (UNLIKELY(rest->much))
        scavenger_holes_made(mc->heap);
}

static NOINLINE size_t put(struct mcentral *mc, void *const *slots, size_t n,
                           struct giveback *ret) {
    struct apart apart;
    mcentral_find(mc, slots, n, &apart);
    mutex_lock(&mc->lock);
    n = mcentral_put_locked(mc, slots, &apart, ret);
    mutex_unlock(&mc->lock);
    return n;
}

void mcentral_give_back(struct mcentral *mc, void *const *slots, size_t n) {
    struct giveback rest;
    while (n > 0) {
        size_t now = put(mc, slots, n, &rest);
        mcentral_put_rest(mc, &rest);
        slots += now;
        n -= now;
    }
}

void mcentral_free_one(struct mcentral *mc, void *p) {
    mcentral_give_back(mc, &p, 1);
}
