// mound_map_ops.h: put and delete. They and get, which is in mound_map_find.h, are inlined where a type is known, so that the
// compiler sees its sizes, hash and equality. Not for programs: they use mound_map.h.
//
// Each operation is one path in two steps. The first looks at one bucket of a map that
// is not growing, and is inlined into the program: look, insert, remove. What it cannot
// decide there is the second's, which is the whole operation in any state of the map,
// compiled once for each type: seek, put_whole, delete_whole. Both find keys, fill
// slots and empty them by the same functions.
#ifndef MOUND_MAP_OPS_H
#define MOUND_MAP_OPS_H

// mound_map_write_end_ ends a write, with the flags as they shall be; false: somebody
// else has ended one meanwhile, and was told of.
MOUND_MAP_INLINE_ bool mound_map_write_end_(const struct mound_map_type *t,
                                            struct mound_map *m,
                                            unsigned flags) {
    if (MOUND_MAP_UNLIKELY_(!(mound_map_flags_(m) & MOUND_MAP_WRITING))) {
        mound_map_clash_(t, m);
        return false;
    }
    mound_map_setflags_(m, flags);
    return true;
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

// mound_map_enter_ makes a free slot the key's; false: out of memory.
MOUND_MAP_INLINE_ bool mound_map_enter_(const struct mound_map_type *t,
                                        struct mound_map *m, char *base,
                                        size_t index, unsigned slot,
                                        unsigned top, const void *key) {
    if (MOUND_MAP_UNLIKELY_(!mound_map_fill_(t, base, index, slot, key)))
        return false;
    mound_map_addtop_(base, index, slot, top);
    m->count_++;
    return true;
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
        if (mound_map_search_(t, &p, hash, key, false, &room)) {
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
        room = p;
        room.slot = 0;
        if (!mound_map_extend_(t, m, p.array, &room.base, &room.index))
            return NULL;
    }
    if (!mound_map_enter_(t, m, room.base, room.index, room.slot, top, key))
        return NULL;
    if (room.base != p.array || room.index != p.first) {
        uint8_t *filter = mound_map_filter_(p.array, p.B, p.first);
        *filter = (uint8_t)(*filter | mound_map_filterbit_(top));
    }
    *ret_new = true;
    return mound_map_elemat_(t, room.base, room.index, room.slot);
}

// mound_map_put_whole_ is put, in any state of the map.
MOUND_MAP_INLINE_ void *mound_map_put_whole_(const struct mound_map_type *t,
                                             struct mound_map *m,
                                             const void *key, uint64_t hash,
                                             bool *ret_new) {
    if (mound_map_flags_(m) & MOUND_MAP_GROWING)
        mound_map_prefetch_chain_(t, m, hash);
    if (!mound_map_write_begin_(t, m))
        return NULL;
    bool is_new = false;
    void *elem = mound_map_put_inside_(t, m, key, hash, &is_new);
    if (!mound_map_write_end_(
            t, m, mound_map_flags_(m) & ~(unsigned)MOUND_MAP_WRITING))
        return NULL;
    if (elem == NULL)
        errno = ENOMEM;
    else if (ret_new != NULL)
        *ret_new = is_new;
    return elem;
}

// mound_map_written_ ends a put that came to elem.
MOUND_MAP_INLINE_ void *mound_map_written_(const struct mound_map_type *t,
                                           struct mound_map *m, unsigned flags,
                                           void *elem, bool is_new,
                                           bool *ret_new) {
    if (!mound_map_write_end_(t, m, flags))
        return NULL;
    if (ret_new != NULL)
        *ret_new = is_new;
    return elem;
}

// mound_map_insert_ is put, for maps that are not growing, and keys that are there or
// whose first bucket has a free slot: true, with the result in *ret. Else it returns
// false, nothing is changed, and the caller has a function do the whole put, given
// *ret_hash: one that takes the key by value, so that here it stays in a register.
MOUND_MAP_INLINE_ bool mound_map_insert_(const struct mound_map_type *t,
                                         struct mound_map *m, const void *key,
                                         uint64_t *ret_hash, bool *ret_new,
                                         void **ret) {
    if (MOUND_MAP_UNLIKELY_(m == NULL)) {
        *ret = mound_map_no_map_();
        return true;
    }
    uint64_t hash = *ret_hash = mound_map_hash_(t, m, key);
    unsigned flags = mound_map_flags_(m);
    char *base = m->buckets_;
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING |
                                     MOUND_MAP_OUTGROWN)) ||
        MOUND_MAP_UNLIKELY_(base == NULL))
        return false;
    mound_map_setflags_(m, flags | MOUND_MAP_WRITING);
    size_t index = hash & ~(~(size_t)0 << m->B_);
    mound_map_prefetch_(t, base, index);
    mound_map_tops_ tops = mound_map_tops_at_(base, index);
    mound_map_each_match_(slot, tops, hash) {
        void *k = mound_map_keyat_(t, base, index, slot);
        if (MOUND_MAP_UNLIKELY_(!t->equal(key, k, t->user)))
            continue;
        if (t->flags & MOUND_MAP_KEY_UPDATE) {
            if (t->key_copy != NULL || t->key_drop != NULL) {
                mound_map_setflags_(m, flags);
                return false;
            }
            memcpy(k, key, t->key_size);
        }
        *ret = mound_map_written_(t, m, flags,
                                  mound_map_elemat_(t, base, index, slot),
                                  false, ret_new);
        return true;
    }
    unsigned empty = mound_map_empty_(tops);
    if (MOUND_MAP_UNLIKELY_(empty == 0) ||
        MOUND_MAP_UNLIKELY_(mound_map_overflowed_(base, m->B_, index, hash)) ||
        MOUND_MAP_UNLIKELY_(mound_map_overload_(m->count_ + 1, m->B_)) ||
        MOUND_MAP_UNLIKELY_(
            mound_map_too_many_overflow_(m->noverflow_, m->B_)) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t)) {
        mound_map_setflags_(m, flags);
        return false;
    }
    unsigned slot = mound_map_slot_(empty);
    if (MOUND_MAP_UNLIKELY_(!mound_map_enter_(t, m, base, index, slot,
                                              mound_map_tophash_(hash), key))) {
        mound_map_setflags_(m, flags);
        errno = ENOMEM;
        *ret = NULL;
        return true;
    }
    *ret = mound_map_written_(
        t, m, flags, mound_map_elemat_(t, base, index, slot), true, ret_new);
    return true;
}

