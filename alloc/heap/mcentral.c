// mcentral.c: see mcentral.h, and alloc/malloc.c for the tour.
#include "heap/mcentral.h"

#include <string.h>

#include "heap/mheap.h"
#include "heap/scavenger.h"
#include "heap/slotarrays.h"
#include "heap/smallspans.h"

enum {
    // At most so much of a class is kept as whole batches. A larger bound would cost
    // no memory, because the heap takes batches back before it touches fresh memory.
    TRANSFER_BYTES = 512 << 10,
    GROW_SHARE = 16,        // new spans: 1/16 of those the class has
    HELD_BYTES = 16 << 10,  // in the store, to be worth a visit
    GROW_BYTES = 256 << 10, // but no more than this at once
    GROW_SPANS = GROW_BYTES / PAGE_SIZE,
    PATIENCE = 200,    // batches until memory for the store is asked for again
    EMPTY_SHARE = 16,  // the reserve of empty spans: 1/16 of the class's
    RETIRE_SPANS = 64, // under one lock
    // A refill does not walk more spans than this for a full batch: with one
    // free slot each, every one of them would cost a cache miss.
    REFILL_SPANS = 8,
};

void mcentral_init(struct mcentral *mc, struct mheap *heap,
                   struct classstats *stats, unsigned sizeclass) {
    mutex_init(&mc->lock, LOCKRANK_MCENTRAL);
    mc->heap = heap;
    mc->stats = stats;
    mc->sizeclass = (uint16_t)sizeclass;
    mc->elemsize = sizeclass_bytes[sizeclass];
    for (int i = 0; i < PARTIAL_LISTS; i++)
        list_init(&mc->partial[i]);
    list_init(&mc->empty);
    list_init(&mc->hollow);
    stats->elemsize = mc->elemsize;
}

static struct mspan *span_of_link(struct list *link) {
    return list_entry(link, struct mspan, link);
}

// Of a span: its number of slots that are free and have memory says which list of
// partial it is in; or it is in another, or none.
enum {
    IN_EMPTY = PARTIAL_LISTS,
    IN_HOLLOW,
    IN_NONE,
    IN_HANDS, // of mcentral_hold_locked
    NEVER_LISTED,
};

static unsigned bucket_of(const struct mspan *s) {
    unsigned nbacked = s->nfree - s->nhollow;
    if (s->nfree == 0)
        return IN_NONE;
    if (s->nfree == s->nelems)
        return IN_EMPTY;
    return nbacked == 0 ? IN_HOLLOW : 31 - (unsigned)__builtin_clz(nbacked);
}

// unlist takes a span out of the list it is in.
static void unlist(struct mcentral *mc, struct mspan *s) {
    list_remove(&s->link);
    if (s->bucket < PARTIAL_LISTS && list_empty(&mc->partial[s->bucket]))
        mc->partial_mask &= (uint16_t) ~(1u << s->bucket);
    if (s->bucket == IN_EMPTY)
        mc->nempty--;
}

static NOINLINE void relist_slow(struct mcentral *mc, struct mspan *s) {
    unsigned bucket = bucket_of(s);
    if (bucket == s->bucket || s->bucket == IN_HANDS)
        return;
    unlist(mc, s);
    if (bucket < PARTIAL_LISTS) {
        list_push(&mc->partial[bucket], &s->link);
        mc->partial_mask |= (uint16_t)(1u << bucket);
    } else if (bucket == IN_EMPTY) {
        list_push(&mc->empty, &s->link);
        mc->nempty++;
    } else if (bucket == IN_HOLLOW) {
        list_push(&mc->hollow, &s->link);
    }
    s->bucket = (uint8_t)bucket;
}

// relist puts a span whose slots came or went into the list that is right for it:
// mostly the one it is in.
static inline void relist(struct mcentral *mc, struct mspan *s) {
    unsigned nbacked = s->nfree - s->nhollow;
    s->warm = 1;
    if (s->bucket >= PARTIAL_LISTS || nbacked >> s->bucket != 1 ||
        s->nfree == s->nelems)
        relist_slow(mc, s);
}

