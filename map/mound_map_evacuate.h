// mound_map_evacuate.h: how an old bucket's entries move, inlined where a type is known.
// Not for programs: they use mound_map.h.
#ifndef MOUND_MAP_EVACUATE_H
#define MOUND_MAP_EVACUATE_H

enum {
    MOUND_MAP_DEAL_MAX = 64, // bytes of a slot's key and element
    MOUND_MAP_AHEAD = 8, // buckets between what is moved and what is fetched
};

// struct mound_map_dealt_ is how a base bucket's entries were dealt to two: the tophash
// words of these, and their entries.
struct mound_map_dealt_ {
    uint64_t word0, word1;
    unsigned n0, n1;
};

// struct mound_map_dest_ is a bucket that entries go to: it, its data, its entries, and
// its tophash bytes, which are written as a word when all have come.
struct mound_map_dest_ {
    char *base;
    size_t index;
    char *data;
    uint64_t word;
    unsigned n;
};

// mound_map_seconds_ returns a byte of 1 for each slot of a bucket whose entry goes to the
// second of two buckets. Of a key that is a number the hash may be taken of any bytes:
// then no branch depends on which slots are empty.
MOUND_MAP_INLINE_ uint64_t mound_map_seconds_(const struct mound_map_type *t,
                                              const struct mound_map *m,
                                              char *from, uint64_t live,
                                              unsigned oldB) {
    uint64_t seconds = 0;
    if (t->flags & MOUND_MAP_KEY_NUMBER) {
        MOUND_MAP_UNROLL_
        for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++) {
            const void *k = mound_map_keyplace_(t, from, 0, slot);
            seconds |= (mound_map_hash_(t, m, k) >> oldB & 1) << 8 * slot;
            MOUND_MAP_IN_ORDER_(seconds);
        }
        return seconds & live; // and what empty slots have decides nothing
    }
    for (; live != 0; live &= live - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(live) / 8;
        const void *k = mound_map_keyat_(t, from, 0, slot);
        seconds |= (mound_map_hash_(t, m, k) >> oldB & 1) << 8 * slot;
    }
    return seconds;
}

// mound_map_deal_ moves the entries of a base bucket with these tophash bytes to two
// others. What is in empty slots moves, too, to where the next entry will be or nothing
// is, so that the slots are eight equal steps: no branch depends on where an entry goes,
// which cannot be foreseen.
MOUND_MAP_INLINE_ struct mound_map_dealt_
mound_map_deal_(const struct mound_map_type *t, char *from, char *to,
                size_t apart, uint64_t word, uint64_t live, uint64_t seconds) {
    uint64_t live1 = live & seconds, live0 = live ^ live1;
    // The slot that an entry goes to: as many as go to the same bucket before it. A
    // product with this adds up the bytes below each.
    const uint64_t below = MOUND_MAP_LOW_ << 8;
    uint64_t mask = seconds * MOUND_MAP_ALL_;
    uint64_t places = (live1 * below & mask) | (live0 * below & ~mask);
    uint64_t words = 0, word1 = 0;
    MOUND_MAP_UNROLL_
    for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++) {
        unsigned s = places >> 8 * slot & 0xff;
        uint64_t all = -(seconds >> 8 * slot & 1);
        uint64_t top = (word >> 8 * slot & 0xff) << 8 * s;
        words ^= top;
        word1 ^= top & all;
        char *data = to + (apart & all);
        memcpy(mound_map_keyplace_(t, data, 0, s),
               mound_map_keyplace_(t, from, 0, slot), mound_map_keyslot_(t));
        memcpy(mound_map_elemplace_(t, data, 0, s),
               mound_map_elemplace_(t, from, 0, slot), mound_map_elemslot_(t));
        MOUND_MAP_IN_ORDER_(words);
        MOUND_MAP_IN_ORDER_(word1);
        MOUND_MAP_IN_ORDER_(word);
        MOUND_MAP_IN_ORDER_(places);
        MOUND_MAP_IN_ORDER_(seconds);
    }
    struct mound_map_dealt_ d;
    d.word0 = words ^ word1;
    d.word1 = word1;
    d.n0 = (unsigned)(live0 * MOUND_MAP_LOW_ >> 56);
    d.n1 = (unsigned)(live1 * MOUND_MAP_LOW_ >> 56);
    return d;
}

// mound_map_carry_ moves the entry of one slot to a bucket, or one that is appended to it.
MOUND_MAP_INLINE_ void mound_map_carry_(const struct mound_map_type *t,
                                        struct mound_map *m, char *from,
                                        unsigned slot, unsigned top,
                                        struct mound_map_dest_ *to) {
    if (to->n == MOUND_MAP_SLOTS) {
        mound_map_setword_(to->base, to->index, to->word);
        mound_map_new_overflow_(m, &to->base, &to->index);
        to->data = to->base + to->index * mound_map_datasize_(t);
        to->n = 0;
        to->word = 0;
    }
    unsigned s = to->n++;
    to->word |= (uint64_t)top << 8 * s;
    memcpy(mound_map_keyplace_(t, to->data, 0, s),
           mound_map_keyplace_(t, from, 0, slot), mound_map_keyslot_(t));
    memcpy(mound_map_elemplace_(t, to->data, 0, s),
           mound_map_elemplace_(t, from, 0, slot), mound_map_elemslot_(t));
}

