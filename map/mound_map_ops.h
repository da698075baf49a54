// mound_map_ops.h: the short ways of get, put, delete and next, inlined where a
// type is known, so that the compiler sees its sizes, hash and equality. Not for
// programs: they use mound_map.h. Every way out of the ordinary is a call into the
// library, which then does the whole operation.
#ifndef MOUND_MAP_OPS_H
#define MOUND_MAP_OPS_H

#ifdef __cplusplus
extern "C" {
#endif

// The library's side. put_slow_ and delete_slow_ are put_whole_ and delete_whole_ for
// the untyped functions.
MOUND_MAP_API void *mound_map_put_slow_(const struct mound_map_type *t,
                                        struct mound_map *m, const void *key,
                                        uint64_t hash, bool *ret_new);
MOUND_MAP_API bool mound_map_delete_slow_(const struct mound_map_type *t,
                                          struct mound_map *m, const void *key,
                                          uint64_t hash);
MOUND_MAP_API bool mound_map_next_slow_(struct mound_map_iter *it);
// Moves an iterator on along the chains of its batch; false: they are done.
MOUND_MAP_API bool mound_map_next_link_(struct mound_map_iter *it);
// Begins a write with what outgrown arrays want done; false: another is under way.
MOUND_MAP_API bool mound_map_write_begin_(const struct mound_map_type *t,
                                          struct mound_map *m);
// These return false when out of memory, with nothing lost.
MOUND_MAP_API bool mound_map_first_bucket_(const struct mound_map_type *t,
                                           struct mound_map *m);
MOUND_MAP_API bool mound_map_grow_start_(const struct mound_map_type *t,
                                         struct mound_map *m);
MOUND_MAP_API bool mound_map_grow_work_(const struct mound_map_type *t,
                                        struct mound_map *m, uint64_t hash);
MOUND_MAP_API bool mound_map_fill_apart_(const struct mound_map_type *t,
                                         char *kslot, char *eslot,
                                         const void *key);
// Drops a key and its element, and frees what of them is stored apart.
MOUND_MAP_API void mound_map_drop_(const struct mound_map_type *t, void *key,
                                   void *elem);
MOUND_MAP_API bool mound_map_update_key_(const struct mound_map_type *t,
                                         struct mound_map *m, uint64_t hash,
                                         void *there, const void *key);
// Marks stale copies of a key in outgrown arrays.
MOUND_MAP_API void mound_map_forget_(const struct mound_map_type *t,
                                     struct mound_map *m, uint64_t hash,
                                     const void *key);
// Sets emptyRest where a chain ends in empty slots, from this one backwards.
MOUND_MAP_API void
mound_map_empty_rest_(const struct mound_map_overflow *overflow, char *array,
                      unsigned B, size_t first, char *base, size_t index,
                      unsigned slot);
MOUND_MAP_API void mound_map_reseed_(struct mound_map *m);
// Says that the map is written to from two places, or was freed. Returns when the
// type's misuse function does.
MOUND_MAP_API void mound_map_misuse_(const struct mound_map_type *t,
                                     const struct mound_map *m,
                                     const char *message);
MOUND_MAP_API bool mound_map_add_overflow_(const struct mound_map_type *t,
                                           struct mound_map *m, size_t n);
MOUND_MAP_API void mound_map_new_overflow_(struct mound_map *m, char **base,
                                           size_t *index);

#ifdef __cplusplus
}
#endif

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

// mound_map_prefetch_ asks for the cache lines that hold a small bucket's data, or
// a larger one's first keys.
MOUND_MAP_INLINE_ void mound_map_prefetch_(const struct mound_map_type *t,
                                           const char *base, size_t index) {
    const char *data = base + index * mound_map_datasize_(t);
    __builtin_prefetch(data);
    if (mound_map_datasize_(t) > MOUND_MAP_LINE &&
        mound_map_datasize_(t) <= 2 * MOUND_MAP_LINE)
        __builtin_prefetch(data + MOUND_MAP_LINE);
}