static struct mspan *fullest(struct mcentral *mc) {
    if (mc->partial_mask != 0)
        return span_of_link(mc->partial[__builtin_ctz(mc->partial_mask)].next);
    if (!list_empty(&mc->empty))
        return span_of_link(mc->empty.next);
    if (!list_empty(&mc->hollow))
        return span_of_link(mc->hollow.next);
    return NULL;
}

// count_regained counts bytes of holes that are none any more.
static void count_regained(struct mcentral *mc, uint64_t nbytes) {
    mc->stats->hole_bytes -= nbytes;
    atomic_fetch_add_explicit(&mc->heap->holes_regained, nbytes,
                              memory_order_relaxed);
}

// count_used corrects what holes gave back after slots of a span were taken that had
// those.
static void count_used(struct mcentral *mc, const struct mspan *s,
                       uint32_t released) {
    if (UNLIKELY(released != s->released))
        count_regained(mc, mspan_bytes_of(released & ~s->released));
}

static uint64_t fresh_now(const struct mcentral *mc) {
    return atomic_load_explicit(&mc->heap->fresh_bytes, memory_order_relaxed);
}

size_t mcentral_take_locked(struct mcentral *mc, void **ret, size_t want) {
    mutex_assert_held(&mc->lock);
    mc->activity++;
    mc->fresh_seen = fresh_now(mc);
    if (mc->ntransfer > 0) {
        size_t n = min_size(want, mc->ntransfer);
        mc->ntransfer = (uint16_t)(mc->ntransfer - n);
        mc->stats->ntransfer -= n;
        memcpy(ret, mc->transfer + mc->ntransfer, n * sizeof *ret);
        return n;
    }
    // From the end on, so that the lowest of the fullest span leaves first.
    size_t n = 0;
    for (int visits = 0; n < want && visits < REFILL_SPANS; visits++) {
        struct mspan *s = fullest(mc);
        if (s == NULL)
            break;
        uint32_t released = s->released;
        n += mspan_take(s, ret + want - n, want - n);
        count_used(mc, s, released);
        relist(mc, s);
    }
    mc->stats->nfree -= n;
    if (n < want)
        memmove(ret, ret + want - n, n * sizeof *ret);
    return n;
}

size_t mcentral_take_lines_locked(struct mcentral *mc, void *ret[LINE_SLOTS]) {
    mutex_assert_held(&mc->lock);
    if (mc->elemsize >= LINE_BYTES)
        return 0;
    // The fullest span that has so many, or one of those with at least twice.
    struct mspan *s = NULL;
    uint32_t mask = mc->partial_mask & ~word_range(0, 3);
    if (mask != 0)
        s = span_of_link(mc->partial[__builtin_ctz(mask)].next);
    else if (!list_empty(&mc->empty))
        s = span_of_link(mc->empty.next);
    if (s == NULL)
        return 0;
    uint32_t released = s->released;
    size_t n = mspan_take_lines(s, ret + LINE_SLOTS);
    count_used(mc, s, released);
    mc->activity++;
    mc->fresh_seen = fresh_now(mc);
    mc->stats->nfree -= n;
    relist(mc, s);
    return n;
}

// transfer_room returns how many pointers the store may hold.
static size_t transfer_room(const struct mcentral *mc) {
    return min_size(TRANSFER_BYTES / mc->elemsize, TRANSFER_SLOTS);
}

size_t mcentral_room_locked(const struct mcentral *mc) {
    return transfer_room(mc) - mc->ntransfer;
}

// grown_keep returns how many empty spans are left to a class when others need memory:
// what was got by the last growth is about to be used.
static uint32_t grown_keep(const struct mcentral *mc) {
    return (uint32_t)(mc->stats->nspans / GROW_SHARE);
}

