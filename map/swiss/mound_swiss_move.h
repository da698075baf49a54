// mound_swiss_move.h: how a table's entries move, inlined where a type is known. Not for
// programs: they use mound_swiss.h.
#ifndef MOUND_SWISS_MOVE_H
#define MOUND_SWISS_MOVE_H

// struct mound_swiss_moves_ is what a type's move_ is told: all entries of a table go to
// one or two others. They have room. The first may be the table itself: then what is to
// stay at home stays where it is.
struct mound_swiss_moves_ {
    struct mound_swiss_ref_ from, to[2];
    unsigned shift; // of the hash, to the bit that chooses
    unsigned two;   // 1: there is a choice, 0: all go to the first
};

// Where entries were put last: the next of the same home comes beside it.
struct mound_swiss_fill_ {
    uint64_t offset;
    unsigned slot;
};

MOUND_MAP_INLINE_ void mound_swiss_settle_(const struct mound_map_type *t,
                                           const struct mound_swiss_ref_ *to,
                                           struct mound_swiss_fill_ *fill,
                                           uint64_t hash, const char *place) {
    uint64_t offset = mound_swiss_home_(hash, to->mask), step = 0;
    uint8_t *group = mound_swiss_group_(t, to->base, offset);
    unsigned slot = fill->slot;
    // All tags at once are not read right after one was written: that waits.
    if (offset != fill->offset || slot == MOUND_SWISS_SLOTS ||
        group[slot] != MOUND_SWISS_EMPTY) {
        unsigned empty;
        while ((empty = mound_swiss_empty_(mound_swiss_tags_at_(group))) == 0) {
            group[MOUND_SWISS_SLOTS] =
                (uint8_t)(group[MOUND_SWISS_SLOTS] | mound_swiss_bit_(hash));
            offset = mound_swiss_next_group_(offset, &step, to->mask);
            group = mound_swiss_group_(t, to->base, offset);
        }
        slot = (unsigned)__builtin_ctz(empty);
    }
    fill->offset = offset;
    fill->slot = slot + 1;
    group[slot] = (uint8_t)mound_swiss_tag_(hash);
    if (mound_swiss_slotsize_(t) > 0)
        memmove(mound_swiss_slot_(t, to->base, offset, slot), place,
                mound_swiss_slotsize_(t));
}

// mound_swiss_move_ is the move_ of types; what: the address of a struct mound_swiss_moves_.
MOUND_MAP_INLINE_ void mound_swiss_move_(const struct mound_map_type *t,
                                         struct mound_swiss *m,
                                         uintptr_t what) {
    struct mound_swiss_moves_ w = *(const struct mound_swiss_moves_ *)what;
    struct mound_swiss_fill_ fill[2] = {{UINT64_MAX, 0}, {UINT64_MAX, 0}};
    bool inside = w.to[0].base == w.from.base;
    uint16_t strays[MOUND_SWISS_GROUPS_MAX]; // slots that are not at home
    for (uint64_t offset = 0; offset <= w.from.mask;
         offset += MOUND_SWISS_GROUP) {
        uint8_t *group = mound_swiss_group_(t, w.from.base, offset);
        unsigned full = mound_swiss_full_(mound_swiss_tags_at_(group)),
                 stray = 0;
        if (inside)
            group[MOUND_SWISS_SLOTS] = 0;
        for (; full != 0; full &= full - 1) {
            unsigned slot = (unsigned)__builtin_ctz(full);
            char *place = mound_swiss_slot_(t, w.from.base, offset, slot);
            uint64_t hash = mound_swiss_hash_(t, m, mound_swiss_key_(t, place));
            unsigned which = (unsigned)(hash >> w.shift) & w.two;
            if (inside && which == 0) {
                stray |=
                    (unsigned)(mound_swiss_home_(hash, w.from.mask) != offset)
                    << slot;
                continue;
            }
            mound_swiss_settle_(t, &w.to[which], &fill[which], hash, place);
            if (inside)
                group[slot] = MOUND_SWISS_EMPTY;
        }
        if (inside)
            strays[offset / MOUND_SWISS_GROUP] = (uint16_t)stray;
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
            mound_swiss_settle_(t, &w.to[0], &fill[0], hash, place);
        }
    }
}

#endif