// mound_map_seek_ is get, given the hash. It writes nothing: any number of threads
// may be in it. With looked, the first bucket was seen not to have the key, unless
// the map is growing.
MOUND_MAP_INLINE_ void *mound_map_seek_(const struct mound_map_type *t,
                                        const struct mound_map *m,
                                        const void *key, uint64_t hash,
                                        bool looked, const void **ret_key) {
    unsigned flags = mound_map_flags_(m);
    unsigned B = m->B_;
    char *array = m->buckets_;
    const struct mound_map_overflow *overflow = mound_map_overflow_(m);
    size_t index = hash & ~(~(size_t)0 << B);
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING))) {
        if (flags & MOUND_MAP_WRITING) {
            mound_map_misuse_(t, m, "concurrent map read and map write");
            return NULL;
        }
        looked = false;
        unsigned oldB = B - !(flags & MOUND_MAP_SAME_SIZE);
        size_t old = hash & ~(~(size_t)0 << oldB);
        if (!mound_map_is_evacuated_(m->oldbuckets_, old)) {
            array = m->oldbuckets_;
            B = oldB;
            index = old;
            overflow = &m->extra_->old_->overflow_;
        }
    }
    unsigned top = mound_map_tophash_(hash);
    char *base = array;
    for (;;) {
        if (!looked) {
            mound_map_tops_ tops = mound_map_tops_at_(base, index);
            for (unsigned match = mound_map_match_(tops, top);
                 (match & MOUND_MAP_ALL_) != 0; match &= match - 1) {
                unsigned slot = mound_map_slot_(match);
                void *k = mound_map_keyat_(t, base, index, slot);
                if (MOUND_MAP_LIKELY_(t->equal(key, k, t->user))) {
                    if (ret_key != NULL)
                        *ret_key = k;
                    return mound_map_elemat_(t, base, index, slot);
                }
            }
            if (mound_map_has_rest_(tops))
                return NULL;
        }
        looked = false;
        if (!mound_map_follow_(overflow, array, B, &base, &index))
            return NULL;
    }
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

// What a first look at a bucket found.
enum mound_map_look_ {
    MOUND_MAP_FOUND_,  // *ret is the element
    MOUND_MAP_ABSENT_, // the key is not in the map
    MOUND_MAP_UNSURE_, // growing, or the chain goes on: seek
};

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
    for (unsigned match = mound_map_match_(tops, mound_map_tophash_(hash));
         (match & MOUND_MAP_ALL_) != 0; match &= match - 1) {
        unsigned slot = mound_map_slot_(match);
        if (MOUND_MAP_LIKELY_(t->equal(
                key, mound_map_keyat_(t, base, index, slot), t->user))) {
            *ret = mound_map_elemat_(t, base, index, slot);
            if (*ret == NULL)
                __builtin_unreachable(); // spares callers their test
            return MOUND_MAP_FOUND_;
        }
    }
    // The one bucket of B = 0 has no chain.
    return MOUND_MAP_LIKELY_(mound_map_has_rest_(tops)) || m->B_ == 0
               ? MOUND_MAP_ABSENT_
               : MOUND_MAP_UNSURE_;
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
        if (!mound_map_is_evacuated_(m->oldbuckets_,
                                     hash & ~(~(size_t)0 << oldB))) {
            p.array = m->oldbuckets_;
            p.B = oldB;
            p.overflow = &m->extra_->old_->overflow_;
        }
    }
    p.first = p.index = hash & ~(~(size_t)0 << p.B);
    p.base = p.array;
    return p;
}

// mound_map_search_ moves p to the key and returns true, or to the last bucket of the
// chain; ret_free is the first free slot then, its base NULL if there is none.
MOUND_MAP_INLINE_ bool mound_map_search_(const struct mound_map_type *t,
                                         struct mound_map_place_ *p,
                                         unsigned top, const void *key,
                                         struct mound_map_place_ *ret_free) {
    ret_free->base = NULL;
    for (;;) {
        mound_map_tops_ tops = mound_map_tops_at_(p->base, p->index);
        for (unsigned match = mound_map_match_(tops, top);
             (match & MOUND_MAP_ALL_) != 0; match &= match - 1) {
            p->slot = mound_map_slot_(match);
            if (t->equal(key, mound_map_keyat_(t, p->base, p->index, p->slot),
                         t->user))
                return true;
        }
        unsigned empty = mound_map_empty_(tops);
        if (empty != 0 && ret_free->base == NULL) {
            ret_free->base = p->base;
            ret_free->index = p->index;
            ret_free->slot = mound_map_slot_(empty);
        }
        if (mound_map_has_rest_(tops) ||
            !mound_map_follow_(p->overflow, p->array, p->B, &p->base,
                               &p->index))
            return false;
    }
}

