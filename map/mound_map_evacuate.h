// mound_map_evacuate.h: how an old bucket's entries move, inlined where a type is known.
// Not for programs: they use mound_map.h.
#ifndef MOUND_MAP_EVACUATE_H
#define MOUND_MAP_EVACUATE_H

// mound_map_evacuate_bucket_ moves an old bucket's entries to the array that
// replaces it. The caller has seen to it that overflow buckets will not run out.
// Source: evacuate of Go 1.19 runtime/map.go.
MOUND_MAP_INLINE_ void
mound_map_evacuate_bucket_(const struct mound_map_type *t, struct mound_map *m,
                           size_t oldbucket) {
    unsigned flags = mound_map_flags_(m);
    bool doubles = !(flags & MOUND_MAP_SAME_SIZE);
    unsigned B = m->B_, oldB = B - doubles;
    size_t newbit = (size_t)1 << oldB;
    const struct mound_map_overflow *overflow = &m->extra_->old_->overflow_;
    char *dst_base[2] = {m->buckets_, m->buckets_};
    const size_t dst_first[2] = {oldbucket, oldbucket + newbit};
    size_t dst_index[2] = {dst_first[0], dst_first[1]};
    char *dst_data[2]; // of the bucket that dst_base and dst_index name
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
        dst_data[i] = m->buckets_ + dst_first[i] * mound_map_datasize_(t);
        mound_map_prefetch_(t, dst_data[i], 0);
        if (B > 0)
            *mound_map_link_(m->buckets_, dst_index[i], B, true) = 0;
    }
    char *base = m->oldbuckets_;
    size_t index = oldbucket;
    do {
        uint64_t word = mound_map_word_(base, index);
        uint64_t marks = MOUND_MAP_EVACUATED_EMPTY * MOUND_MAP_LOW_;
        unsigned full = mound_map_full_(mound_map_tops_at_(base, index));
        for (; full != 0; full &= full - 1) {
            unsigned slot = mound_map_slot_(full), y = 0;
            unsigned top = word >> 8 * slot & 0xff;
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
            if (MOUND_MAP_UNLIKELY_(watched))
                marks ^= (uint64_t)(MOUND_MAP_EVACUATED_EMPTY ^
                                    (MOUND_MAP_EVACUATED_X + y))
                         << 8 * slot;
            if (dst_slot[y] == MOUND_MAP_SLOTS) {
                mound_map_setword_(dst_base[y], dst_index[y], dst_word[y]);
                mound_map_new_overflow_(m, &dst_base[y], &dst_index[y]);
                dst_data[y] =
                    dst_base[y] + dst_index[y] * mound_map_datasize_(t);
                dst_slot[y] = 0;
                dst_word[y] = 0;
            }
            unsigned s = dst_slot[y]++;
            dst_word[y] |= (uint64_t)top << 8 * s;
            memcpy(mound_map_keyplace_(t, dst_data[y], 0, s),
                   mound_map_keyplace_(t, base, index, slot),
                   mound_map_keyslot_(t));
            memcpy(mound_map_elemplace_(t, dst_data[y], 0, s),
                   mound_map_elemplace_(t, base, index, slot),
                   mound_map_elemslot_(t));
        }
        mound_map_setword_(base, index, marks);
    } while (mound_map_follow_(overflow, m->oldbuckets_, oldB, &base, &index));
    for (int i = 0; i < 1 + doubles; i++) {
        mound_map_setword_(dst_base[i], dst_index[i], dst_word[i]);
        if (B > 0)
            *mound_map_filter_(m->buckets_, B, dst_first[i]) = 0;
        if (MOUND_MAP_UNLIKELY_(dst_base[i] != m->buckets_ ||
                                dst_index[i] != dst_first[i]))
            mound_map_refilter_(m, dst_first[i]);
    }
}

// mound_map_move_ is the move_ of types.
MOUND_MAP_INLINE_ void mound_map_move_(const struct mound_map_type *t,
                                       struct mound_map *m, uintptr_t what) {
    mound_map_evacuate_bucket_(t, m, what);
}

#endif