static bool stores_much(const struct mcentral *mc) {
    return (size_t)mc->ntransfer * mc->elemsize >= HELD_BYTES;
}

static unsigned heldback_bit(const struct mcentral *mc) {
    return mc->sizeclass + (mc->sampled ? NUM_SIZECLASSES : 0u);
}

static void set_held(struct mcentral *mc, bool held) {
    mc->holds_back = held;
    heldback_set(&mc->heap->heldback, heldback_bit(mc), held);
}

// note_held keeps the bit of the class in mheap.heldback, after slots came back. Those
// that are taken, or new, change nothing: a bit too many costs one visit.
static void note_held(struct mcentral *mc) {
    bool held = stores_much(mc) || mc->nempty > grown_keep(mc);
    if (UNLIKELY(held != mc->holds_back))
        set_held(mc, held);
}

bool mcentral_store_locked(struct mcentral *mc, void *const *slots, size_t n) {
    mutex_assert_held(&mc->lock);
    mc->activity++;
    if (n > mcentral_room_locked(mc))
        return false;
    if (mc->transfer == NULL) {
        // At a limit each question costs a system call that fails.
        if (mc->patience > 0) {
            mc->patience--;
            return false;
        }
        mc->transfer = persistentalloc(
            &mc->heap->persistent, TRANSFER_SLOTS * sizeof *mc->transfer,
            sizeof *mc->transfer, &mc->heap->other_sys);
        if (mc->transfer == NULL) {
            mc->patience = PATIENCE;
            return false;
        }
    }
    memcpy(mc->transfer + mc->ntransfer, slots, n * sizeof *slots);
    mc->ntransfer = (uint16_t)(mc->ntransfer + n);
    mc->stats->ntransfer += n;
    note_held(mc);
    return true;
}

static unsigned samples_log2(const struct mspan *s) {
    unsigned log2 = ceil_log2(s->nelems);
    return log2 < SLOTARRAY_MIN_LOG2 ? SLOTARRAY_MIN_LOG2 : log2;
}

// add_samples gives spans that were not published yet room for what prof/ knows
// of their objects, and returns how many have it; the others are given back.
static size_t add_samples(struct mheap *heap, struct mspan **spans, size_t n) {
    size_t ngood = 0;
    for (size_t i = 0; i < n; i++) {
        struct mspan *s = spans[i];
        unsigned log2 = samples_log2(s);
        s->samples = mheap_alloc_slotarray(heap, log2);
        if (s->samples == NULL) {
            mheap_free_span(heap, s);
            continue;
        }
        memset(s->samples, 0, sizeof *s->samples << log2);
        spans[ngood++] = s;
    }
    return ngood;
}

// retire_span_locked takes an empty span out of the class; mheap gets it once
// the lock is free. The class byte goes first, so that no free finds it.
static void retire_span_locked(struct mcentral *mc, struct mspan *s,
                               struct list *retired) {
    list_remove(&s->link);
    mc->nempty--;
    mc->stats->nslots -= s->nelems;
    mc->stats->nfree -= s->nelems;
    mc->stats->nspans--;
    // Its pages will be used again, and the holes were of no use then.
    if (s->released != 0)
        count_regained(mc, mspan_bytes_of(s->released));
    pagemap_clear(&mc->heap->pagemap, s);
    atomic_store_explicit(&s->home, NULL, memory_order_relaxed);
    atomic_store_explicit(&s->state, MSPAN_DEAD, memory_order_relaxed);
    list_push(retired, &s->link);
}

// retire_excess_locked takes up to RETIRE_SPANS empty spans out of the class, down to
// keep, and says whether there are more.
static bool retire_excess_locked(struct mcentral *mc, uint32_t keep,
                                 struct list *retired) {
    for (int i = 0; i < RETIRE_SPANS && mc->nempty > keep; i++)
        retire_span_locked(mc, span_of_link(mc->empty.prev), retired);
    return mc->nempty > keep;
}