// mound_map_vacate_ drops an entry and empties its slot.
MOUND_MAP_INLINE_ void mound_map_vacate_(const struct mound_map_type *t,
                                         struct mound_map *m, char *base,
                                         size_t index, unsigned slot) {
    void *k = mound_map_keyat_(t, base, index, slot);
    void *e = mound_map_elemat_(t, base, index, slot);
    if (mound_map_key_apart_(t) || mound_map_elem_apart_(t)) {
        mound_map_drop_(t, k, e);
    } else {
        if (t->key_drop != NULL)
            t->key_drop(k, t->user);
        if (t->elem_drop != NULL)
            t->elem_drop(e, t->user);
    }
    mound_map_settop_(base, index, slot, MOUND_MAP_EMPTY);
    if (MOUND_MAP_UNLIKELY_(--m->count_ == 0))
        mound_map_reseed_(m);
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
    struct mound_map_place_ p = mound_map_chain_(m, hash);
    bool found = mound_map_search_(t, &p, hash, key, false, NULL);
    if (found) {
        if (!mound_map_key_plain_(t) && m->extra_ != NULL)
            mound_map_forget_(t, m, hash,
                              mound_map_keyat_(t, p.base, p.index, p.slot));
        mound_map_vacate_(t, m, p.base, p.index, p.slot);
        if (p.base != p.array || p.index != p.first)
            mound_map_refilter_(m, hash);
    }
    mound_map_write_end_(t, m,
                         mound_map_flags_(m) & ~(unsigned)MOUND_MAP_WRITING);
    return found;
}

// mound_map_remove_ is delete, for maps that are not growing and keys in a first bucket.
// Else it returns MOUND_MAP_UNSURE_, nothing is changed, and the rest is the caller's, as
// above.
MOUND_MAP_INLINE_ enum mound_map_look_
mound_map_remove_(const struct mound_map_type *t, struct mound_map *m,
                  const void *key, uint64_t *ret_hash) {
    if (MOUND_MAP_UNLIKELY_(m == NULL || m->count_ == 0))
        return MOUND_MAP_ABSENT_;
    uint64_t hash = *ret_hash = mound_map_hash_(t, m, key);
    unsigned flags = mound_map_flags_(m);
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING |
                                     MOUND_MAP_OUTGROWN)) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        return MOUND_MAP_UNSURE_;
    mound_map_setflags_(m, flags | MOUND_MAP_WRITING);
    char *base = m->buckets_;
    size_t index = hash & ~(~(size_t)0 << m->B_);
    mound_map_prefetch_(t, base, index);
    mound_map_tops_ tops = mound_map_tops_at_(base, index);
    mound_map_each_match_(slot, tops, hash) {
        if (MOUND_MAP_UNLIKELY_(!t->equal(
                key, mound_map_keyat_(t, base, index, slot), t->user)))
            continue;
        mound_map_vacate_(t, m, base, index, slot);
        mound_map_write_end_(t, m, flags);
        return MOUND_MAP_FOUND_;
    }
    if (MOUND_MAP_UNLIKELY_(mound_map_overflowed_(base, m->B_, index, hash))) {
        mound_map_setflags_(m, flags);
        return MOUND_MAP_UNSURE_;
    }
    mound_map_write_end_(t, m, flags);
    return MOUND_MAP_ABSENT_;
}

#endif
