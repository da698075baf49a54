// mound_map_ops.h: the short ways of get, put, delete and next, inlined where a
// type is known, so that the compiler sees its sizes, hash and equality. Not for
// programs: they use mound_map.h. Every way out of the ordinary is a call into the
// library, which then does the whole operation.
#ifndef MOUND_MAP_OPS_H
#define MOUND_MAP_OPS_H

#ifdef __cplusplus
extern "C" {
#endif

// The library's side. put_slow_ and delete_slow_ do the whole operation.
MOUND_MAP_API void *mound_map_put_slow_(const struct mound_map_type *t,
                                        struct mound_map *m, const void *key,
                                        uint64_t hash, bool *ret_new);
MOUND_MAP_API bool mound_map_delete_slow_(const struct mound_map_type *t,
                                          struct mound_map *m, const void *key,
                                          uint64_t hash);
MOUND_MAP_API bool mound_map_next_slow_(struct mound_map_iter *it);
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

// mound_map_find_ is get. It writes nothing: any number of threads may be in it.
MOUND_MAP_INLINE_ void *mound_map_find_(const struct mound_map_type *t,
                                        const struct mound_map *m,
                                        const void *key, const void **ret_key) {
    if (MOUND_MAP_UNLIKELY_(m == NULL || m->count_ == 0))
        return NULL;
    unsigned flags = mound_map_flags_(m);
    unsigned B = m->B_;
    char *array = m->buckets_;
    uint64_t hash = mound_map_hash_(t, m, key);
    const struct mound_map_overflow *overflow = mound_map_overflow_(m);
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING))) {
        if (flags & MOUND_MAP_WRITING) {
            mound_map_misuse_(t, m, "concurrent map read and map write");
            return NULL;
        }
        unsigned oldB = B - !(flags & MOUND_MAP_SAME_SIZE);
        if (!mound_map_is_evacuated_(m->oldbuckets_,
                                     hash & (((size_t)1 << oldB) - 1))) {
            array = m->oldbuckets_;
            B = oldB;
            overflow = &m->extra_->old_->overflow_;
        }
    }
    size_t index = hash & (((size_t)1 << B) - 1);
    unsigned top = mound_map_tophash_(hash);
    char *base = array;
    for (;;) {
        uint64_t word = mound_map_topword_(base, index);
        for (uint64_t match = mound_map_match_(word, top); match != 0;
             match &= match - 1) {
            unsigned slot = mound_map_slot_(match);
            void *k = mound_map_keyat_(t, base, index, slot);
            if (MOUND_MAP_LIKELY_(t->equal(key, k, t->user))) {
                if (ret_key != NULL)
                    *ret_key = k;
                return mound_map_elemat_(t, base, index, slot);
            }
        }
        if (MOUND_MAP_LIKELY_(mound_map_has_rest_(word)))
            return NULL;
        if (!mound_map_follow_(overflow, array, B, &base, &index))
            return NULL;
    }
}