static void free_span(struct mheap *heap, struct mspan *s) {
    if (s->samples != NULL)
        mheap_free_slotarray(heap, s->samples, samples_log2(s));
    s->samples = NULL;
    mheap_free_span(heap, s);
}

static void free_retired(struct mheap *heap, struct list *retired) {
    while (!list_empty(retired)) {
        struct mspan *s = span_of_link(retired->next);
        list_remove(&s->link);
        free_span(heap, s);
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

bool mcentral_is_live(struct mcentral *mc, void *p) {
    struct mspan *s = pagemap_span(&mc->heap->pagemap, (uintptr_t)p);
    if (s == NULL)
        return false;
    mutex_lock(&mc->lock);
    // A span of this class stays one while its lock is held.
    unsigned slot =
        mspan_home(s) == mc ? mspan_slot_of(s, (uintptr_t)p) : SLOT_NONE;
    bool live = slot != SLOT_NONE && !mspan_is_free(s, slot);
    size_t few = min_size(mc->ntransfer, NEWEST_SLOTS);
    for (size_t i = 1; live && i <= few; i++)
        live = mc->transfer[mc->ntransfer - i] != p;
    mutex_unlock(&mc->lock);
    return live;
}

// freed_much_locked says whether much was freed since holes were last looked for.
static bool freed_much_locked(const struct mcentral *mc) {
    enum { MUCH_BYTES = 4 << 20 };
    int64_t more = (int64_t)(mc->stats->nfree - mc->nfree_seen);
    return more * (int64_t)mc->elemsize >= MUCH_BYTES;
}

size_t mcentral_find(const struct mcentral *mc, void *const *slots, size_t n,
                     struct apart *ret) {
    return apart_find(ret, &mc->heap->pagemap, mc, mc->sizeclass, slots, n);
}

// put_each_locked is mcentral_put_locked for a piece of which some slot is misused.
static COLD size_t put_each_locked(struct mcentral *mc,
                                   const struct piece *piece,
                                   void *const *slots, size_t i,
                                   struct misused *misused) {
    i = apart_set_each_locked(piece, mc, slots, i, misused);
    if (piece->span != NULL && mspan_home(piece->span) == mc)
        relist(mc, piece->span);
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
            relist(mc, piece->span);
    }
    mc->stats->nfree += n - ret->misused.n;
    retire_excess_locked(mc, empty_reserve(mc), &ret->retired);
    note_held(mc);
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

bool mcentral_grow(struct mcentral *mc) {
    struct mspan *spans[GROW_SPANS];
    mutex_lock(&mc->lock);
    uint64_t nspans = mc->stats->nspans;
    mutex_unlock(&mc->lock);

    size_t npages = nspans == 0 || mc->sampled
                        ? sizeclass_first_pages[mc->sizeclass]
                        : sizeclass_pages[mc->sizeclass];
    size_t most = max_size(1, GROW_BYTES / (npages << PAGE_SHIFT));
    size_t want = clamp_size(nspans / GROW_SHARE, 1, most);
    size_t n = mheap_alloc_spans(mc->heap, mc->sizeclass, npages, want, spans);
    if (mc->sampled)
        n = add_samples(mc->heap, spans, n);
    if (n == 0)
        return false;

    mutex_lock(&mc->lock);
    for (size_t i = n; i-- > 0;) { // the lowest ends up first in the list
        struct mspan *s = spans[i];
        s->bucket = NEVER_LISTED;
        relist(mc, s);
        mc->stats->nslots += s->nelems;
        mc->stats->nfree += s->nelems;
        mc->stats->nspans++;
        mheap_publish_small(mc->heap, s, mc);
    }
    mutex_unlock(&mc->lock);
    return true;
}

// put_stored_locked takes some of what is in the transfer store apart, in place, and
// looks them up under the lock: no more than APART_PIECES times.
static NOINLINE void put_stored_locked(struct mcentral *mc,
                                       struct giveback *ret) {
    struct apart apart;
    size_t n = min_size(mc->ntransfer, APART_SLOTS);
    void **slots = mc->transfer + mc->ntransfer - n;
    mcentral_find(mc, slots, n, &apart);
    size_t now = mcentral_put_locked(mc, slots, &apart, ret);
    memmove(slots, slots + now, (n - now) * sizeof *slots);
    mc->ntransfer = (uint16_t)(mc->ntransfer - now);
    mc->stats->ntransfer -= now;
}

// drain_step_locked takes some of the transfer store apart, if stores says so, or
// returns some empty spans beyond keep, and says whether there is more to do.
static bool drain_step_locked(struct mcentral *mc, bool stores, uint32_t keep,
                              struct giveback *ret) {
    bool more = true;
    *ret = (struct giveback){.much = false};
    list_init(&ret->retired);
    if (stores)
        put_stored_locked(mc, ret);
    else
        more = retire_excess_locked(mc, keep, &ret->retired);
    note_held(mc);
    return more;
}

static bool drain_step(struct mcentral *mc) {
    struct giveback rest;
    mutex_lock(&mc->lock);
    bool more = drain_step_locked(mc, mc->ntransfer > 0, 0, &rest);
    mutex_unlock(&mc->lock);
    mcentral_put_rest(mc, &rest);
    return more;
}

void mcentral_drain(struct mcentral *mc) {
    while (drain_step(mc))
        ;
}

bool mcentral_drain_idle(struct mcentral *mc) {
    mutex_lock(&mc->lock);
    bool idle = mc->activity == mc->activity_seen;
    mc->activity_seen = mc->activity;
    bool something = mc->ntransfer > 0 || mc->nempty > 0;
    mutex_unlock(&mc->lock);
    return idle && something && drain_step(mc);
}

void mcentral_drain_held(struct mcentral *mc) {
    struct giveback rest;
    mutex_lock(&mc->lock);
    drain_step_locked(mc, stores_much(mc), grown_keep(mc), &rest);
    mutex_unlock(&mc->lock);
    mcentral_put_rest(mc, &rest);
}

void *mcentral_alloc_one(struct mcentral *mc) {
    for (;;) {
        void *p = NULL;
        mutex_lock(&mc->lock);
        size_t n = mcentral_take_locked(mc, &p, 1);
        mc->stats->nretired += n;
        mutex_unlock(&mc->lock);
        if (n == 1)
            return p;
        if (!mcentral_grow(mc))
            return NULL;
    }
}

void mcentral_free_one(struct mcentral *mc, void *p) {
    mcentral_give_back(mc, &p, 1);
}

uint64_t mcentral_slack_locked(struct mcentral *mc) {
    const struct classstats *st = mc->stats;
    mc->nfree_seen = st->nfree;
    uint64_t nbytes = st->nfree * mc->elemsize;
    return nbytes > st->hole_bytes ? nbytes - st->hole_bytes : 0;
}

uint32_t mcentral_hold_locked(struct mcentral *mc, struct mspan *s,
                              enum mcentral_hold kind) {
    mutex_assert_held(&mc->lock);
    if (s->bucket >= PARTIAL_LISTS ||
        (kind == HOLD_UNUSED &&
         fresh_now(mc) - mc->fresh_seen < mheap_unused_bytes(mc->heap)))
        return 0;
    uint32_t holes = mspan_holes(s);
    if (holes == 0)
        return 0;
    if (s->warm > 0 && kind == HOLD_IDLE) {
        s->warm--;
        return MCENTRAL_WARM;
    }
    // What was refused lately.
    if (s->warm > 1 && kind == HOLD_UNUSED)
        return 0;
    unlist(mc, s);
    s->bucket = IN_HANDS;
    return holes;
}

void mcentral_unhold_locked(struct mcentral *mc, struct mspan *s,
                            uint32_t released, bool refused) {
    mutex_assert_held(&mc->lock);
    enum { REFUSED_WALKS = 16 };
    if (s->bucket != IN_HANDS)
        return;
    mspan_set_released(s, released);
    mc->stats->hole_bytes += mspan_bytes_of(released);
    s->bucket = NEVER_LISTED;
    relist(mc, s);
    s->warm = refused ? REFUSED_WALKS : 0;
}

// sample_of_locked returns where the sample of p is, or NULL: p is no live object
// of this store.
static void **sample_of_locked(struct mcentral *mc, void *p) {
    struct mspan *s = pagemap_span(&mc->heap->pagemap, (uintptr_t)p);
    if (s == NULL || mspan_home(s) != mc || s->samples == NULL)
        return NULL;
    unsigned slot = mspan_slot_of(s, (uintptr_t)p);
    return slot == SLOT_NONE ? NULL : &s->samples[slot];
}

void mcentral_sample_put(struct mcentral *mc, void *p, void *sample) {
    mutex_lock(&mc->lock);
    void **at = sample_of_locked(mc, p);
    if (at != NULL)
        *at = sample;
    mutex_unlock(&mc->lock);
}

void *mcentral_sample_take(struct mcentral *mc, void *p) {
    mutex_lock(&mc->lock);
    void **at = sample_of_locked(mc, p);
    void *sample = NULL;
    if (at != NULL) {
        sample = *at;
        *at = NULL;
    }
    mutex_unlock(&mc->lock);
    return sample;
}

void mcentral_forget_locked(struct mcentral *mc) {
    mc->forgotten = true;
    for (int i = 0; i < PARTIAL_LISTS; i++)
        list_init(&mc->partial[i]);
    list_init(&mc->empty);
    list_init(&mc->hollow);
    mc->partial_mask = 0;
    mc->nempty = 0;
    mc->ntransfer = 0;
    set_held(mc, false);
    struct classstats *st = mc->stats;
    st->nslots = st->nfree = st->ntransfer = st->nspans = 0;
    st->hole_bytes = 0;
}

void mcentral_relist_locked(struct mcentral *mc, struct mspan *s) {
    list_init(&s->link);
    mspan_recount(s);
    s->bucket = NEVER_LISTED;
    relist(mc, s);
    mc->stats->nslots += s->nelems;
    mc->stats->nfree += s->nfree;
    mc->stats->nspans++;
    mc->stats->hole_bytes += mspan_bytes_of(s->released);
    note_held(mc);
}

unsigned mcentral_verify_locked(struct mcentral *mc) {
    mutex_assert_held(&mc->lock);
    unsigned nwrong = 0;
    uint32_t nempty = 0;
    for (unsigned i = 0; i < PARTIAL_LISTS; i++) {
        struct list *head = &mc->partial[i];
        nwrong += list_empty(head) == (mc->partial_mask >> i & 1);
        for (struct list *l = head->next; l != head; l = l->next) {
            struct mspan *s = span_of_link(l);
            nwrong +=
                s->bucket != i || bucket_of(s) != i || mspan_home(s) != mc;
        }
    }
    for (struct list *l = mc->empty.next; l != &mc->empty; l = l->next) {
        struct mspan *s = span_of_link(l);
        nwrong += s->nfree != s->nelems || mspan_home(s) != mc;
        nempty++;
    }
    nwrong += nempty != mc->nempty;
    nwrong += stores_much(mc) && !mc->holds_back;
    nwrong += mc->holds_back !=
              heldback_is_set(&mc->heap->heldback, heldback_bit(mc));
    for (struct list *l = mc->hollow.next; l != &mc->hollow; l = l->next) {
        struct mspan *s = span_of_link(l);
        nwrong += bucket_of(s) != IN_HOLLOW || mspan_home(s) != mc;
    }
    return nwrong;
}
