// mound_swiss_ops.h: get, put and delete, inlined where a type is known. Not for programs:
// they use mound_swiss.h.
//
// Each operation is one path in two steps. The first looks at a key's home group, and is
// inlined into the program: look, insert, remove. What it cannot decide there is the
// second's, compiled once for each type: seek, put_whole, delete_whole.
#ifndef MOUND_SWISS_OPS_H
#define MOUND_SWISS_OPS_H

MOUND_MAP_INLINE_ uint64_t mound_swiss_hash_(const struct mound_map_type *t,
                                             const struct mound_swiss *m,
                                             const void *key) {
    return t->hash(key, m->hash0_, t->user);
}

// Where an entry is, or may be put.
struct mound_swiss_place_ {
    char *base; // NULL: nowhere
    uint64_t offset, mask;
    unsigned slot;
};

MOUND_MAP_INLINE_ char *
mound_swiss_place_slot_(const struct mound_map_type *t,
                        const struct mound_swiss_place_ *p) {
    return mound_swiss_slot_(t, p->base, p->offset, p->slot);
}

// mound_swiss_search_ sets p to the key's place and returns true; or false, and p is the
// first free slot on its path.
MOUND_MAP_INLINE_ bool mound_swiss_search_(const struct mound_map_type *t,
                                           const struct mound_swiss *m,
                                           const void *key, uint64_t hash,
                                           struct mound_swiss_place_ *p) {
    const struct mound_swiss_ref_ *ref = mound_swiss_ref_of_(m, hash);
    char *base = ref->base;
    uint64_t step = 0, mask = p->mask = ref->mask,
             offset = mound_swiss_home_(hash, mask);
    bool on = true;
    p->base = NULL;
    p->offset = 0; // or gcc takes them for uninitialized
    p->slot = 0;
    do {
        const uint8_t *group = mound_swiss_group_(t, base, offset);
        mound_swiss_tags_ tags = mound_swiss_tags_at_(group);
        if (on) {
            mound_swiss_each_match_(slot, place, t, base, offset, tags, hash) {
                if (MOUND_MAP_LIKELY_(
                        t->equal(key, mound_swiss_key_(t, place), t->user))) {
                    p->base = base;
                    p->offset = offset;
                    p->slot = slot;
                    return true;
                }
            }
        }
        unsigned empty = mound_swiss_empty_(tags);
        if (empty != 0 && p->base == NULL) {
            p->base = base;
            p->offset = offset;
            p->slot = (unsigned)__builtin_ctz(empty);
        }
        // The key is in no later group; a free slot may be.
        on = on && (mound_swiss_overflow_(group) & mound_swiss_bit_(hash)) != 0;
        offset = mound_swiss_next_group_(offset, &step, mask);
    } while ((on || p->base == NULL) && step <= mask);
    return false;
}

// Get.

// mound_swiss_seek_ is get, given the hash. It writes nothing: any number of threads may
// be in it.
MOUND_MAP_INLINE_ void *mound_swiss_seek_(const struct mound_map_type *t,
                                          const struct mound_swiss *m,
                                          const void *key, uint64_t hash,
                                          bool looked, const void **ret_key) {
    (void)looked;
    if (MOUND_MAP_UNLIKELY_(mound_swiss_flags_(m) & MOUND_SWISS_WRITING)) {
        mound_swiss_misuse_(t, m, "concurrent map read and map write");
        return NULL;
    }
    // Not mound_swiss_search_: it would look for a free slot as well.
    const struct mound_swiss_ref_ *ref = mound_swiss_ref_of_(m, hash);
    char *base = ref->base;
    uint64_t step = 0, mask = ref->mask, offset = mound_swiss_home_(hash, mask);
    do {
        const uint8_t *group = mound_swiss_group_(t, base, offset);
        mound_swiss_tags_ tags = mound_swiss_tags_at_(group);
        mound_swiss_each_match_(slot, place, t, base, offset, tags, hash) {
            if (MOUND_MAP_UNLIKELY_(
                    !t->equal(key, mound_swiss_key_(t, place), t->user)))
                continue;
            if (ret_key != NULL)
                *ret_key = mound_swiss_key_(t, place);
            return mound_swiss_elem_(t, place);
        }
        if (!(mound_swiss_overflow_(group) & mound_swiss_bit_(hash)))
            return NULL;
        offset = mound_swiss_next_group_(offset, &step, mask);
    } while (step <= mask);
    return NULL;
}

