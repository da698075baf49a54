// mound_map_find.h: where a key is, and get. mound_map_ops.h says how operations are
// divided. Not for programs: they use mound_map.h.
#ifndef MOUND_MAP_FIND_H
#define MOUND_MAP_FIND_H

// The overflow buckets of the map's own array; not to be looked into unless a link
// says that there are some.
MOUND_MAP_INLINE_ const struct mound_map_overflow *
mound_map_overflow_(const struct mound_map *m) {
    return (const struct mound_map_overflow *)(const void *)m->extra_;
}

MOUND_MAP_INLINE_ uint64_t mound_map_hash_(const struct mound_map_type *t,
                                           const struct mound_map *m,
                                           const void *key) {
    return t->hash(key, m->hash0_, t->user);
}

// mound_map_prefetch_ prefetches the cache lines of a small bucket's data, or of a
// larger one's first keys.
MOUND_MAP_INLINE_ void mound_map_prefetch_(const struct mound_map_type *t,
                                           const char *base, size_t index) {
    const char *data = base + index * mound_map_datasize_(t);
    __builtin_prefetch(data);
    if (mound_map_datasize_(t) > MOUND_MAP_LINE &&
        mound_map_datasize_(t) <= 2 * MOUND_MAP_LINE)
        __builtin_prefetch(data + MOUND_MAP_LINE);
}

// A place in a map: a bucket, the array it is of, and a slot.
struct mound_map_place_ {
    char *array;
    unsigned B;
    const struct mound_map_overflow *overflow;
    size_t first; // base bucket of the chain
    char *base;
    size_t index;
    unsigned slot;
};

// mound_map_chain_ returns the chain that entries with this hash are in.
MOUND_MAP_INLINE_ struct mound_map_place_
mound_map_chain_(const struct mound_map *m, uint64_t hash) {
    struct mound_map_place_ p;
    p.array = m->buckets_;
    p.B = m->B_;
    p.overflow = mound_map_overflow_(m);
    p.slot = 0;
    unsigned flags = mound_map_flags_(m);
    if (flags & MOUND_MAP_GROWING) {
        unsigned oldB = p.B - !(flags & MOUND_MAP_SAME_SIZE);
        size_t old = hash & ~(~(size_t)0 << oldB);
        if (old >= m->nevacuate_ &&
            !mound_map_is_evacuated_(m->oldbuckets_, old)) {
            p.array = m->oldbuckets_;
            p.B = oldB;
            p.overflow = &m->extra_->old_->overflow_;
        }
    }
    p.first = p.index = hash & ~(~(size_t)0 << p.B);
    p.base = p.array;
    return p;
}

// mound_map_prefetch_chain_ fetches what a write to a growing map will look at, while it
// moves old buckets.
MOUND_MAP_INLINE_ void mound_map_prefetch_chain_(const struct mound_map_type *t,
                                                 const struct mound_map *m,
                                                 uint64_t hash) {
    // Harmless if there is no filter or link yet.
    unsigned B = m->B_;
    unsigned oldB = B - !(mound_map_flags_(m) & MOUND_MAP_SAME_SIZE);
    size_t index = hash & ~(~(size_t)0 << oldB);
    bool moved = index < m->nevacuate_;
    char *base = moved ? m->buckets_ : m->oldbuckets_;
    if (!moved)
        B = oldB;
    index = hash & ~(~(size_t)0 << B);
    __builtin_prefetch(mound_map_top_(base, index));
    __builtin_prefetch(mound_map_filter_(base, B, index));
    __builtin_prefetch(mound_map_link_(base, index, B, true));
    mound_map_prefetch_(t, base, index);
}

// mound_map_each_match_ is a loop over the slots of a bucket with the tophash of hash.
// A function that returns the slot would have its callers test for one that has none.
#define mound_map_each_match_(slot, tops, hash)                                \
    for (unsigned slot, match_ = mound_map_match_(tops, hash);                 \
         (match_ & MOUND_MAP_ALL_) != 0 &&                                     \
         (slot = mound_map_slot_(match_), true);                               \
         match_ &= match_ - 1)

// mound_map_overflowed_ says of a key that is not in its base bucket whether it may be in
// an overflow bucket of it.
MOUND_MAP_INLINE_ bool mound_map_overflowed_(char *array, unsigned B,
                                             size_t first, uint64_t hash) {
    return B > 0 &&
           mound_map_filtered_(*mound_map_filter_(array, B, first), hash);
}

// mound_map_chain_filter_ returns what a base bucket's filter has to be.
MOUND_MAP_INLINE_ uint8_t
mound_map_chain_filter_(const struct mound_map_overflow *overflow, char *array,
                        unsigned B, size_t first) {
    unsigned filter = 0;
    char *base = array;
    size_t index = first;
    while (mound_map_follow_(overflow, array, B, &base, &index)) {
        const uint8_t *tops = mound_map_top_(base, index);
        for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++)
            if (tops[slot] != MOUND_MAP_EMPTY)
                filter |= mound_map_filterbit_(tops[slot]);
    }
    return (uint8_t)filter;
}