// mound_map_fill_ fills a slot but for its tophash byte; false: out of memory.
MOUND_MAP_INLINE_ bool mound_map_fill_(const struct mound_map_type *t,
                                       char *base, size_t index, unsigned slot,
                                       const void *key) {
    char *k = mound_map_keyplace_(t, base, index, slot);
    char *e = mound_map_elemplace_(t, base, index, slot);
    if (mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        return mound_map_fill_apart_(t, k, e, key);
    if (t->key_copy != NULL) {
        if (MOUND_MAP_UNLIKELY_(!t->key_copy(k, key, t->user)))
            return false;
    } else if (t->key_size > 0) {
        memcpy(k, key, t->key_size);
    }
    if (t->elem_size > 0)
        memset(e, 0, t->elem_size);
    return true;
}

MOUND_MAP_INLINE_ bool mound_map_write_end_(const struct mound_map_type *t,
                                            struct mound_map *m) {
    unsigned flags = mound_map_flags_(m);
    mound_map_setflags_(m, flags & ~(unsigned)MOUND_MAP_WRITING);
    if (MOUND_MAP_LIKELY_(flags & MOUND_MAP_WRITING))
        return true;
    mound_map_misuse_(t, m, "concurrent map writes");
    errno = EBUSY;
    return false;
}

// mound_map_put_inside_ is put between the beginning and the end of its write. After
// mapassign of Go 1.19 runtime/map.go; NULL: out of memory, the map is unchanged.
MOUND_MAP_INLINE_ void *mound_map_put_inside_(const struct mound_map_type *t,
                                              struct mound_map *m,
                                              const void *key, uint64_t hash,
                                              bool *ret_new) {
    if (m->buckets_ == NULL && !mound_map_first_bucket_(t, m))
        return NULL;
    unsigned top = mound_map_tophash_(hash);
    struct mound_map_place_ p, room;
    for (;;) {
        if ((mound_map_flags_(m) & MOUND_MAP_GROWING) &&
            !mound_map_grow_work_(t, m, hash))
            return NULL;
        p = mound_map_chain_(m, hash);
        if (mound_map_search_(t, &p, top, key, &room)) {
            if ((t->flags & MOUND_MAP_KEY_UPDATE) &&
                !mound_map_update_key_(
                    t, m, hash, mound_map_keyat_(t, p.base, p.index, p.slot),
                    key))
                return NULL;
            *ret_new = false;
            return mound_map_elemat_(t, p.base, p.index, p.slot);
        }
        if ((mound_map_flags_(m) & MOUND_MAP_GROWING) ||
            !(mound_map_overload_(m->count_ + 1, m->B_) ||
              mound_map_too_many_overflow_(m->noverflow_, m->B_)))
            break;
        if (!mound_map_grow_start_(t, m))
            return NULL;
    }
    if (room.base == NULL) {
        if (!mound_map_add_overflow_(t, m, 1))
            return NULL;
        room = p;
        mound_map_new_overflow_(m, &room.base, &room.index);
        room.slot = 0;
    }
    if (!mound_map_fill_(t, room.base, room.index, room.slot, key))
        return NULL;
    mound_map_settop_(room.base, room.index, room.slot, top);
    m->count_++;
    *ret_new = true;
    return mound_map_elemat_(t, room.base, room.index, room.slot);
}

// mound_map_put_whole_ is put, in any state of the map.
MOUND_MAP_INLINE_ void *mound_map_put_whole_(const struct mound_map_type *t,
                                             struct mound_map *m,
                                             const void *key, uint64_t hash,
                                             bool *ret_new) {
    if (!mound_map_write_begin_(t, m))
        return NULL;
    bool is_new = false;
    void *elem = mound_map_put_inside_(t, m, key, hash, &is_new);
    if (!mound_map_write_end_(t, m))
        return NULL;
    if (elem == NULL)
        errno = ENOMEM;
    else if (ret_new != NULL)
        *ret_new = is_new;
    return elem;
}

// mound_map_delete_whole_ is delete, in any state of the map. After mapdelete of Go
// 1.19 runtime/map.go.
MOUND_MAP_INLINE_ bool mound_map_delete_whole_(const struct mound_map_type *t,
                                               struct mound_map *m,
                                               const void *key, uint64_t hash) {
    if (!mound_map_write_begin_(t, m))
        return false;
    if (mound_map_flags_(m) & MOUND_MAP_GROWING)
        // Out of memory, the entry is taken out where it is.
        mound_map_grow_work_(t, m, hash);
    struct mound_map_place_ p = mound_map_chain_(m, hash), unused;
    bool found =
        mound_map_search_(t, &p, mound_map_tophash_(hash), key, &unused);
    if (found) {
        void *k = mound_map_keyat_(t, p.base, p.index, p.slot);
        void *e = mound_map_elemat_(t, p.base, p.index, p.slot);
        if (!(t->flags & MOUND_MAP_KEY_PLAIN) && m->extra_ != NULL)
            mound_map_forget_(t, m, hash, k);
        if (mound_map_key_apart_(t) || mound_map_elem_apart_(t)) {
            mound_map_drop_(t, k, e);
        } else {
            if (t->key_drop != NULL)
                t->key_drop(k, t->user);
            if (t->elem_drop != NULL)
                t->elem_drop(e, t->user);
        }
        uint8_t *bytes = mound_map_top_(p.base, p.index);
        bytes[p.slot] = MOUND_MAP_EMPTY_ONE;
        if (p.slot == MOUND_MAP_SLOTS - 1 ||
            bytes[p.slot + 1] == MOUND_MAP_EMPTY_REST)
            mound_map_empty_rest_(p.overflow, p.array, p.B, p.first, p.base,
                                  p.index, p.slot);
        if (--m->count_ == 0)
            mound_map_reseed_(m);
    }
    mound_map_write_end_(t, m);
    return found;
}

// mound_map_written_ ends a put; nobody else may have ended a write meanwhile.
MOUND_MAP_INLINE_ void *mound_map_written_(const struct mound_map_type *t,
                                           struct mound_map *m, unsigned flags,
                                           void *elem, bool is_new,
                                           bool *ret_new) {
    if (MOUND_MAP_UNLIKELY_(!(mound_map_flags_(m) & MOUND_MAP_WRITING))) {
        mound_map_misuse_(t, m, "concurrent map writes");
        errno = EBUSY;
        return NULL;
    }
    mound_map_setflags_(m, flags);
    if (ret_new != NULL)
        *ret_new = is_new;
    return elem;
}

// mound_map_insert_ is put, for maps that are not growing, and keys that are there
// or whose first bucket has a free slot. The rest is slow's.
MOUND_MAP_INLINE_ void *mound_map_insert_(
    const struct mound_map_type *t, struct mound_map *m, const void *key,
    bool *ret_new,
    void *(*slow)(const struct mound_map_type *, struct mound_map *,
                  const void *, uint64_t, bool *)) {
    if (MOUND_MAP_UNLIKELY_(m == NULL)) {
        errno = EINVAL;
        return NULL;
    }
    uint64_t hash = mound_map_hash_(t, m, key);
    unsigned flags = mound_map_flags_(m);
    char *base = m->buckets_;
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING |
                                     MOUND_MAP_OUTGROWN)) ||
        MOUND_MAP_UNLIKELY_(base == NULL))
        return slow(t, m, key, hash, ret_new);
    mound_map_setflags_(m, flags | MOUND_MAP_WRITING);
    size_t index = hash & ~(~(size_t)0 << m->B_);
    unsigned top = mound_map_tophash_(hash);
    mound_map_prefetch_(t, base, index);
    mound_map_tops_ tops = mound_map_tops_at_(base, index);
    for (unsigned match = mound_map_match_(tops, top);
         (match & MOUND_MAP_ALL_) != 0; match &= match - 1) {
        unsigned slot = mound_map_slot_(match);
        void *k = mound_map_keyat_(t, base, index, slot);
        if (!MOUND_MAP_LIKELY_(t->equal(key, k, t->user)))
            continue;
        if (t->flags & MOUND_MAP_KEY_UPDATE) {
            if (t->key_copy != NULL || t->key_drop != NULL) {
                mound_map_setflags_(m, flags);
                return slow(t, m, key, hash, ret_new);
            }
            memcpy(k, key, t->key_size);
        }
        return mound_map_written_(t, m, flags,
                                  mound_map_elemat_(t, base, index, slot),
                                  false, ret_new);
    }
    // No emptyRest: the key may be further down the chain.
    if (MOUND_MAP_UNLIKELY_(!mound_map_has_rest_(tops)) ||
        MOUND_MAP_UNLIKELY_(mound_map_overload_(m->count_ + 1, m->B_)) ||
        MOUND_MAP_UNLIKELY_(
            mound_map_too_many_overflow_(m->noverflow_, m->B_)) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t)) {
        mound_map_setflags_(m, flags);
        return slow(t, m, key, hash, ret_new);
    }
    unsigned slot = mound_map_slot_(mound_map_empty_(tops));
    if (MOUND_MAP_UNLIKELY_(!mound_map_fill_(t, base, index, slot, key))) {
        mound_map_setflags_(m, flags);
        errno = ENOMEM;
        return NULL;
    }
    mound_map_settop_(base, index, slot, top);
    m->count_++;
    return mound_map_written_(
        t, m, flags, mound_map_elemat_(t, base, index, slot), true, ret_new);
}