// mound_swiss_look_ is the hot part of get: the home group.
MOUND_MAP_INLINE_ enum mound_map_look_
mound_swiss_look_(const struct mound_map_type *t, const struct mound_swiss *m,
                  const void *key, uint64_t *ret_hash, void **ret) {
    if (MOUND_MAP_UNLIKELY_(m == NULL))
        return MOUND_MAP_ABSENT_;
    uint64_t hash = *ret_hash = mound_swiss_hash_(t, m, key);
    if (MOUND_MAP_UNLIKELY_(m->flags_ != 0))
        return MOUND_MAP_UNSURE_;
    struct mound_swiss_ref_ ref = mound_swiss_near_of_(m, hash);
    char *base = ref.base;
    uint64_t offset = mound_swiss_home_(hash, ref.mask);
    const uint8_t *group = mound_swiss_group_(t, base, offset);
    mound_swiss_tags_ tags = mound_swiss_tags_at_(group);
    mound_swiss_each_match_(slot, place, t, base, offset, tags, hash) {
        if (MOUND_MAP_UNLIKELY_(
                !t->equal(key, mound_swiss_key_(t, place), t->user)))
            continue;
        *ret = mound_swiss_elem_(t, place);
        if (*ret == NULL)
            __builtin_unreachable(); // spares callers their test
        return MOUND_MAP_FOUND_;
    }
    return MOUND_MAP_LIKELY_(
               (mound_swiss_overflow_(group) & mound_swiss_bit_(hash)) == 0)
               ? MOUND_MAP_ABSENT_
               : MOUND_MAP_UNSURE_;
}

// Put.

// mound_swiss_write_end_ ends a write, with the flags as they shall be; false: somebody
// else has ended one meanwhile, and was told of.
MOUND_MAP_INLINE_ bool mound_swiss_write_end_(const struct mound_map_type *t,
                                              struct mound_swiss *m,
                                              unsigned flags) {
    if (MOUND_MAP_UNLIKELY_(!(mound_swiss_flags_(m) & MOUND_SWISS_WRITING))) {
        mound_swiss_clash_(t, m);
        return false;
    }
    mound_swiss_setflags_(m, flags);
    return true;
}

// mound_swiss_enter_ makes a free slot the key's; false: out of memory. The caller counts
// the table's entries.
MOUND_MAP_INLINE_ bool mound_swiss_enter_(const struct mound_map_type *t,
                                          struct mound_swiss *m, uint8_t *group,
                                          mound_swiss_tags_ tags, unsigned slot,
                                          char *place, const void *key,
                                          uint64_t hash) {
    char *elem = place + mound_swiss_elemoffset_(t);
    if (mound_map_key_apart_(t) || mound_map_elem_apart_(t)) {
        if (!mound_map_fill_apart_(t, place, elem, key))
            return false;
    } else {
        if (t->key_copy != NULL) {
            if (MOUND_MAP_UNLIKELY_(!t->key_copy(place, key, t->user)))
                return false;
        } else if (t->key_size > 0) {
            memcpy(place, key, t->key_size);
        }
        if (t->elem_size > 0)
            memset(elem, 0, t->elem_size);
    }
    // key_copy may have called malloc, but not the map: the tags are as they were.
    mound_swiss_fill_tag_(group, tags, slot, hash);
    m->count_++;
    return true;
}

// mound_swiss_put_inside_ is put between the beginning and the end of its write. NULL: out
// of memory, the map is unchanged.
MOUND_MAP_INLINE_ void *mound_swiss_put_inside_(const struct mound_map_type *t,
                                                struct mound_swiss *m,
                                                const void *key, uint64_t hash,
                                                bool *ret_new) {
    struct mound_swiss_place_ p;
    for (;;) {
        if (mound_swiss_search_(t, m, key, hash, &p)) {
            char *place = mound_swiss_place_slot_(t, &p);
            if ((t->flags & MOUND_MAP_KEY_UPDATE) &&
                !mound_swiss_update_key_(t, m, hash, mound_swiss_key_(t, place),
                                         key))
                return NULL;
            *ret_new = false;
            return mound_swiss_elem_(t, place);
        }
        if (p.base != NULL && p.offset == mound_swiss_home_(hash, p.mask) &&
            mound_swiss_table_(t, p.base)->room_ > 0)
            break;
        enum mound_swiss_room_ room =
            mound_swiss_make_room_(t, m, hash, p.base != NULL);
        if (room == MOUND_SWISS_NO_ROOM_)
            return NULL;
        if (room == MOUND_SWISS_TAKE_)
            break;
    }
    char *place = mound_swiss_place_slot_(t, &p);
    uint8_t *group = mound_swiss_group_(t, p.base, p.offset);
    if (!mound_swiss_enter_(t, m, group, mound_swiss_tags_at_(group), p.slot,
                            place, key, hash))
        return NULL;
    mound_swiss_table_(t, p.base)->room_--;
    uint64_t step = 0;
    for (uint64_t offset = mound_swiss_home_(hash, p.mask); offset != p.offset;
         offset = mound_swiss_next_group_(offset, &step, p.mask)) {
        uint8_t *bits =
            mound_swiss_group_(t, p.base, offset) + MOUND_SWISS_SLOTS;
        *bits = (uint8_t)(*bits | mound_swiss_bit_(hash));
    }
    *ret_new = true;
    return mound_swiss_elem_(t, place);
}

