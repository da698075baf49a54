// mound_swiss_move.h: how a table's entries move, inlined where a type is known. Not for
// programs: they use mound_swiss.h.
#ifndef MOUND_SWISS_MOVE_H
#define MOUND_SWISS_MOVE_H

// struct mound_swiss_moves_ is what a type's move_ is told: all entries of a table go to
// one or two others. They have room, and no slot that is free before one that is not. The
// first may be the table itself: then what is to stay at home stays where it is.
struct mound_swiss_moves_ {
    struct mound_swiss_ref_ from, to[2];
    unsigned shift; // of the hash, to the bit that chooses
    unsigned two;   // 1: there is a choice, 0: all go to the first
};

// A table that is being filled: the entries of each of its first groups. The 16 tags are
// not read right after one of them was written, which waits; nor does a branch depend on
// where an entry goes, which cannot be foreseen.
struct mound_swiss_fill_ {
    struct mound_swiss_ref_ to;
    uint8_t n[MOUND_SWISS_GROUPS_MAX * 2];
};

MOUND_MAP_INLINE_ void mound_swiss_fill_begin_(const struct mound_map_type *t,
                                               struct mound_swiss_fill_ *fill,
                                               struct mound_swiss_ref_ to) {
    fill->to = to;
    for (uint64_t offset = 0;
         offset <= to.mask && offset / MOUND_SWISS_GROUP < sizeof fill->n;
         offset += MOUND_SWISS_GROUP)
        fill->n[offset / MOUND_SWISS_GROUP] = (uint8_t)__builtin_ctz(
            mound_swiss_empty_(
                mound_swiss_tags_at_(mound_swiss_group_(t, to.base, offset))) |
            (MOUND_SWISS_ALL_ + 1));
}

// mound_swiss_free_slot_ returns a free slot in the group, or MOUND_SWISS_SLOTS.
MOUND_MAP_INLINE_ unsigned
mound_swiss_free_slot_(struct mound_swiss_fill_ *fill, const uint8_t *group,
                       uint64_t offset) {
    uint64_t number = offset / MOUND_SWISS_GROUP;
    if (MOUND_MAP_LIKELY_(number < sizeof fill->n)) {
        unsigned slot = fill->n[number];
        if (MOUND_MAP_UNLIKELY_(slot == MOUND_SWISS_SLOTS) ||
            MOUND_MAP_UNLIKELY_(group[slot] != MOUND_SWISS_EMPTY))
            return MOUND_SWISS_SLOTS;
        fill->n[number] = (uint8_t)(slot + 1);
        return slot;
    }
    return (unsigned)__builtin_ctz(
        mound_swiss_empty_(mound_swiss_tags_at_(group)) |
        (MOUND_SWISS_ALL_ + 1));
}

MOUND_MAP_INLINE_ void mound_swiss_settle_(const struct mound_map_type *t,
                                           struct mound_swiss_fill_ *fill,
                                           uint64_t hash, const char *place) {
    struct mound_swiss_ref_ to = fill->to;
    uint64_t offset = mound_swiss_home_(hash, to.mask), step = 0;
    uint8_t *group = mound_swiss_group_(t, to.base, offset);
    unsigned slot;
    while (MOUND_MAP_UNLIKELY_(
        (slot = mound_swiss_free_slot_(fill, group, offset)) ==
        MOUND_SWISS_SLOTS)) {
        group[MOUND_SWISS_SLOTS] =
            (uint8_t)(group[MOUND_SWISS_SLOTS] | mound_swiss_bit_(hash));
        offset = mound_swiss_next_group_(offset, &step, to.mask);
        group = mound_swiss_group_(t, to.base, offset);
    }
    group[slot] = (uint8_t)mound_swiss_tag_(hash);
    if (mound_swiss_slotsize_(t) > 0)
        memcpy(mound_swiss_slot_(t, to.base, offset, slot), place,
               mound_swiss_slotsize_(t));
}