// mound_map_ahead_ fetches old bucket index, with the one that follows in its chain, and
// where they will go: buckets are moved two a write, and between the writes the program
// and the processor do other things than to read on in a row.
MOUND_MAP_INLINE_ void mound_map_ahead_(const struct mound_map_type *t,
                                        const struct mound_map *m,
                                        unsigned oldB, size_t index) {
    size_t nold = (size_t)1 << oldB;
    if (index >= nold)
        return;
    char *base = m->oldbuckets_;
    mound_map_prefetch_(t, base, index);
    // Lines of eight and of sixteen, in which the next ones are, too.
    __builtin_prefetch(mound_map_top_(base, index + MOUND_MAP_SLOTS));
    __builtin_prefetch(
        mound_map_link_(base, index + 2 * MOUND_MAP_SLOTS, oldB, true));
    mound_map_prefetch_(t, m->buckets_, index);
    mound_map_prefetch_(t, m->buckets_, index + nold);
    if (mound_map_follow_(&m->extra_->old_->overflow_, base, oldB, &base,
                          &index)) {
        __builtin_prefetch(mound_map_top_(base, index));
        mound_map_prefetch_(t, base, index);
    }
}

// mound_map_evacuate_bucket_ moves an old bucket's entries to the array that
// replaces it. The caller has made sure that there are overflow buckets enough.
// Source: evacuate of Go 1.19 runtime/map.go.
MOUND_MAP_INLINE_ void
mound_map_evacuate_bucket_(const struct mound_map_type *t, struct mound_map *m,
                           size_t oldbucket) {
    unsigned flags = mound_map_flags_(m);
    bool doubles = !(flags & MOUND_MAP_SAME_SIZE);
    unsigned B = m->B_, oldB = B - doubles;
    size_t newbit = (size_t)1 << oldB;
    const struct mound_map_old *old = m->extra_->old_;
    // Only an iterator that is under way now will look at what is left behind. Without
    // one there is nothing to be found, or to be marked when a key is deleted.
    bool watched = __atomic_load_n(&m->niterators_, __ATOMIC_RELAXED) != 0 ||
                   old->niterators_ != 0;
    size_t size = mound_map_datasize_(t), second = oldbucket;
    if (B > 0) {
        *mound_map_link_(m->buckets_, oldbucket, B, true) = 0;
        *mound_map_filter_(m->buckets_, B, oldbucket) = 0;
    }
    if (doubles) {
        second += newbit;
        *mound_map_link_(m->buckets_, second, B, true) = 0;
        *mound_map_filter_(m->buckets_, B, second) = 0;
    }
    char *base = m->oldbuckets_;
    size_t index = oldbucket;
    if (oldbucket == m->nevacuate_)
        mound_map_ahead_(t, m, oldB, oldbucket + MOUND_MAP_AHEAD);
    struct mound_map_dealt_ d = {0, 0, 0, 0};
    bool more = true;
    if (!(t->flags & MOUND_MAP_KEY_IRREFLEXIVE) &&
        mound_map_keyslot_(t) + mound_map_elemslot_(t) <= MOUND_MAP_DEAL_MAX) {
        char *from = base + index * size;
        uint64_t word = mound_map_word_(base, index);
        uint64_t live = mound_map_live_(word), seconds = 0;
        if (doubles)
            seconds = mound_map_seconds_(t, m, from, live, oldB);
        d = mound_map_deal_(t, from, m->buckets_ + oldbucket * size,
                            (second - oldbucket) * size, word, live, seconds);
        uint64_t marks = MOUND_MAP_EVACUATED_EMPTY * MOUND_MAP_LOW_;
        if (MOUND_MAP_UNLIKELY_(watched)) // X is two below empty, Y one
            marks -= 2 * live - (live & seconds);
        mound_map_setword_(base, index, marks);
        more = mound_map_follow_(&old->overflow_, m->oldbuckets_, oldB, &base,
                                 &index);
        if (MOUND_MAP_LIKELY_(!more)) {
            mound_map_setword_(m->buckets_, oldbucket, d.word0);
            if (doubles)
                mound_map_setword_(m->buckets_, second, d.word1);
            return;
        }
    }
    struct mound_map_dest_ to[2] = {
        {m->buckets_, oldbucket, m->buckets_ + oldbucket * size, d.word0, d.n0},
        {m->buckets_, second, m->buckets_ + second * size, d.word1, d.n1}};
    while (more) {
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
            mound_map_carry_(t, m, base + index * size, slot, top, &to[y]);
        }
        mound_map_setword_(base, index, marks);
        more = mound_map_follow_(&old->overflow_, m->oldbuckets_, oldB, &base,
                                 &index);
    }
    for (unsigned i = 0; i < 1u + doubles; i++) {
        mound_map_setword_(to[i].base, to[i].index, to[i].word);
        size_t first = oldbucket + i * newbit;
        if (MOUND_MAP_UNLIKELY_(to[i].base != m->buckets_ ||
                                to[i].index != first))
            mound_map_refilter_(m, first);
    }
}

// mound_map_move_ is the move_ of types.
MOUND_MAP_INLINE_ void mound_map_move_(const struct mound_map_type *t,
                                       struct mound_map *m, uintptr_t what) {
    mound_map_evacuate_bucket_(t, m, what);
}

#endif
