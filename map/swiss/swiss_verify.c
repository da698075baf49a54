// swiss_verify.c: the invariants that mound_swiss_table.h lists, checked.
#include "swiss_grow.h"

// Whether an entry is on the path of a search for it.
static const char *verify_entry(const struct mound_map_type *t,
                                const struct mound_swiss *m,
                                struct mound_swiss_ref_ ref, uint64_t at,
                                unsigned slot) {
    const void *k =
        mound_swiss_key_(t, mound_swiss_slot_(t, ref.base, at, slot));
    if ((t->flags & MOUND_MAP_KEY_IRREFLEXIVE) && !t->equal(k, k, t->user))
        return NULL; // has no hash of its own
    uint64_t hash = mound_swiss_hash_(t, m, k), step = 0;
    if (!t->equal(k, k, t->user))
        return "a key does not equal itself, and its type does not say so";
    if (dir_ref(m, hash)->base != ref.base)
        return "an entry is in the wrong table";
    if (mound_swiss_group_(t, ref.base, at)[slot] != mound_swiss_tag_(hash))
        return "an entry has the wrong tag";
    for (uint64_t offset = mound_swiss_home_(hash, ref.mask); offset != at;
         offset = mound_swiss_next_group_(offset, &step, ref.mask))
        if (!(mound_swiss_overflow_(mound_swiss_group_(t, ref.base, offset)) &
              mound_swiss_bit_(hash)))
            return "no overflow bit leads to an entry";
    return NULL;
}

static const char *verify_table(const struct mound_map_type *t,
                                const struct mound_swiss *m,
                                struct mound_swiss_ref_ ref,
                                size_t *ret_count) {
    const struct mound_swiss_table *table = table_of(t, ref);
    size_t n = 0, count = 0, nslots = table_nslots(t, ref.mask, table->nslots_);
    for (uint64_t offset = 0; offset <= ref.mask; offset += MOUND_SWISS_GROUP) {
        const uint8_t *group = mound_swiss_group_(t, ref.base, offset);
        for (unsigned slot = 0; slot < MOUND_SWISS_SLOTS; slot++, n++) {
            if ((group[slot] == MOUND_SWISS_NO_SLOT) != (n >= nslots))
                return "a table has another number of slots";
            if (group[slot] < MOUND_SWISS_MIN_TAG)
                continue;
            const char *wrong = verify_entry(t, m, ref, offset, slot);
            if (wrong != NULL)
                return wrong;
            count++;
        }
    }
    *ret_count += count;
    int64_t limit = (int64_t)table_limit(t, ref.mask, table->nslots_);
    if (table->room_ != limit - (int64_t)count)
        return "a table has another number of entries";
    return NULL;
}

static const char *verify_dir(const struct mound_map_type *t,
                              const struct mound_swiss *m) {
    uint64_t prefix = 0;
    unsigned depth = dir_depth(m);
    dir_walk(t, ref, m) {
        const struct mound_swiss_table *table = table_of(t, *ref);
        if (table_mask(table) != ref->mask)
            return "the directory has another size of a table";
        if (table->depth_ > depth)
            return "a table is deeper than the directory";
        if (table->prefix_ != prefix)
            return "a table has the wrong prefix";
        if (table->flags_ & MOUND_SWISS_STALE)
            return "a table was replaced and is in the directory";
        for (size_t i = 0; i < (size_t)1 << (depth - table->depth_); i++)
            if (ref[i].base != ref->base || ref[i].mask != ref->mask)
                return "entries of the directory that should be alike are not";
        for (size_t i = 0; i < (size_t)1 << (depth - table->depth_); i++)
            if (m->near_[ref - m->dir_ + (ptrdiff_t)i] != dir_near(t, m, *ref))
                return "an entry of the directory for searches near is wrong";
        prefix = table_end(table);
    }
    if (depth == 0 && m->twin_ != m->one_.base)
        return "the two entries in the header are not alike";
    return prefix == 0 ? NULL : "the directory has an end of its own";
}

const char *mound_swiss_verify(const struct mound_map_type *t,
                               const struct mound_swiss *m) {
    if (m == NULL)
        return NULL;
    if (mound_swiss_flags_(m) & MOUND_SWISS_WRITING)
        return "a write is under way";
    const char *wrong = verify_dir(t, m);
    size_t count = 0;
    dir_walk(t, ref, m) {
        if (wrong == NULL)
            wrong = verify_table(t, m, *ref, &count);
    }
    if (wrong != NULL)
        return wrong;
    for (const struct mound_swiss_table *table = m->old_; table != NULL;
         table = table->next_)
        if (!(table->flags_ & MOUND_SWISS_STALE))
            return "a table waits that was not replaced";
    return count == m->count_ ? NULL : "the count is not the number of entries";
}