// mound_map_search_ moves p to the key and returns true. Otherwise, with ret_free not
// NULL, that is the chain's first free slot; if there is none its base is NULL, and p
// the chain's last bucket. With looked, the first bucket was seen not to have the key.
MOUND_MAP_INLINE_ bool mound_map_search_(const struct mound_map_type *t,
                                         struct mound_map_place_ *p,
                                         uint64_t hash, const void *key,
                                         bool looked,
                                         struct mound_map_place_ *ret_free) {
    bool room = ret_free == NULL, first = true;
    if (ret_free != NULL)
        ret_free->base = NULL;
    if (looked &&
        !mound_map_follow_(p->overflow, p->array, p->B, &p->base, &p->index))
        return false;
    for (;;) {
        mound_map_tops_ tops = mound_map_tops_at_(p->base, p->index);
        mound_map_each_match_(slot, tops, hash) {
            p->slot = slot;
            if (MOUND_MAP_LIKELY_(
                    t->equal(key, mound_map_keyat_(t, p->base, p->index, slot),
                             t->user)))
                return true;
        }
        unsigned empty = room ? 0 : mound_map_empty_(tops);
        if (empty != 0) {
            room = true;
            ret_free->base = p->base;
            ret_free->index = p->index;
            ret_free->slot = mound_map_slot_(empty);
        }
        // Once the filter says no, there is but room to look for.
        first = first && !looked;
        if ((first && room &&
             !mound_map_overflowed_(p->array, p->B, p->first, hash)) ||
            !mound_map_follow_(p->overflow, p->array, p->B, &p->base,
                               &p->index))
            return false;
        first = false;
    }
}

// Get.

// mound_map_seek_ is get, given the hash. It writes nothing: any number of threads
// may be in it. With looked, the first bucket was seen not to have the key, unless the
// map is growing.
MOUND_MAP_INLINE_ void *mound_map_seek_(const struct mound_map_type *t,
                                        const struct mound_map *m,
                                        const void *key, uint64_t hash,
                                        bool looked, const void **ret_key) {
    if (MOUND_MAP_UNLIKELY_(mound_map_flags_(m) & MOUND_MAP_WRITING)) {
        mound_map_misuse_(t, m, "concurrent map read and map write");
        return NULL;
    }
    struct mound_map_place_ p = mound_map_chain_(m, hash);
    if (!mound_map_search_(t, &p, hash, key,
                           looked && !(mound_map_flags_(m) & MOUND_MAP_GROWING),
                           NULL))
        return NULL;
    if (ret_key != NULL)
        *ret_key = mound_map_keyat_(t, p.base, p.index, p.slot);
    return mound_map_elemat_(t, p.base, p.index, p.slot);
}

// mound_map_find_ is get, for where its size and registers do not matter.
MOUND_MAP_INLINE_ void *mound_map_find_(const struct mound_map_type *t,
                                        const struct mound_map *m,
                                        const void *key, const void **ret_key) {
    if (m == NULL || m->count_ == 0)
        return NULL;
    return mound_map_seek_(t, m, key, mound_map_hash_(t, m, key), false,
                           ret_key);
}

// mound_map_look_ is the hot part of get: one bucket of a map that is not growing.
// It is inlined into its callers, calls nothing but hash and equal, and is to need
// few registers. The bucket's data is fetched while the tophash bytes are: most
// lookups are for keys that are there.
MOUND_MAP_INLINE_ enum mound_map_look_
mound_map_look_(const struct mound_map_type *t, const struct mound_map *m,
                const void *key, uint64_t *ret_hash, void **ret) {
    if (MOUND_MAP_UNLIKELY_(m == NULL) || MOUND_MAP_UNLIKELY_(m->count_ == 0))
        return MOUND_MAP_ABSENT_;
    uint64_t hash = *ret_hash = mound_map_hash_(t, m, key);
    if (MOUND_MAP_UNLIKELY_(mound_map_flags_(m) &
                            (MOUND_MAP_WRITING | MOUND_MAP_GROWING)))
        return MOUND_MAP_UNSURE_;
    char *base = m->buckets_;
    size_t index = hash & ~(~(size_t)0 << m->B_);
    mound_map_prefetch_(t, base, index);
    mound_map_tops_ tops = mound_map_tops_at_(base, index);
    mound_map_each_match_(slot, tops, hash) {
        if (MOUND_MAP_UNLIKELY_(!t->equal(
                key, mound_map_keyat_(t, base, index, slot), t->user)))
            continue;
        *ret = mound_map_elemat_(t, base, index, slot);
        if (*ret == NULL)
            __builtin_unreachable(); // spares callers their test
        return MOUND_MAP_FOUND_;
    }
    return MOUND_MAP_UNLIKELY_(mound_map_overflowed_(base, m->B_, index, hash))
               ? MOUND_MAP_UNSURE_
               : MOUND_MAP_ABSENT_;
}

#endif