// mound_swiss_return_ puts an entry that was in another group than its home to the first
// free slot from home on: of the table it is in.
MOUND_MAP_INLINE_ void mound_swiss_return_(const struct mound_map_type *t,
                                           struct mound_swiss_ref_ to,
                                           uint64_t hash, const char *place) {
    uint64_t offset = mound_swiss_home_(hash, to.mask), step = 0;
    uint8_t *group = mound_swiss_group_(t, to.base, offset);
    unsigned empty;
    while ((empty = mound_swiss_empty_(mound_swiss_tags_at_(group))) == 0) {
        group[MOUND_SWISS_SLOTS] =
            (uint8_t)(group[MOUND_SWISS_SLOTS] | mound_swiss_bit_(hash));
        offset = mound_swiss_next_group_(offset, &step, to.mask);
        group = mound_swiss_group_(t, to.base, offset);
    }
    unsigned slot = (unsigned)__builtin_ctz(empty);
    group[slot] = (uint8_t)mound_swiss_tag_(hash);
    if (mound_swiss_slotsize_(t) > 0)
        memmove(mound_swiss_slot_(t, to.base, offset, slot), place,
                mound_swiss_slotsize_(t));
}

// mound_swiss_move_ is the move_ of types; what: the address of a struct
// mound_swiss_moves_.
MOUND_MAP_INLINE_ void mound_swiss_move_(const struct mound_map_type *t,
                                         struct mound_swiss *m,
                                         uintptr_t what) {
    struct mound_swiss_moves_ w = *(const struct mound_swiss_moves_ *)what;
    struct mound_swiss_fill_ fill[2];
    uint16_t strays[MOUND_SWISS_GROUPS_MAX]; // slots that are not at home
    bool inside = w.to[0].base == w.from.base;
    fill[0].to = w.to[0];
    if (!inside)
        mound_swiss_fill_begin_(t, &fill[0], w.to[0]);
    if (w.two)
        mound_swiss_fill_begin_(t, &fill[1], w.to[1]);
    for (uint64_t offset = 0; offset <= w.from.mask;
         offset += MOUND_SWISS_GROUP) {
        uint8_t *group = mound_swiss_group_(t, w.from.base, offset);
        unsigned full = mound_swiss_full_(mound_swiss_tags_at_(group));
        unsigned high = 0, away = 0;
        uint64_t hashes[MOUND_SWISS_SLOTS + 1];
        for (unsigned left = full; left != 0; left &= left - 1) {
            unsigned slot = (unsigned)__builtin_ctz(left);
            char *place = mound_swiss_slot_(t, w.from.base, offset, slot);
            uint64_t hash = mound_swiss_hash_(t, m, mound_swiss_key_(t, place));
            hashes[slot] = hash;
            high |= ((unsigned)(hash >> w.shift) & w.two) << slot;
            away |= (unsigned)(mound_swiss_home_(hash, w.from.mask) != offset)
                    << slot;
        }
        unsigned low = full & ~high;
        for (unsigned left = high; left != 0; left &= left - 1) {
            unsigned slot = (unsigned)__builtin_ctz(left);
            mound_swiss_settle_(
                t, &fill[1], hashes[slot],
                mound_swiss_slot_(t, w.from.base, offset, slot));
            if (inside)
                group[slot] = MOUND_SWISS_EMPTY;
        }
        if (inside) {
            group[MOUND_SWISS_SLOTS] = 0;
            strays[offset / MOUND_SWISS_GROUP] = (uint16_t)(away & low);
            continue;
        }
        for (; low != 0; low &= low - 1) {
            unsigned slot = (unsigned)__builtin_ctz(low);
            mound_swiss_settle_(
                t, &fill[0], hashes[slot],
                mound_swiss_slot_(t, w.from.base, offset, slot));
        }
    }
    for (uint64_t offset = 0; inside && offset <= w.from.mask;
         offset += MOUND_SWISS_GROUP) {
        unsigned stray = strays[offset / MOUND_SWISS_GROUP];
        for (; stray != 0; stray &= stray - 1) {
            unsigned slot = (unsigned)__builtin_ctz(stray);
            char *place = mound_swiss_slot_(t, w.from.base, offset, slot);
            uint64_t hash = mound_swiss_hash_(t, m, mound_swiss_key_(t, place));
            mound_swiss_group_(t, w.from.base, offset)[slot] =
                MOUND_SWISS_EMPTY;
            mound_swiss_return_(t, w.to[0], hash, place);
        }
    }
}

#endif