// mound_map_remove_ is delete, for maps that are not growing and keys in a first
// bucket. The rest is slow's.
MOUND_MAP_INLINE_ bool
mound_map_remove_(const struct mound_map_type *t, struct mound_map *m,
                  const void *key,
                  bool (*slow)(const struct mound_map_type *,
                               struct mound_map *, const void *, uint64_t)) {
    if (MOUND_MAP_UNLIKELY_(m == NULL || m->count_ == 0))
        return false;
    uint64_t hash = mound_map_hash_(t, m, key);
    unsigned flags = mound_map_flags_(m);
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING |
                                     MOUND_MAP_OUTGROWN)) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        return slow(t, m, key, hash);
    mound_map_setflags_(m, flags | MOUND_MAP_WRITING);
    char *base = m->buckets_;
    size_t index = hash & ~(~(size_t)0 << m->B_);
    mound_map_prefetch_(t, base, index);
    mound_map_tops_ tops = mound_map_tops_at_(base, index);
    bool found = false;
    for (unsigned match = mound_map_match_(tops, mound_map_tophash_(hash));
         (match & MOUND_MAP_ALL_) != 0; match &= match - 1) {
        unsigned slot = mound_map_slot_(match);
        void *k = mound_map_keyat_(t, base, index, slot);
        if (!MOUND_MAP_LIKELY_(t->equal(key, k, t->user)))
            continue;
        if (t->key_drop != NULL)
            t->key_drop(k, t->user);
        if (t->elem_drop != NULL)
            t->elem_drop(mound_map_elemat_(t, base, index, slot), t->user);
        uint64_t word = mound_map_word_(base, index);
        word &= ~((uint64_t)0xff << 8 * slot);
        word |= (uint64_t)MOUND_MAP_EMPTY_ONE << 8 * slot;
        // The chain ends here when there was an emptyRest.
        if (MOUND_MAP_LIKELY_(mound_map_has_rest_(tops)))
            word = mound_map_trim_(word);
        mound_map_setword_(base, index, word);
        if (MOUND_MAP_UNLIKELY_(slot == MOUND_MAP_SLOTS - 1))
            mound_map_empty_rest_(mound_map_overflow_(m), base, m->B_, index,
                                  base, index, slot);
        if (MOUND_MAP_UNLIKELY_(--m->count_ == 0))
            mound_map_reseed_(m);
        found = true;
        break;
    }
    if (MOUND_MAP_UNLIKELY_(!found && !mound_map_has_rest_(tops))) {
        mound_map_setflags_(m, flags);
        return slow(t, m, key, hash);
    }
    if (MOUND_MAP_UNLIKELY_(!(mound_map_flags_(m) & MOUND_MAP_WRITING))) {
        mound_map_misuse_(t, m, "concurrent map writes");
        return found;
    }
    mound_map_setflags_(m, flags);
    return found;
}

