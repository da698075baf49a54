// map_grow.c: growth and evacuation, after hashGrow, growWork and evacuate of Go
// 1.19 runtime/map.go. What Go leaves to its collector is in old.c: what becomes
// of an array that was outgrown.
#include "map_grow.h"

#include "array.h"
#include "old.h"
#include "map_hash.h"
#include "memory.h"

#include <stdlib.h>

enum {
    EVACUATED_SKIP_MAX = 1024, // buckets one step looks ahead
    NOVERFLOW_EXACT_B = 16,    // from here on noverflow counts by chance
};

unsigned map_hint_B(size_t hint) {
    unsigned B = 0;
    while (mound_map_overload_(hint, B))
        B++;
    return B;
}

// overflow_count counts an overflow bucket as Go does: from B = 16 on, one in
// 2^(B-15), so that 16 bits are enough.
static void overflow_count(struct mound_map *m) {
    if (m->noverflow_ == UINT16_MAX)
        return;
    uint64_t mask =
        m->B_ < NOVERFLOW_EXACT_B ? 0 : ((uint64_t)1 << (m->B_ - 15)) - 1;
    if (mask == 0 || (map_random() & mask) == 0)
        m->noverflow_++;
}

static bool reserve_overflow(const struct mound_map_type *t,
                             struct mound_map *m, size_t n) {
    return n == 0 || (map_extra(t, m) != NULL &&
                      overflow_reserve(t, &m->extra_->overflow_, m->B_, n));
}

void mound_map_new_overflow_(struct mound_map *m, char **base, size_t *index) {
    overflow_take(&m->extra_->overflow_, m->buckets_, m->B_, base, index);
    overflow_count(m);
}

bool mound_map_extend_(const struct mound_map_type *t, struct mound_map *m,
                       char *array, char **base, size_t *index) {
    if (array == m->buckets_) {
        if (!reserve_overflow(t, m, 1))
            return false;
        mound_map_new_overflow_(m, base, index);
        return true;
    }
    struct mound_map_old *old = m->extra_->old_;
    if (!overflow_reserve(t, &old->overflow_, old->B_, 1))
        return false;
    overflow_take(&old->overflow_, array, old->B_, base, index);
    return true;
}

bool map_grow_start(const struct mound_map_type *t, struct mound_map *m) {
    bool doubles = mound_map_overload_(m->count_ + 1, m->B_);
    if (m->B_ + doubles > MOUND_MAP_B_MAX)
        return false;
    struct mound_map_old *old =
        (struct mound_map_old *)memory_zeroed(t, sizeof *old);
    char *array = array_new(t, m->B_ + doubles, false);
    if (old == NULL || array == NULL || map_extra(t, m) == NULL) {
        array_free(t, array, m->B_ + doubles, false, NULL);
        memory_free(t, old, sizeof *old);
        return false;
    }
    unsigned flags = mound_map_flags_(m);
    old->buckets_ = m->buckets_;
    old->B_ = m->B_;
    old->lent_ = (flags & MOUND_MAP_FIRST_LENT) != 0;
    old->overflow_ = m->extra_->overflow_;
    old->niterators_ = m->niterators_;
    old->serial_ = m->extra_->noutgrown_++;
    old->next_ = m->extra_->old_;
    m->extra_->old_ = old;
    m->extra_->overflow_ = (struct mound_map_overflow){0};
    m->niterators_ = 0;
    m->oldbuckets_ = m->buckets_;
    m->buckets_ = array;
    m->B_ = (uint8_t)(m->B_ + doubles);
    m->nevacuate_ = 0;
    m->noverflow_ = 0;
    bool iterated = flags & MOUND_MAP_ITERATOR;
    flags &= ~(unsigned)(MOUND_MAP_ITERATOR | MOUND_MAP_OLD_ITERATOR |
                         MOUND_MAP_FIRST_LENT);
    flags |= MOUND_MAP_GROWING;
    if (iterated)
        flags |= MOUND_MAP_OLD_ITERATOR;
    if (!doubles)
        flags |= MOUND_MAP_SAME_SIZE;
    mound_map_setflags_(m, flags);
    old_populate(t, m);
    return true;
}