// mound_map_insert_ is put, for maps that are not growing, and keys that are there
// or whose bucket has a free slot.
MOUND_MAP_INLINE_ void *mound_map_insert_(const struct mound_map_type *t,
                                          struct mound_map *m, const void *key,
                                          bool *ret_new) {
    if (MOUND_MAP_UNLIKELY_(m == NULL)) {
        errno = EINVAL;
        return NULL;
    }
    uint64_t hash = mound_map_hash_(t, m, key);
    unsigned flags = mound_map_flags_(m);
    char *array = m->buckets_;
    if (MOUND_MAP_UNLIKELY_((flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING |
                                      MOUND_MAP_OUTGROWN)) ||
                            array == NULL))
        return mound_map_put_slow_(t, m, key, hash, ret_new);
    mound_map_setflags_(m, flags | MOUND_MAP_WRITING);
    unsigned B = m->B_;
    unsigned top = mound_map_tophash_(hash);
    char *base = array, *free_base = NULL;
    size_t index = hash & (((size_t)1 << B) - 1), free_index = 0;
    unsigned free_slot = 0;
    void *elem;
    for (;;) {
        uint64_t word = mound_map_topword_(base, index);
        for (uint64_t match = mound_map_match_(word, top); match != 0;
             match &= match - 1) {
            unsigned slot = mound_map_slot_(match);
            void *k = mound_map_keyat_(t, base, index, slot);
            if (MOUND_MAP_LIKELY_(t->equal(key, k, t->user))) {
                if (t->flags & MOUND_MAP_KEY_UPDATE) {
                    if (t->key_copy != NULL || t->key_drop != NULL)
                        goto slow;
                    memcpy(k, key, t->key_size);
                }
                elem = mound_map_elemat_(t, base, index, slot);
                if (ret_new != NULL)
                    *ret_new = false;
                goto done;
            }
        }
        uint64_t empty = ~mound_map_full_(word) & MOUND_MAP_HIGH_;
        if (empty != 0 && free_base == NULL) {
            free_base = base;
            free_index = index;
            free_slot = mound_map_slot_(empty);
        }
        if (MOUND_MAP_LIKELY_(mound_map_has_rest_(word)) ||
            !mound_map_follow_(mound_map_overflow_(m), array, B, &base, &index))
            break;
    }
    if (MOUND_MAP_UNLIKELY_(free_base == NULL ||
                            mound_map_overload_(m->count_ + 1, B) ||
                            mound_map_too_many_overflow_(m->noverflow_, B)) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        goto slow;
    if (t->key_copy != NULL) {
        if (MOUND_MAP_UNLIKELY_(!t->key_copy(
                mound_map_keyat_(t, free_base, free_index, free_slot), key,
                t->user))) {
            mound_map_setflags_(m, flags);
            errno = ENOMEM;
            return NULL;
        }
    } else if (t->key_size > 0) {
        memcpy(mound_map_keyat_(t, free_base, free_index, free_slot), key,
               t->key_size);
    }
    elem = mound_map_elemat_(t, free_base, free_index, free_slot);
    if (t->elem_size > 0)
        memset(elem, 0, t->elem_size);
    mound_map_top_(free_base, free_index)[free_slot] = (uint8_t)top;
    m->count_++;
    if (ret_new != NULL)
        *ret_new = true;
done:
    flags = mound_map_flags_(m);
    mound_map_setflags_(m, flags & ~(unsigned)MOUND_MAP_WRITING);
    if (MOUND_MAP_UNLIKELY_(!(flags & MOUND_MAP_WRITING))) {
        mound_map_misuse_(t, m, "concurrent map writes");
        errno = EBUSY;
        return NULL;
    }
    return elem;
slow:
    mound_map_setflags_(m, flags);
    return mound_map_put_slow_(t, m, key, hash, ret_new);
}

