// mound_map_iter.h: the short way of next, inlined where a type is known. Not for
// programs: they use mound_map.h. map_iter.c has the rest.
#ifndef MOUND_MAP_ITER_H
#define MOUND_MAP_ITER_H

#ifdef __cplusplus
extern "C" {
#endif

MOUND_MAP_API bool mound_map_next_slow_(struct mound_map_iter *it);
// Moves an iterator on along the chains of its batch; false: they are done.
MOUND_MAP_API bool mound_map_next_link_(struct mound_map_iter *it);

#ifdef __cplusplus
}
#endif

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

// A batch's slots are bits, eight for each bucket. In a bucket the iterator begins with the
// slot of its offset, so that each eight are turned by that.
MOUND_MAP_INLINE_ uint64_t mound_map_visit_(uint64_t full, unsigned offset) {
    uint64_t low = MOUND_MAP_LOW_ * (MOUND_MAP_ALL_ >> offset);
    return (full >> offset & low) | (full << (MOUND_MAP_SLOTS - offset) & ~low);
}

// mound_map_visit_next_ takes the next slot off *left, which is not 0, and says in
// which bucket of the batch it is.
MOUND_MAP_INLINE_ size_t mound_map_visit_next_(uint64_t *left, unsigned offset,
                                               size_t *ret_bucket) {
    unsigned bit = (unsigned)__builtin_ctzll(*left);
    *left &= *left - 1;
    *ret_bucket = bit / MOUND_MAP_SLOTS;
    return (bit + offset) & (MOUND_MAP_SLOTS - 1);
}

// mound_map_state_ returns all that a write changes and most writes do not, in one word:
// flags, B, noverflow and seed.
typedef uint64_t __attribute__((may_alias)) mound_map_word_t_;
MOUND_MAP_STATIC_ASSERT_(offsetof(struct mound_map, flags_) == 8 &&
                             offsetof(struct mound_map, hash0_) == 12,
                         "the state is the second word");

MOUND_MAP_INLINE_ uint64_t mound_map_state_(const struct mound_map *m) {
    return __atomic_load_n((const mound_map_word_t_ *)(const void *)&m->flags_,
                           __ATOMIC_RELAXED);
}

// mound_map_visitable_: whether the map is as it was when the iterator last took the slow
// way. The array is the map's; the seed is the same, as clear draws another (after a
// clear the array may be freed, and another come to its address); and nobody is writing.
// While there is more to it, fast is no array's address.
MOUND_MAP_INLINE_ bool mound_map_visitable_(const struct mound_map *m,
                                            const char *fast, uint64_t seen) {
    return MOUND_MAP_LIKELY_(m->buckets_ == fast) &&
           MOUND_MAP_LIKELY_(mound_map_state_(m) == seen);
}

// struct mound_map_cursor_ is what of an iterator it takes to walk a batch. No pointer
// to it is kept anywhere, so that a loop has it in registers.
struct mound_map_cursor_ {
    const struct mound_map *map;
    char *fast, *base;
    size_t index;
    uint64_t left;
    uint64_t seen;
    unsigned offset;
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
    c.seen = it->seen_;
    c.one = (it->state_ & MOUND_MAP_ITER_ONE) != 0;
    c.key = it->key;
    c.elem = it->elem;
    return c;
}

// mound_map_visit_batch_ hands out the next entry of the batch; false: there is none,
// or it takes the slow way to tell. An iterator that has ended has none left.
MOUND_MAP_INLINE_ bool mound_map_visit_batch_(const struct mound_map_type *t,
                                              struct mound_map_cursor_ *c) {
    if (MOUND_MAP_UNLIKELY_(c->left == 0) ||
        MOUND_MAP_UNLIKELY_(!mound_map_visitable_(c->map, c->fast, c->seen)))
        return false;
    do {
        size_t bucket;
        size_t slot = mound_map_visit_next_(&c->left, c->offset, &bucket);
        size_t index = c->index + bucket;
        if (MOUND_MAP_UNLIKELY_(mound_map_top_(c->base, index)[slot] ==
                                MOUND_MAP_EMPTY))
            continue; // deleted since the bucket was entered
        c->key = mound_map_keyat_(t, c->base, index, slot);
        c->elem = mound_map_elemat_(t, c->base, index, slot);
        return true;
    } while (c->left != 0);
    return false;
}

// mound_map_enter_batch_ goes to the next buckets when the batch is done with, and
// returns true; false: it was not, or that takes the slow way.
MOUND_MAP_INLINE_ bool mound_map_enter_batch_(struct mound_map_iter *it) {
    if (MOUND_MAP_UNLIKELY_(it->map_ == NULL) ||
        MOUND_MAP_UNLIKELY_(
            !mound_map_visitable_(it->map_, it->fast_, it->seen_)) ||
        it->left_ != 0)
        return false;
    if (MOUND_MAP_UNLIKELY_(it->chains_ != 0) && mound_map_next_link_(it))
        return true;
    if (MOUND_MAP_UNLIKELY_(it->bucket_ == it->start_) &&
        (it->state_ & MOUND_MAP_ITER_WRAPPED))
        return false;
    // The slots of eight buckets make one mask, and chains come after them: a branch
    // that cannot be foreseen for eight buckets, not for each.
    unsigned B = it->B_;
    size_t end =
        it->state_ & MOUND_MAP_ITER_WRAPPED ? it->start_ : (size_t)1 << B;
    size_t index = it->bucket_;
    if (end - index > MOUND_MAP_ITER_TOGETHER)
        end = index + MOUND_MAP_ITER_TOGETHER;
    char *base = it->base_ = it->buckets_;
    it->index_ = index;
    it->batch_ = (uint32_t)index;
    uint64_t full = 0, chains = 0;
    if (MOUND_MAP_LIKELY_(end - index == MOUND_MAP_ITER_TOGETHER)) {
        full = mound_map_full_of_eight_(base, index);
        memcpy(&chains, mound_map_filter_(base, B, end - 1), sizeof chains);
        chains = __builtin_bswap64(mound_map_live_(chains));
        chains = mound_map_gather_(chains);
    } else {
        for (unsigned i = 0; index + i < end; i++) {
            mound_map_tops_ tops = mound_map_tops_at_(base, index + i);
            full |= (uint64_t)mound_map_full_(tops) << MOUND_MAP_SLOTS * i;
            if (B > 0 && *mound_map_filter_(base, B, index + i) != 0)
                chains |= (uint64_t)1 << i;
        }
    }
    it->left_ = mound_map_visit_(full, it->offset_);
    it->chains_ = (uint16_t)chains;
    it->bucket_ = (uint32_t)end;
    if (MOUND_MAP_UNLIKELY_(end >> B)) {
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
MOUND_MAP_INLINE_ bool mound_map_refill_(const struct mound_map_type *t,
                                         struct mound_map_iter *it) {
    (void)t;
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

#endif
