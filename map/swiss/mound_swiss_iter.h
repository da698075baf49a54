// mound_swiss_iter.h: the short way of next, inlined where a type is known. Not for
// programs: they use mound_swiss.h. swiss_iter.c has the rest.
#ifndef MOUND_SWISS_ITER_H
#define MOUND_SWISS_ITER_H

#ifdef __cplusplus
extern "C" {
#endif

MOUND_MAP_API bool mound_swiss_next_slow_(struct mound_swiss_iter *it);

#ifdef __cplusplus
}
#endif

enum {
    MOUND_SWISS_ITER_BITS = 16, // of left_, for each group of a batch
    MOUND_SWISS_ITER_TOGETHER = 64,
};

// An iterator's epoch_ while next has to go the long way: no map's.
#define MOUND_SWISS_ITER_SLOW_ UINT64_MAX

// Bits of mound_swiss_iter.state_.
enum {
    MOUND_SWISS_ITER_WRAPPED = 1, // went past the table's last group
    MOUND_SWISS_ITER_LAST = 2,  // is at the slots of the first before the first
    MOUND_SWISS_ITER_ENDED = 4, // end was called
    MOUND_SWISS_ITER_GOING = 8, // foreach: not left by a break
    MOUND_SWISS_ITER_ONE = 16, // foreach: key and elem are yet to be handed out
    MOUND_SWISS_ITER_PINNED = 32, // foreach: the header waits for its end
};

// struct mound_swiss_cursor_ is what of an iterator it takes to walk a batch. No pointer
// to it is kept anywhere, so that a loop has it in registers.
struct mound_swiss_cursor_ {
    const struct mound_swiss *map;
    char *base;
    uint64_t offset, left, epoch;
    bool one; // key and elem are yet to be handed out
    const void *key;
    void *elem;
};

MOUND_MAP_INLINE_ struct mound_swiss_cursor_
mound_swiss_cursor_of_(const struct mound_swiss_iter *it) {
    struct mound_swiss_cursor_ c;
    c.map = it->map_;
    c.base = it->base_;
    c.offset = it->offset_;
    c.left = it->left_;
    c.epoch = it->epoch_;
    c.one = (it->state_ & MOUND_SWISS_ITER_ONE) != 0;
    c.key = it->key;
    c.elem = it->elem;
    return c;
}

// mound_swiss_visit_ takes the next slot off *left, which is not 0; false: its entry has
// been deleted since the batch was entered.
MOUND_MAP_INLINE_ bool mound_swiss_visit_(const struct mound_map_type *t,
                                          char *base, uint64_t *offset,
                                          uint64_t *left, unsigned *ret_slot) {
    unsigned bit = (unsigned)__builtin_ctzll(*left);
    *left &= *left - 1;
    *offset += bit / MOUND_SWISS_ITER_BITS * MOUND_SWISS_GROUP;
    *ret_slot = bit % MOUND_SWISS_ITER_BITS;
    return mound_swiss_group_(t, base, *offset)[*ret_slot] != MOUND_SWISS_EMPTY;
}

// mound_swiss_visit_batch_ hands out the next entry of the batch; false: there is none, or
// it takes the long way to tell. While the map's epoch is the iterator's, the table is in
// its place.
MOUND_MAP_INLINE_ bool mound_swiss_visit_batch_(const struct mound_map_type *t,
                                                struct mound_swiss_cursor_ *c) {
    if (MOUND_MAP_UNLIKELY_(c->map == NULL) ||
        MOUND_MAP_UNLIKELY_(c->map->epoch_ != c->epoch))
        return false;
    while (MOUND_MAP_LIKELY_(c->left != 0)) {
        uint64_t offset = c->offset;
        unsigned slot;
        if (MOUND_MAP_UNLIKELY_(
                !mound_swiss_visit_(t, c->base, &offset, &c->left, &slot)))
            continue;
        char *place = mound_swiss_slot_(t, c->base, offset, slot);
        c->key = mound_swiss_key_(t, place);
        c->elem = mound_swiss_elem_(t, place);
        return true;
    }
    return false;
}