// mound_map_remove_ is delete, for maps that are not growing.
MOUND_MAP_INLINE_ bool mound_map_remove_(const struct mound_map_type *t,
                                         struct mound_map *m, const void *key) {
    if (MOUND_MAP_UNLIKELY_(m == NULL || m->count_ == 0))
        return false;
    uint64_t hash = mound_map_hash_(t, m, key);
    unsigned flags = mound_map_flags_(m);
    if (MOUND_MAP_UNLIKELY_(flags & (MOUND_MAP_WRITING | MOUND_MAP_GROWING |
                                     MOUND_MAP_OUTGROWN)) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        return mound_map_delete_slow_(t, m, key, hash);
    mound_map_setflags_(m, flags | MOUND_MAP_WRITING);
    unsigned B = m->B_;
    unsigned top = mound_map_tophash_(hash);
    char *array = m->buckets_, *base = array;
    size_t first = hash & (((size_t)1 << B) - 1), index = first;
    bool found = false;
    for (;;) {
        uint64_t word = mound_map_topword_(base, index);
        for (uint64_t match = mound_map_match_(word, top); match != 0;
             match &= match - 1) {
            unsigned slot = mound_map_slot_(match);
            void *k = mound_map_keyat_(t, base, index, slot);
            if (!MOUND_MAP_LIKELY_(t->equal(key, k, t->user)))
                continue;
            if (t->key_drop != NULL)
                t->key_drop(k, t->user);
            if (t->elem_drop != NULL)
                t->elem_drop(mound_map_elemat_(t, base, index, slot), t->user);
            uint8_t *tops = mound_map_top_(base, index);
            tops[slot] = MOUND_MAP_EMPTY_ONE;
            if (slot == MOUND_MAP_SLOTS - 1 ||
                tops[slot + 1] == MOUND_MAP_EMPTY_REST)
                mound_map_empty_rest_(mound_map_overflow_(m), array, B, first,
                                      base, index, slot);
            if (MOUND_MAP_UNLIKELY_(--m->count_ == 0))
                mound_map_reseed_(m);
            found = true;
            goto done;
        }
        if (MOUND_MAP_LIKELY_(mound_map_has_rest_(word)) ||
            !mound_map_follow_(mound_map_overflow_(m), array, B, &base, &index))
            break;
    }
done:
    flags = mound_map_flags_(m);
    mound_map_setflags_(m, flags & ~(unsigned)MOUND_MAP_WRITING);
    if (MOUND_MAP_UNLIKELY_(!(flags & MOUND_MAP_WRITING)))
        mound_map_misuse_(t, m, "concurrent map writes");
    return found;
}

// Bits of mound_map_iter.state_.
enum {
    MOUND_MAP_ITER_WRAPPED = 1, // went past the last bucket
    MOUND_MAP_ITER_IN_OLD = 2,  // the present bucket is one of oldbuckets_
    MOUND_MAP_ITER_CHECK = 4,   // which holds entries of two buckets
    MOUND_MAP_ITER_ENDED = 8,   // end was called
};

MOUND_MAP_INLINE_ uint32_t mound_map_clearseq_(const struct mound_map *m) {
    return m->extra_ == NULL ? 0 : m->extra_->clearseq_;
}

// The slots of a tophash word that are worth a visit, in the iterator's order.
MOUND_MAP_INLINE_ uint64_t mound_map_visit_(uint64_t word, unsigned offset) {
    uint64_t full = mound_map_full_(word);
    unsigned shift = offset * 8;
    return full >> shift | full << (-shift & 63);
}

MOUND_MAP_INLINE_ unsigned mound_map_visit_slot_(uint64_t left,
                                                 unsigned offset) {
    return (mound_map_slot_(left) + offset) & (MOUND_MAP_SLOTS - 1);
}

// mound_map_advance_ is next while the map is as it was when the iterator began.
MOUND_MAP_INLINE_ bool mound_map_advance_(const struct mound_map_type *t,
                                          struct mound_map_iter *it) {
    const struct mound_map *m = it->map_;
    if (MOUND_MAP_UNLIKELY_(
            m == NULL || m->buckets_ != it->buckets_ ||
            (mound_map_flags_(m) & (MOUND_MAP_WRITING | MOUND_MAP_GROWING)) ||
            (it->state_ & MOUND_MAP_ITER_IN_OLD) ||
            mound_map_clearseq_(m) != it->clearseq_))
        return mound_map_next_slow_(it);
    unsigned B = it->B_, offset = it->offset_;
    char *base = it->base_;
    size_t index = it->index_;
    uint64_t left = it->left_;
    for (;;) {
        while (left != 0) {
            unsigned slot = mound_map_visit_slot_(left, offset);
            left &= left - 1;
            if (MOUND_MAP_UNLIKELY_(mound_map_top_(base, index)[slot] <=
                                    MOUND_MAP_EMPTY_ONE))
                continue; // deleted since the bucket was entered
            it->left_ = left;
            it->base_ = base;
            it->index_ = index;
            it->key = mound_map_keyat_(t, base, index, slot);
            it->elem = mound_map_elemat_(t, base, index, slot);
            return true;
        }
        uint64_t word = mound_map_topword_(base, index);
        if (MOUND_MAP_LIKELY_(mound_map_has_rest_(word)) ||
            !mound_map_follow_(mound_map_overflow_(m), it->buckets_, B, &base,
                               &index)) {
            if (it->bucket_ == it->start_ &&
                (it->state_ & MOUND_MAP_ITER_WRAPPED)) {
                it->left_ = 0;
                it->base_ = base;
                it->index_ = index;
                return mound_map_next_slow_(it); // ends it
            }
            base = it->buckets_;
            index = it->bucket_++;
            if (it->bucket_ >> B) {
                it->bucket_ = 0;
                it->state_ |= MOUND_MAP_ITER_WRAPPED;
            }
        }
        left = mound_map_visit_(mound_map_topword_(base, index), offset);
    }
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
    for (int i = 0; i < 1 + doubles; i++) {
        memset(mound_map_top_(m->buckets_, dst_index[i]), 0, MOUND_MAP_SLOTS);
        if (B > 0)
            *mound_map_link_(m->buckets_, dst_index[i], n) = 0;
    }
    char *base = m->oldbuckets_;
    size_t index = oldbucket;
    do {
        uint8_t *tops = mound_map_top_(base, index);
        for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++) {
            unsigned top = tops[slot];
            if (top <= MOUND_MAP_EMPTY_ONE) {
                tops[slot] = MOUND_MAP_EVACUATED_EMPTY;
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
            tops[slot] = (uint8_t)(MOUND_MAP_EVACUATED_X + y);
            if (dst_slot[y] == MOUND_MAP_SLOTS) {
                mound_map_new_overflow_(m, &dst_base[y], &dst_index[y]);
                dst_slot[y] = 0;
            }
            size_t to = dst_index[y];
            unsigned s = dst_slot[y]++;
            mound_map_top_(dst_base[y], to)[s] = (uint8_t)top;
            char *src = base + index * mound_map_datasize_(t);
            char *dst = dst_base[y] + to * mound_map_datasize_(t);
            memcpy(dst + s * mound_map_keyslot_(t),
                   src + slot * mound_map_keyslot_(t), mound_map_keyslot_(t));
            memcpy(dst + mound_map_elemoffset_(t) + s * mound_map_elemslot_(t),
                   src + mound_map_elemoffset_(t) +
                       slot * mound_map_elemslot_(t),
                   mound_map_elemslot_(t));
        }
    } while (mound_map_follow_(overflow, m->oldbuckets_, oldB, &base, &index));
}

#endif
