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
    char *slots;
    const uint8_t *tags;
    uint64_t left, epoch;
    bool one; // key and elem are yet to be handed out, before the batch
    const void *key;
    void *elem;
};

MOUND_MAP_INLINE_ struct mound_swiss_cursor_
mound_swiss_cursor_of_(const struct mound_swiss_iter *it) {
    struct mound_swiss_cursor_ c;
    c.map = it->map_;
    c.slots = it->slots_;
    c.tags = it->tags_;
    c.epoch = it->epoch_;
    c.one = (it->state_ & MOUND_SWISS_ITER_ONE) != 0;
    c.left = c.one ? 0 : it->left_;
    c.key = it->key;
    c.elem = it->elem;
    return c;
}

// mound_swiss_batch_ makes the groups of a table from offset on the batch. left is which
// of their slots to visit, 16 bits a group, as they have 16 bytes of tags each.
MOUND_MAP_INLINE_ void mound_swiss_batch_(const struct mound_map_type *t,
                                          struct mound_swiss_iter *it,
                                          uint64_t offset, uint64_t left) {
    it->slots_ = mound_swiss_first_(t, it->base_, offset);
    it->tags_ = mound_swiss_group_(t, it->base_, offset);
    it->left_ = left;
}

// mound_swiss_visit_ takes the next slot off *left, which is not 0, and sets *ret to its
// place; false: its entry has been deleted since the batch was entered.
MOUND_MAP_INLINE_ bool mound_swiss_visit_(const struct mound_map_type *t,
                                          char *slots, const uint8_t *tags,
                                          uint64_t *left, char **ret) {
    unsigned bit = (unsigned)__builtin_ctzll(*left);
    *left &= *left - 1;
    // A group has a slot less than bits.
    *ret = mound_swiss_nth_(t, slots, bit - bit / MOUND_SWISS_GROUP);
    return MOUND_MAP_LIKELY_(tags[bit] != MOUND_SWISS_EMPTY);
}

// mound_swiss_visit_batch_ hands out the next entry of the batch; false: there is none, or
// only the slow path can tell. While the map's epoch is the iterator's, the table is in
// its place. An iterator without a map has no batch.
MOUND_MAP_INLINE_ bool mound_swiss_visit_batch_(const struct mound_map_type *t,
                                                struct mound_swiss_cursor_ *c) {
    while (MOUND_MAP_LIKELY_(c->left != 0)) {
        if (MOUND_MAP_UNLIKELY_(c->map->epoch_ != c->epoch))
            return false;
        char *place;
        if (MOUND_MAP_UNLIKELY_(
                !mound_swiss_visit_(t, c->slots, c->tags, &c->left, &place)))
            continue;
        c->key = mound_swiss_key_(t, place);
        c->elem = mound_swiss_elem_(t, place);
        return true;
    }
    return false;
}

// mound_swiss_fetch_ahead_ fetches the slots of the batch after the next. The processor
// sees the pattern, but anew in each page, and a table has few.
MOUND_MAP_INLINE_ void mound_swiss_fetch_ahead_(const struct mound_map_type *t,
                                                const char *slots) {
    enum { LINE = 64, LINES_MAX = 32 };
    size_t size = MOUND_SWISS_ITER_TOGETHER / MOUND_SWISS_ITER_BITS *
                  MOUND_SWISS_SLOTS * mound_swiss_slotsize_(t);
    for (size_t i = 0; i < size / LINE && i < LINES_MAX; i++)
        __builtin_prefetch((void *)((uintptr_t)slots - 2 * size - LINE * i));
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
        it->next_ = end;
        mound_swiss_batch_(t, it, end,
                           mound_swiss_full_(mound_swiss_tags_at_(
                               mound_swiss_group_(t, it->base_, end))) &
                               ((1u << it->slot_) - 1));
        return true;
    }
    uint64_t from = at;
    unsigned shift = 0;
    do {
        left |= (uint64_t)mound_swiss_full_(
                    mound_swiss_tags_at_(mound_swiss_group_(t, it->base_, at)))
                << shift;
        at += MOUND_SWISS_GROUP;
        shift += MOUND_SWISS_ITER_BITS;
    } while (at != end && shift < MOUND_SWISS_ITER_TOGETHER);
    it->next_ = at;
    mound_swiss_batch_(t, it, from, left);
    mound_swiss_fetch_ahead_(t, it->slots_);
    return true;
}

// mound_swiss_enter_batch_ takes the next batch if this one is used up, and returns true;
// false: it is not, or that needs the slow path.
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
    if (MOUND_MAP_LIKELY_(mound_swiss_visit_batch_(t, c)))
        return true;
    if (c->one) {
        c->one = false;
        c->left = it->left_;
        return true;
    }
    it->left_ = c->left;
    it->state_ |= MOUND_SWISS_ITER_GOING;
    return false;
}

#endif