enum {
    MOUND_MAP_ITER_TOGETHER = 8, // buckets whose slots fill left_
    MOUND_MAP_ITER_LINK = 256,   // in chains_: the present bucket is of a chain
};

// Bits of mound_map_iter.state_.
enum {
    MOUND_MAP_ITER_WRAPPED = 1, // went past the last bucket
    MOUND_MAP_ITER_IN_OLD = 2,  // the present bucket is one of oldbuckets_
    MOUND_MAP_ITER_CHECK = 4,   // which holds entries of two buckets
    MOUND_MAP_ITER_ENDED = 8,   // end was called
    MOUND_MAP_ITER_GOING = 16,  // foreach: not left by a break
    MOUND_MAP_ITER_ONE = 32, // foreach: key and elem are yet to be handed out
    MOUND_MAP_ITER_PINNED = 64, // foreach: the header waits for its end
};

MOUND_MAP_INLINE_ uint32_t mound_map_clearseq_(const struct mound_map *m) {
    return m->extra_ == NULL ? 0 : m->extra_->clearseq_;
}

// The slots of a bucket that are worth a visit, in the iterator's order.
MOUND_MAP_INLINE_ uint8_t mound_map_visit_(mound_map_tops_ tops,
                                           unsigned offset) {
    unsigned full = mound_map_full_(tops);
    return (uint8_t)((full | full << MOUND_MAP_SLOTS) >> offset);
}