// advance_mark moves nevacuate to the next old bucket that has not been moved, and
// ends the growth after the last.
static void advance_mark(const struct mound_map_type *t, struct mound_map *m) {
    size_t nold = (size_t)1 << map_oldB(m);
    size_t stop = m->nevacuate_ + 1 + EVACUATED_SKIP_MAX;
    if (stop > nold)
        stop = nold;
    size_t i = m->nevacuate_ + 1;
    while (i < stop && mound_map_is_evacuated_(m->oldbuckets_, i))
        i++;
    m->nevacuate_ = (uint32_t)i;
    if (i == nold)
        old_retire(t, m);
    else
        old_release(t, m);
}

// Overflow buckets that an old bucket's entries may need: all in one chain again.
static size_t chain_overflow(const struct mound_map *m, size_t oldbucket) {
    char *base = m->oldbuckets_;
    size_t index = oldbucket, n = 0;
    while (mound_map_follow_(&m->extra_->old_->overflow_, m->oldbuckets_,
                             map_oldB(m), &base, &index))
        n++;
    return n;
}

bool map_evacuate(const struct mound_map_type *t, struct mound_map *m,
                  size_t oldbucket) {
    if (!mound_map_is_evacuated_(m->oldbuckets_, oldbucket)) {
        if (!reserve_overflow(t, m, chain_overflow(m, oldbucket)))
            return false;
        if (t->move_ != NULL)
            t->move_(t, m, oldbucket);
        else
            mound_map_evacuate_bucket_(t, m, oldbucket);
    }
    if (oldbucket == m->nevacuate_)
        advance_mark(t, m);
    return true;
}

bool map_grow_work(const struct mound_map_type *t, struct mound_map *m,
                   uint64_t hash) {
    old_populate(t, m);
    size_t oldbucket = hash & (((size_t)1 << map_oldB(m)) - 1);
    bool in_order = map_oldB(m) >= MAP_IN_ORDER_B;
    bool moved = map_evacuate(t, m, in_order ? m->nevacuate_ : oldbucket);
    if (map_growing(m))
        map_evacuate(t, m, m->nevacuate_);
    return in_order || moved;
}

static bool walk_chain(const struct mound_map_type *t, char *array, unsigned B,
                       const struct mound_map_overflow *overflow, size_t index,
                       bool (*see)(const struct mound_map_type *, void *,
                                   void *, void *),
                       void *arg) {
    char *base = array;
    do {
        unsigned full = mound_map_full_(mound_map_tops_at_(base, index));
        for (; full != 0; full &= full - 1) {
            unsigned slot = mound_map_slot_(full);
            if (!see(t, mound_map_keyat_(t, base, index, slot),
                     mound_map_elemat_(t, base, index, slot), arg))
                return false;
        }
    } while (mound_map_follow_(overflow, array, B, &base, &index));
    return true;
}

bool map_walk(const struct mound_map_type *t, const struct mound_map *m,
              bool (*see)(const struct mound_map_type *, void *, void *,
                          void *),
              void *arg) {
    if (m->count_ == 0)
        return true;
    for (size_t i = 0; i < (size_t)1 << m->B_; i++) {
        if (map_growing(m)) {
            size_t nold = (size_t)1 << map_oldB(m);
            if (!mound_map_is_evacuated_(m->oldbuckets_, i & (nold - 1))) {
                if (i < nold &&
                    !walk_chain(t, m->oldbuckets_, map_oldB(m),
                                &m->extra_->old_->overflow_, i, see, arg))
                    return false;
                continue;
            }
        }
        if (!walk_chain(t, m->buckets_, m->B_, mound_map_overflow_(m), i, see,
                        arg))
            return false;
    }
    return true;
}

// A new array under construction.
struct rebuild {
    const struct mound_map *m;
    char *array;
    unsigned B;
    size_t noverflow;
    struct mound_map_overflow overflow;
};