// mound_swiss_put_whole_ is put, in any state of the map.
MOUND_MAP_INLINE_ void *mound_swiss_put_whole_(const struct mound_map_type *t,
                                               struct mound_swiss *m,
                                               const void *key, uint64_t hash,
                                               bool *ret_new) {
    if (!mound_swiss_write_begin_(t, m))
        return NULL;
    bool is_new = false;
    void *elem = mound_swiss_put_inside_(t, m, key, hash, &is_new);
    if (!mound_swiss_write_end_(
            t, m, mound_swiss_flags_(m) & ~(unsigned)MOUND_SWISS_WRITING))
        return NULL;
    if (elem == NULL)
        errno = ENOMEM;
    else if (ret_new != NULL)
        *ret_new = is_new;
    return elem;
}

// mound_swiss_written_ ends a put that came to elem.
MOUND_MAP_INLINE_ void *mound_swiss_written_(const struct mound_map_type *t,
                                             struct mound_swiss *m, void *elem,
                                             bool is_new, bool *ret_new) {
    if (!mound_swiss_write_end_(t, m, 0))
        return NULL;
    if (ret_new != NULL)
        *ret_new = is_new;
    return elem;
}

// mound_swiss_watched_ says whether tables that wait may hold stale copies of keys.
MOUND_MAP_INLINE_ bool mound_swiss_watched_(const struct mound_map_type *t,
                                            const struct mound_swiss *m) {
    return !mound_map_key_plain_(t) && m->old_ != NULL;
}

// mound_swiss_insert_ is put, for keys that are in their home group, or that are not there
// while it has a free slot and the table has room: true, with the result in *ret. Else it
// returns false, nothing is changed, and the caller has a function do the whole put, given
// *ret_hash: one that takes the key by value, so that here it stays in a register.
MOUND_MAP_INLINE_ bool mound_swiss_insert_(const struct mound_map_type *t,
                                           struct mound_swiss *m,
                                           const void *key, uint64_t *ret_hash,
                                           bool *ret_new, void **ret) {
    if (MOUND_MAP_UNLIKELY_(m == NULL)) {
        *ret = mound_map_no_map_();
        return true;
    }
    uint64_t hash = *ret_hash = mound_swiss_hash_(t, m, key);
    if (MOUND_MAP_UNLIKELY_(mound_swiss_flags_(m) != 0))
        return false;
    struct mound_swiss_ref_ ref = mound_swiss_near_of_(m, hash);
    char *base = ref.base;
    uint64_t offset = mound_swiss_home_(hash, ref.mask);
    uint8_t *group = mound_swiss_group_(t, base, offset);
    mound_swiss_tags_ tags = mound_swiss_tags_at_(group);
    mound_swiss_setflags_(m, MOUND_SWISS_WRITING);
    mound_swiss_each_match_(slot, place, t, base, offset, tags, hash) {
        void *k = mound_swiss_key_(t, place);
        if (MOUND_MAP_UNLIKELY_(!t->equal(key, k, t->user)))
            continue;
        if (t->flags & MOUND_MAP_KEY_UPDATE) {
            if (t->key_copy != NULL || t->key_drop != NULL ||
                mound_swiss_watched_(t, m)) {
                mound_swiss_setflags_(m, 0);
                return false;
            }
            memcpy(k, key, t->key_size);
        }
        *ret = mound_swiss_written_(t, m, mound_swiss_elem_(t, place), false,
                                    ret_new);
        return true;
    }
    unsigned empty = mound_swiss_empty_(tags);
    struct mound_swiss_table *table = mound_swiss_table_(t, base);
    if (MOUND_MAP_UNLIKELY_(
            (mound_swiss_overflow_(group) & mound_swiss_bit_(hash)) != 0) ||
        MOUND_MAP_UNLIKELY_(empty == 0) ||
        MOUND_MAP_UNLIKELY_(table->room_ <= 0) || mound_map_key_apart_(t) ||
        mound_map_elem_apart_(t)) {
        mound_swiss_setflags_(m, 0);
        return false;
    }
    table->room_--;
    unsigned slot = (unsigned)__builtin_ctz(empty);
    char *place = mound_swiss_slot_(t, base, offset, slot);
    if (MOUND_MAP_UNLIKELY_(
            !mound_swiss_enter_(t, m, group, tags, slot, place, key, hash))) {
        table->room_++;
        mound_swiss_setflags_(m, 0);
        errno = ENOMEM;
        *ret = NULL;
        return true;
    }
    *ret =
        mound_swiss_written_(t, m, mound_swiss_elem_(t, place), true, ret_new);
    return true;
}