// mound_swiss_enter_groups_ goes to the table's next groups and returns true; false: there
// are none. The first group's slots before the one that the walk began with come last.
MOUND_MAP_INLINE_ bool mound_swiss_enter_groups_(const struct mound_map_type *t,
                                                 struct mound_swiss_iter *it) {
    uint64_t at = it->next_, left = 0;
    uint64_t end = it->state_ & MOUND_SWISS_ITER_WRAPPED
                       ? it->start_
                       : it->mask_ + MOUND_SWISS_GROUP;
    if (MOUND_MAP_UNLIKELY_(at == end) &&
        !(it->state_ & MOUND_SWISS_ITER_WRAPPED)) {
        it->state_ |= MOUND_SWISS_ITER_WRAPPED;
        at = 0;
        end = it->start_;
    }
    if (MOUND_MAP_UNLIKELY_(at == end)) {
        if (it->state_ & MOUND_SWISS_ITER_LAST)
            return false;
        it->state_ |= MOUND_SWISS_ITER_LAST;
        it->offset_ = it->next_ = end;
        it->left_ = mound_swiss_full_(mound_swiss_tags_at_(
                        mound_swiss_group_(t, it->base_, end))) &
                    ((1u << it->slot_) - 1);
        return true;
    }
    it->offset_ = at;
    unsigned shift = 0;
    do {
        left |= (uint64_t)mound_swiss_full_(
                    mound_swiss_tags_at_(mound_swiss_group_(t, it->base_, at)))
                << shift;
        at += MOUND_SWISS_GROUP;
        shift += MOUND_SWISS_ITER_BITS;
    } while (at != end && shift < MOUND_SWISS_ITER_TOGETHER);
    it->next_ = at;
    it->left_ = left;
    return true;
}

// mound_swiss_enter_batch_ goes on when the batch is done with, and returns true; false:
// it was not, or that takes the long way.
MOUND_MAP_INLINE_ bool mound_swiss_enter_batch_(const struct mound_map_type *t,
                                                struct mound_swiss_iter *it) {
    if (MOUND_MAP_UNLIKELY_(it->map_ == NULL) ||
        MOUND_MAP_UNLIKELY_(it->map_->epoch_ != it->epoch_) ||
        MOUND_MAP_UNLIKELY_(mound_swiss_flags_(it->map_) &
                            MOUND_SWISS_WRITING) ||
        it->left_ != 0)
        return false;
    return mound_swiss_enter_groups_(t, it);
}

// mound_swiss_advance_ is next.
MOUND_MAP_INLINE_ bool mound_swiss_advance_(const struct mound_map_type *t,
                                            struct mound_swiss_iter *it) {
    do {
        struct mound_swiss_cursor_ c = mound_swiss_cursor_of_(it);
        bool found = mound_swiss_visit_batch_(t, &c);
        it->left_ = c.left;
        if (MOUND_MAP_LIKELY_(found)) {
            it->key = c.key;
            it->elem = c.elem;
            return true;
        }
    } while (mound_swiss_enter_batch_(t, it));
    return mound_swiss_next_slow_(it);
}

// foreach is two loops: the outer one finds a batch, or one entry by the long way, the
// inner one hands out what was found. A break out of the inner loop leaves GOING unset,
// which ends the outer one.
MOUND_MAP_INLINE_ bool mound_swiss_refill_(const struct mound_map_type *t,
                                           struct mound_swiss_iter *it) {
    if (!(it->state_ & MOUND_SWISS_ITER_GOING))
        return false;
    it->state_ &=
        (uint8_t) ~(unsigned)(MOUND_SWISS_ITER_GOING | MOUND_SWISS_ITER_ONE);
    if (mound_swiss_enter_batch_(t, it))
        return true;
    if (!mound_swiss_next_slow_(it))
        return false;
    it->state_ |= MOUND_SWISS_ITER_ONE;
    return true;
}

MOUND_MAP_INLINE_ bool mound_swiss_step_(const struct mound_map_type *t,
                                         struct mound_swiss_iter *it,
                                         struct mound_swiss_cursor_ *c) {
    if (MOUND_MAP_UNLIKELY_(c->one)) {
        c->one = false;
        return true;
    }
    if (MOUND_MAP_LIKELY_(mound_swiss_visit_batch_(t, c)))
        return true;
    it->left_ = c->left;
    it->state_ |= MOUND_SWISS_ITER_GOING;
    return false;
}

#endif