// mound_map_visit_next_ takes the next slot off *left, which is not 0, and says in
// which bucket of the batch it is.
MOUND_MAP_INLINE_ unsigned
mound_map_visit_next_(uint64_t *left, unsigned offset, size_t *ret_bucket) {
    unsigned bit = (unsigned)__builtin_ctzll(*left);
    *left &= *left - 1;
    *ret_bucket = bit / MOUND_MAP_SLOTS;
    return (bit + offset) & (MOUND_MAP_SLOTS - 1);
}

// mound_map_visitable_: whether the map is as it was when the iterator entered its
// batch. The array is the map's; the seed is the same, as clear draws another (after
// a clear the array may be freed, and another come to its address); and nobody is
// writing. While there is more to it, fast is no array's address.
MOUND_MAP_INLINE_ bool mound_map_visitable_(const struct mound_map *m,
                                            const char *fast, uint32_t hash0) {
    return MOUND_MAP_LIKELY_(m != NULL) &&
           MOUND_MAP_LIKELY_(m->buckets_ == fast) &&
           MOUND_MAP_LIKELY_(m->hash0_ == hash0) &&
           MOUND_MAP_LIKELY_(!(mound_map_flags_(m) &
                               (MOUND_MAP_WRITING | MOUND_MAP_GROWING)));
}

// struct mound_map_cursor_ is what of an iterator it takes to walk a batch. No pointer
// to it is kept anywhere, so that a loop has it in registers.
struct mound_map_cursor_ {
    const struct mound_map *map;
    char *fast, *base;
    size_t index;
    uint64_t left;
    unsigned offset;
    uint32_t hash0;
    bool one; // key and elem are yet to be handed out
    const void *key;
    void *elem;
};

MOUND_MAP_INLINE_ struct mound_map_cursor_
mound_map_cursor_of_(const struct mound_map_iter *it) {
    struct mound_map_cursor_ c;
    c.map = it->map_;
    c.fast = it->fast_;
    c.base = it->base_;
    c.index = it->index_;
    c.left = it->left_;
    c.offset = it->offset_;
    c.hash0 = it->hash0_;
    c.one = (it->state_ & MOUND_MAP_ITER_ONE) != 0;
    c.key = it->key;
    c.elem = it->elem;
    return c;
}

// mound_map_visit_batch_ hands out the next entry of the batch; false: there is none,
// or it takes the slow way to tell.
MOUND_MAP_INLINE_ bool mound_map_visit_batch_(const struct mound_map_type *t,
                                              struct mound_map_cursor_ *c) {
    if (MOUND_MAP_UNLIKELY_(!mound_map_visitable_(c->map, c->fast, c->hash0)))
        return false;
    while (MOUND_MAP_LIKELY_(c->left != 0)) {
        size_t bucket;
        unsigned slot = mound_map_visit_next_(&c->left, c->offset, &bucket);
        if (MOUND_MAP_UNLIKELY_(
                mound_map_top_(c->base, c->index + bucket)[slot] <=
                MOUND_MAP_EMPTY_ONE))
            continue; // deleted since the bucket was entered
        c->key = mound_map_keyat_(t, c->base, c->index + bucket, slot);
        c->elem = mound_map_elemat_(t, c->base, c->index + bucket, slot);
        return true;
    }
    return false;
}