// Delete.

// mound_swiss_vacate_ drops an entry and empties its slot.
MOUND_MAP_INLINE_ void
mound_swiss_vacate_(const struct mound_map_type *t, struct mound_swiss *m,
                    struct mound_swiss_table *table, uint8_t *group,
                    mound_swiss_tags_ tags, unsigned slot, char *place) {
    void *k = mound_swiss_key_(t, place), *e = mound_swiss_elem_(t, place);
    if (mound_map_key_apart_(t) || mound_map_elem_apart_(t)) {
        mound_map_drop_(t, k, e);
    } else {
        if (t->key_drop != NULL)
            t->key_drop(k, t->user);
        if (t->elem_drop != NULL)
            t->elem_drop(e, t->user);
    }
    mound_swiss_empty_tag_(group, tags, slot);
    table->room_++;
    if (MOUND_MAP_UNLIKELY_(--m->count_ == 0))
        mound_swiss_emptied_(m);
}

// mound_swiss_delete_whole_ is delete, in any state of the map.
MOUND_MAP_INLINE_ bool mound_swiss_delete_whole_(const struct mound_map_type *t,
                                                 struct mound_swiss *m,
                                                 const void *key,
                                                 uint64_t hash) {
    if (!mound_swiss_write_begin_(t, m))
        return false;
    struct mound_swiss_place_ p;
    bool found = mound_swiss_search_(t, m, key, hash, &p);
    if (found) {
        char *place = mound_swiss_place_slot_(t, &p);
        if (mound_swiss_watched_(t, m))
            mound_swiss_forget_(t, m, hash, mound_swiss_key_(t, place));
        uint8_t *group = mound_swiss_group_(t, p.base, p.offset);
        mound_swiss_vacate_(t, m, mound_swiss_table_(t, p.base), group,
                            mound_swiss_tags_at_(group), p.slot, place);
    }
    mound_swiss_write_end_(
        t, m, mound_swiss_flags_(m) & ~(unsigned)MOUND_SWISS_WRITING);
    return found;
}

// mound_swiss_remove_ is delete, for keys that are in their home group or nowhere. Else it
// returns MOUND_MAP_UNSURE_, nothing is changed, and the rest is the caller's, as above.
MOUND_MAP_INLINE_ enum mound_map_look_
mound_swiss_remove_(const struct mound_map_type *t, struct mound_swiss *m,
                    const void *key, uint64_t *ret_hash) {
    if (MOUND_MAP_UNLIKELY_(m == NULL))
        return MOUND_MAP_ABSENT_;
    uint64_t hash = *ret_hash = mound_swiss_hash_(t, m, key);
    if (MOUND_MAP_UNLIKELY_(mound_swiss_flags_(m) != 0) ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t) ||
        mound_swiss_watched_(t, m))
        return MOUND_MAP_UNSURE_;
    struct mound_swiss_ref_ ref = mound_swiss_near_of_(m, hash);
    char *base = ref.base;
    uint64_t offset = mound_swiss_home_(hash, ref.mask);
    uint8_t *group = mound_swiss_group_(t, base, offset);
    mound_swiss_tags_ tags = mound_swiss_tags_at_(group);
    mound_swiss_setflags_(m, MOUND_SWISS_WRITING);
    mound_swiss_each_match_(slot, place, t, base, offset, tags, hash) {
        if (MOUND_MAP_UNLIKELY_(
                !t->equal(key, mound_swiss_key_(t, place), t->user)))
            continue;
        mound_swiss_vacate_(t, m, mound_swiss_table_(t, base), group, tags,
                            slot, place);
        mound_swiss_write_end_(t, m, 0);
        return MOUND_MAP_FOUND_;
    }
    bool on = (mound_swiss_overflow_(group) & mound_swiss_bit_(hash)) != 0;
    if (MOUND_MAP_UNLIKELY_(on)) {
        mound_swiss_setflags_(m, 0);
        return MOUND_MAP_UNSURE_;
    }
    mound_swiss_write_end_(t, m, 0);
    return MOUND_MAP_ABSENT_;
}

#endif
