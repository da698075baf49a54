// map_verify.c: the invariants that mound_map_hmap.h lists, checked.
#include "mound_map.h"

#include "map_grow.h"

#include <stdlib.h>

// What a walk over an array's chains has seen.
struct seen {
    size_t entries;
    size_t overflow;
};

// Whether entry of tophash top and key k may be where it is.
static const char *verify_entry(const struct mound_map_type *t,
                                const struct mound_map *m, const void *k,
                                unsigned top, size_t first, unsigned B) {
    if ((t->flags & MOUND_MAP_KEY_IRREFLEXIVE) && !t->equal(k, k, t->user))
        return NULL; // has no hash of its own
    uint64_t hash = mound_map_hash_(t, m, k);
    if (!t->equal(k, k, t->user))
        return "a key does not equal itself, and its type does not say so";
    if ((hash & (((size_t)1 << B) - 1)) != first)
        return "an entry is in the wrong bucket";
    if (mound_map_tophash_(hash) != top)
        return "an entry has the wrong tophash";
    return NULL;
}

static const char *verify_chain(const struct mound_map_type *t,
                                const struct mound_map *m, char *array,
                                unsigned B,
                                const struct mound_map_overflow *overflow,
                                size_t first, struct seen *seen) {
    char *base = array;
    size_t index = first;
    size_t used = overflow != NULL && overflow->next_ != 0
                      ? overflow->next_ - ((size_t)1 << B)
                      : 0;
    size_t length = 0;
    for (;;) {
        const uint8_t *tops = mound_map_top_(base, index);
        for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++) {
            unsigned top = tops[slot];
            if (top == MOUND_MAP_EMPTY)
                continue;
            if (top < MOUND_MAP_MIN_TOPHASH)
                return "an evacuated mark in a live bucket";
            const char *wrong = verify_entry(
                t, m, mound_map_keyat_(t, base, index, slot), top, first, B);
            if (wrong != NULL)
                return wrong;
            seen->entries++;
        }
        if (!mound_map_follow_(overflow, array, B, &base, &index))
            break;
        seen->overflow++;
        if (++length > used)
            return "a chain is longer than there are overflow buckets";
    }
    if (B > 0 && *mound_map_filter_(array, B, first) !=
                     mound_map_chain_filter_(overflow, array, B, first))
        return "a filter is not that of its overflow buckets";
    return NULL;
}

static const char *verify_lists(const struct mound_map_type *t,
                                const struct mound_map *m) {
    unsigned flags = mound_map_flags_(m);
    const struct mound_map_old *old = m->extra_ ? m->extra_->old_ : NULL;
    if (map_growing(m) != ((flags & MOUND_MAP_GROWING) != 0))
        return "the growing flag and oldbuckets disagree";
    if (map_growing(m)) {
        if (old == NULL || old->buckets_ != m->oldbuckets_)
            return "oldbuckets is not the first outgrown array";
        if (old->B_ != map_oldB(m))
            return "the old array has another B";
        if (m->nevacuate_ >= (size_t)1 << old->B_)
            return "all is evacuated and the growth has not ended";
        for (size_t i = 0; i < m->nevacuate_; i++)
            if (!mound_map_is_evacuated_(m->oldbuckets_, i))
                return "a bucket below nevacuate is not evacuated";
        old = old->next_;
    } else if (flags & MOUND_MAP_SAME_SIZE) {
        return "same-size growth without growth";
    }
    bool gone = m->extra_ != NULL && m->extra_->gone_ != NULL;
    bool marked = old != NULL && !mound_map_key_plain_(t);
    if ((gone || marked) && !(flags & MOUND_MAP_OUTGROWN))
        return "an outgrown array without the flag";
    for (size_t n = 0; marked && old != NULL; old = old->next_)
        if (++n > MOUND_MAP_WAITING_MAX)
            return "more arrays wait than a deletion may look at";
    return NULL;
}

const char *mound_map_verify(const struct mound_map_type *t,
                             const struct mound_map *m) {
    if (m == NULL)
        return NULL;
    if (m->buckets_ == NULL)
        return m->count_ == 0 && m->B_ == 0 && !map_growing(m)
                   ? NULL
                   : "entries without buckets";
    if (mound_map_flags_(m) & MOUND_MAP_WRITING)
        return "a write is under way";
    const char *wrong = verify_lists(t, m);
    if (wrong != NULL)
        return wrong;
    // The load is not looked at: entries put while a growth to the same size is under
    // way may end it above the limit, here as in Go, until the next put.
    struct seen seen = {0, 0}, old_seen = {0, 0};
    for (size_t i = 0; i < (size_t)1 << m->B_; i++) {
        if (map_growing(m)) {
            size_t nold = (size_t)1 << map_oldB(m);
            if (!mound_map_is_evacuated_(m->oldbuckets_, i & (nold - 1))) {
                if (i < nold &&
                    (wrong = verify_chain(t, m, m->oldbuckets_, map_oldB(m),
                                          &m->extra_->old_->overflow_, i,
                                          &old_seen)) != NULL)
                    return wrong;
                continue;
            }
        }
        wrong = verify_chain(t, m, m->buckets_, m->B_, mound_map_overflow_(m),
                             i, &seen);
        if (wrong != NULL)
            return wrong;
    }
    if (seen.entries + old_seen.entries != m->count_)
        return "the count is not the number of entries";
    size_t used = m->extra_ != NULL && m->extra_->overflow_.next_ != 0
                      ? m->extra_->overflow_.next_ - ((size_t)1 << m->B_)
                      : 0;
    if (seen.overflow > used)
        return "more overflow buckets linked than taken";
    if (m->B_ < 16 && m->noverflow_ != used && used <= UINT16_MAX)
        return "noverflow is not the number of overflow buckets";
    return NULL;
}