// mound_map_enter_batch_ goes to the next buckets when the batch is done with, and
// returns true; false: it was not, or that takes the slow way.
MOUND_MAP_INLINE_ bool mound_map_enter_batch_(struct mound_map_iter *it) {
    if (MOUND_MAP_UNLIKELY_(
            !mound_map_visitable_(it->map_, it->fast_, it->hash0_)) ||
        it->left_ != 0)
        return false;
    if (MOUND_MAP_UNLIKELY_(it->chains_ != 0) && mound_map_next_link_(it))
        return true;
    if (MOUND_MAP_UNLIKELY_(it->bucket_ == it->start_) &&
        (it->state_ & MOUND_MAP_ITER_WRAPPED))
        return false;
    // The slots of eight buckets make one mask, and chains come after them: a branch
    // that cannot be foreseen for eight buckets, not for each.
    size_t end =
        it->state_ & MOUND_MAP_ITER_WRAPPED ? it->start_ : (size_t)1 << it->B_;
    size_t index = it->bucket_;
    if (end - index > MOUND_MAP_ITER_TOGETHER)
        end = index + MOUND_MAP_ITER_TOGETHER;
    char *base = it->base_ = it->buckets_;
    it->index_ = index;
    it->batch_ = (uint32_t)index;
    unsigned offset = it->offset_, shift = 0, chains = 0;
    uint64_t left = 0;
    do {
        mound_map_tops_ tops = mound_map_tops_at_(base, index);
        left |= (uint64_t)mound_map_visit_(tops, offset) << shift;
        chains |= (unsigned)!mound_map_has_rest_(tops)
                  << shift / MOUND_MAP_SLOTS;
        shift += MOUND_MAP_SLOTS;
    } while (++index < end);
    it->left_ = left;
    it->chains_ = it->B_ == 0 ? 0 : (uint16_t)chains;
    it->bucket_ = (uint32_t)index;
    if (MOUND_MAP_UNLIKELY_(index >> it->B_)) {
        it->bucket_ = 0;
        it->state_ |= MOUND_MAP_ITER_WRAPPED;
    }
    return true;
}

// mound_map_advance_ is next.
MOUND_MAP_INLINE_ bool mound_map_advance_(const struct mound_map_type *t,
                                          struct mound_map_iter *it) {
    do {
        struct mound_map_cursor_ c = mound_map_cursor_of_(it);
        bool found = mound_map_visit_batch_(t, &c);
        it->left_ = c.left;
        if (MOUND_MAP_LIKELY_(found)) {
            it->key = c.key;
            it->elem = c.elem;
            return true;
        }
    } while (mound_map_enter_batch_(it));
    return mound_map_next_slow_(it);
}

// foreach is two loops: the outer one finds a batch, or one entry by the slow way,
// the inner one hands out what was found. A break out of the inner loop leaves GOING
// unset, which ends the outer one.
MOUND_MAP_INLINE_ bool mound_map_refill_(struct mound_map_iter *it) {
    if (!(it->state_ & MOUND_MAP_ITER_GOING))
        return false;
    it->state_ &=
        (uint8_t) ~(unsigned)(MOUND_MAP_ITER_GOING | MOUND_MAP_ITER_ONE);
    if (mound_map_enter_batch_(it))
        return true;
    if (!mound_map_next_slow_(it))
        return false;
    it->state_ |= MOUND_MAP_ITER_ONE;
    return true;
}

MOUND_MAP_INLINE_ bool mound_map_step_(const struct mound_map_type *t,
                                       struct mound_map_iter *it,
                                       struct mound_map_cursor_ *c) {
    if (MOUND_MAP_UNLIKELY_(c->one)) {
        c->one = false;
        return true;
    }
    if (MOUND_MAP_LIKELY_(mound_map_visit_batch_(t, c)))
        return true;
    it->left_ = c->left;
    it->state_ |= MOUND_MAP_ITER_GOING;
    return false;
}