static bool rebuild_entry(const struct mound_map_type *t, void *key, void *elem,
                          void *arg) {
    struct rebuild *r = (struct rebuild *)arg;
    uint64_t hash = mound_map_hash_(t, r->m, key);
    unsigned top = mound_map_tophash_(hash);
    char *base = r->array;
    size_t first = hash & (((size_t)1 << r->B) - 1), index = first;
    unsigned empty;
    while ((empty = mound_map_empty_(mound_map_tops_at_(base, index))) == 0) {
        if (mound_map_follow_(&r->overflow, r->array, r->B, &base, &index))
            continue;
        if (!overflow_reserve(t, &r->overflow, r->B, 1))
            return false;
        overflow_take(&r->overflow, r->array, r->B, &base, &index);
        r->noverflow++;
    }
    unsigned slot = mound_map_slot_(empty);
    mound_map_top_(base, index)[slot] = (uint8_t)top;
    if (base != r->array || index != first)
        *mound_map_filter_(r->array, r->B, first) |=
            (uint8_t)mound_map_filterbit_(top);
    char *k = mound_map_keyplace_(t, base, index, slot);
    char *e = mound_map_elemplace_(t, base, index, slot);
    if (mound_map_key_apart_(t))
        memcpy(k, &key, sizeof key);
    else if (t->key_size > 0)
        memcpy(k, key, t->key_size);
    if (mound_map_elem_apart_(t))
        memcpy(e, &elem, sizeof elem);
    else if (t->elem_size > 0)
        memcpy(e, elem, t->elem_size);
    return true;
}

// mark_moved makes stale copies of all entries of the map's array.
static void mark_moved(struct mound_map *m) {
    for (size_t i = 0; i < (size_t)1 << m->B_; i++) {
        char *base = m->buckets_;
        size_t index = i;
        do {
            uint8_t *tops = mound_map_top_(base, index);
            for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++)
                tops[slot] = tops[slot] != MOUND_MAP_EMPTY
                                 ? MOUND_MAP_EVACUATED_X
                                 : MOUND_MAP_EVACUATED_EMPTY;
        } while (mound_map_follow_(mound_map_overflow_(m), m->buckets_, m->B_,
                                   &base, &index));
    }
}

bool map_rebuild(const struct mound_map_type *t, struct mound_map *m,
                 unsigned B) {
    while (map_growing(m)) {
        size_t before = m->nevacuate_;
        if (!map_evacuate(t, m, before))
            return false;
    }
    struct rebuild r = {.m = m, .B = B};
    bool lent = (mound_map_flags_(m) & MOUND_MAP_FIRST_LENT) != 0;
    struct mound_map_old *old = NULL;
    // Iterators over this array need it, and a record of it.
    bool waits = m->niterators_ != 0 && m->buckets_ != NULL;
    if (waits) {
        old = (struct mound_map_old *)memory_zeroed(t, sizeof *old);
        if (old == NULL || map_extra(t, m) == NULL) {
            memory_free(t, old, sizeof *old);
            return false;
        }
    }
    if (m->count_ > 0 || B > 0) {
        r.array = array_new(t, B, true);
        if (r.array == NULL || !map_walk(t, m, rebuild_entry, &r) ||
            (r.overflow.next_ != 0 && map_extra(t, m) == NULL)) {
            array_free(t, r.array, B, false, &r.overflow);
            memory_free(t, old, sizeof *old);
            return false;
        }
    }
    struct mound_map_overflow *overflow =
        m->extra_ != NULL ? &m->extra_->overflow_ : NULL;
    if (waits) {
        mark_moved(m);
        old->buckets_ = m->buckets_;
        old->B_ = m->B_;
        old->lent_ = lent;
        old->niterators_ = m->niterators_;
        old->overflow_ = *overflow;
        old->serial_ = m->extra_->noutgrown_++;
        old->next_ = m->extra_->old_;
        m->extra_->old_ = old;
    } else {
        array_free(t, m->buckets_, m->B_, lent, overflow);
    }
    m->buckets_ = r.array;
    m->B_ = (uint8_t)B;
    m->niterators_ = 0;
    m->noverflow_ =
        r.noverflow > UINT16_MAX ? UINT16_MAX : (uint16_t)r.noverflow;
    if (B >= NOVERFLOW_EXACT_B)
        m->noverflow_ = (uint16_t)(r.noverflow >> (B - 15));
    unsigned flags = mound_map_flags_(m);
    flags &= ~(unsigned)(MOUND_MAP_ITERATOR | MOUND_MAP_OLD_ITERATOR |
                         MOUND_MAP_FIRST_LENT);
    mound_map_setflags_(m, flags);
    if (m->extra_ != NULL)
        m->extra_->overflow_ = r.overflow;
    if (waits)
        old_bound(t, m);
    old_step(t, m, true);
    return true;
}