// mound_map_evacuate_bucket_ moves an old bucket's entries to the array that
// replaces it. The caller has seen to it that overflow buckets will not run out.
// Source: evacuate of Go 1.19 runtime/map.go.
MOUND_MAP_INLINE_ void
mound_map_evacuate_bucket_(const struct mound_map_type *t, struct mound_map *m,
                           size_t oldbucket) {
    unsigned flags = mound_map_flags_(m);
    bool doubles = !(flags & MOUND_MAP_SAME_SIZE);
    unsigned B = m->B_, oldB = B - doubles;
    size_t n = mound_map_nbuckets_(B), newbit = (size_t)1 << oldB;
    const struct mound_map_overflow *overflow = &m->extra_->old_->overflow_;
    char *dst_base[2] = {m->buckets_, m->buckets_};
    size_t dst_index[2] = {oldbucket, oldbucket + newbit};
    unsigned dst_slot[2] = {0, 0};
    uint64_t dst_word[2] = {0, 0};
    // Only an iterator that is under way now will look at what is left behind. Without
    // one there is nothing to be found, or to be marked when a key is deleted.
    bool watched = __atomic_load_n(&m->niterators_, __ATOMIC_RELAXED) != 0 ||
                   m->extra_->old_->niterators_ != 0;
    // The misses of this move and of the one that follows shall overlap.
    mound_map_prefetch_(t, m->oldbuckets_, oldbucket);
    mound_map_prefetch_(t, m->oldbuckets_, m->nevacuate_);
    __builtin_prefetch(mound_map_top_(m->oldbuckets_, m->nevacuate_));
    for (int i = 0; i < 1 + doubles; i++) {
        mound_map_prefetch_(t, m->buckets_, dst_index[i]);
        if (B > 0)
            *mound_map_link_(m->buckets_, dst_index[i], n) = 0;
    }
    char *base = m->oldbuckets_;
    size_t index = oldbucket;
    do {
        uint64_t word = mound_map_word_(base, index), marks = 0;
        for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++) {
            unsigned top = word >> 8 * slot & 0xff;
            if (top <= MOUND_MAP_EMPTY_ONE) {
                marks |= (uint64_t)MOUND_MAP_EVACUATED_EMPTY << 8 * slot;
                continue;
            }
            unsigned y = 0;
            if (doubles) {
                const void *k = mound_map_keyat_(t, base, index, slot);
                uint64_t hash = mound_map_hash_(t, m, k);
                if ((t->flags & MOUND_MAP_KEY_IRREFLEXIVE) &&
                    (flags & MOUND_MAP_ITERATOR) && !t->equal(k, k, t->user)) {
                    // Such a key has no hash of its own. An iterator tells by
                    // this bit which way the entry will go, or went.
                    y = top & 1;
                    top = mound_map_tophash_(hash);
                } else {
                    y = (hash >> oldB) & 1;
                }
            }
            marks |= (uint64_t)(watched ? (unsigned)MOUND_MAP_EVACUATED_X + y
                                        : (unsigned)MOUND_MAP_EVACUATED_EMPTY)
                     << 8 * slot;
            if (dst_slot[y] == MOUND_MAP_SLOTS) {
                mound_map_setword_(dst_base[y], dst_index[y], dst_word[y]);
                mound_map_new_overflow_(m, &dst_base[y], &dst_index[y]);
                dst_slot[y] = 0;
                dst_word[y] = 0;
            }
            size_t to = dst_index[y];
            unsigned s = dst_slot[y]++;
            dst_word[y] |= (uint64_t)top << 8 * s;
            memcpy(mound_map_keyplace_(t, dst_base[y], to, s),
                   mound_map_keyplace_(t, base, index, slot),
                   mound_map_keyslot_(t));
            memcpy(mound_map_elemplace_(t, dst_base[y], to, s),
                   mound_map_elemplace_(t, base, index, slot),
                   mound_map_elemslot_(t));
        }
        mound_map_setword_(base, index, marks);
    } while (mound_map_follow_(overflow, m->oldbuckets_, oldB, &base, &index));
    for (int i = 0; i < 1 + doubles; i++)
        mound_map_setword_(dst_base[i], dst_index[i], dst_word[i]);
}

#endif
