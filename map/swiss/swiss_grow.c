// swiss_grow.c: see swiss_grow.h.
#include "swiss_grow.h"

#include "memory.h"

enum {
    // After look, at least this many entries are put away from home before the next:
    LOOKS = 8,     // the groups of the table / LOOKS
    FEW_LOOKS = 4, // its entries / FEW_LOOKS, if tidying did not help
    SPARSE = 8,    // a directory has no fewer entries than limits of that part
    SPARSE_DEPTH = 4,
};

static void move(const struct mound_map_type *t, struct mound_swiss *m,
                 struct mound_swiss_table *from, struct mound_swiss_ref_ low,
                 struct mound_swiss_ref_ high) {
    struct mound_swiss_moves_ w = {
        .from = {table_base(t, from), table_mask(from)},
        .to = {low, high},
        .shift = 63u - from->depth_ % 64,
        .two = high.base != NULL,
    };
    if (t->move_ != NULL)
        t->move_(t, m, (uintptr_t)&w);
    else
        mound_swiss_move_(t, m, (uintptr_t)&w);
}

static const struct mound_swiss_ref_ nowhere = {NULL, 0};

// table_entries returns how many entries a table of the directory has.
static size_t table_entries(const struct mound_map_type *t,
                            const struct mound_swiss_table *table) {
    size_t limit = table_limit(t, table_mask(table), table->nslots_);
    return (size_t)((int64_t)limit - table->room_);
}

// retire frees a table that was replaced, or lets it wait.
static void retire(const struct mound_map_type *t, struct mound_swiss *m,
                   struct mound_swiss_table *table) {
    if (!table_pinned(table)) {
        table_free(t, table);
        return;
    }
    table->flags_ |= MOUND_SWISS_STALE;
    table->next_ = m->old_;
    m->old_ = table;
    // Those beyond that number were marked when they passed it.
    size_t n = 0;
    while (table != NULL && n++ < MOUND_SWISS_WAITING_MAX)
        table = table->next_;
    if (table != NULL && !mound_map_key_plain_(t))
        table->flags_ |= MOUND_SWISS_ENDED;
}

void swiss_sweep(const struct mound_map_type *t, struct mound_swiss *m,
                 bool all) {
    size_t n = 0;
    for (struct mound_swiss_table **link = &m->old_, *table;
         (table = *link) != NULL && (all || n++ < MOUND_SWISS_WAITING_MAX);) {
        if (table_pinned(table)) {
            link = &table->next_;
            continue;
        }
        *link = table->next_;
        table_free(t, table);
    }
}

void swiss_free_old(const struct mound_map_type *t, struct mound_swiss *m) {
    for (struct mound_swiss_table *table = m->old_, *next; table != NULL;
         table = next) {
        next = table->next_;
        table_free(t, table);
    }
    m->old_ = NULL;
}

bool swiss_first(const struct mound_map_type *t, struct mound_swiss *m,
                 struct table_size size) {
    struct mound_swiss_ref_ ref = table_new(t, size, 0, 0);
    if (ref.base == NULL)
        return false;
    dir_set(t, m, ref);
    m->epoch_++;
    return true;
}

bool swiss_resize(const struct mound_map_type *t, struct mound_swiss *m,
                  struct mound_swiss_table *table, struct table_size size) {
    struct mound_swiss_ref_ to =
        table_new(t, size, table->prefix_, table->depth_);
    if (to.base == NULL)
        return false;
    move(t, m, table, to, nowhere);
    table_set_count(t, table_of(t, to), table_entries(t, table));
    dir_set(t, m, to);
    m->epoch_++;
    retire(t, m, table);
    return true;
}

bool swiss_split(const struct mound_map_type *t, struct mound_swiss *m,
                 struct mound_swiss_table *table) {
    unsigned depth = table->depth_ + 1u;
    uint64_t prefix = table->prefix_ | (uint64_t)1 << (64 - depth);
    uint64_t mask = table_mask(table);
    struct table_size size = {table_ngroups(mask), table->nslots_};
    bool inside = !table_pinned(table) && size.ngroups > 1 &&
                  size.ngroups <= MOUND_SWISS_GROUPS_MAX;
    struct mound_swiss_ref_ high = table_new(t, size, prefix, depth), low;
    if (inside)
        low = (struct mound_swiss_ref_){table_base(t, table), mask};
    else
        low = table_new(t, size, table->prefix_, depth);
    if (high.base == NULL || low.base == NULL ||
        (dir_depth(m) < depth && !dir_double(t, m))) {
        if (high.base != NULL)
            table_free(t, table_of(t, high));
        if (!inside && low.base != NULL)
            table_free(t, table_of(t, low));
        return false;
    }
    size_t count = table_entries(t, table);
    if (count == 0) {
        table_empty(t, low);
    } else {
        move(t, m, table, low, high);
        size_t nhigh = table_count(t, high);
        table_set_count(t, table_of(t, high), nhigh);
        table_set_count(t, table_of(t, low), count - nhigh);
    }
    if (inside) {
        table->depth_ = (uint8_t)depth;
        table->budget_ = (uint32_t)size.ngroups / TABLE_OVERFLOWED;
    }
    dir_set(t, m, low);
    dir_set(t, m, high);
    m->epoch_++;
    if (!inside)
        retire(t, m, table);
    return true;
}

bool swiss_join(const struct mound_map_type *t, struct mound_swiss *m,
                struct mound_swiss_table *left, struct mound_swiss_table *right,
                struct table_size size) {
    struct mound_swiss_ref_ to =
        table_new(t, size, left->prefix_, left->depth_ - 1u);
    if (to.base == NULL)
        return false;
    move(t, m, left, to, nowhere);
    move(t, m, right, to, nowhere);
    table_set_count(t, table_of(t, to),
                    table_entries(t, left) + table_entries(t, right));
    dir_set(t, m, to);
    m->epoch_++;
    table_free(t, left);
    table_free(t, right);
    return true;
}

// splits: whether a table splits when it is full, rather than grow. The directory is to
// grow in proportion to the map's count only: hashes that differ in few of their
// first bits would make it all there is.
static bool splits(const struct mound_map_type *t, const struct mound_swiss *m,
                   const struct mound_swiss_table *table) {
    if (table_ngroups(table_mask(table)) < MOUND_SWISS_GROUPS_MAX)
        return false;
    unsigned depth = dir_depth(m);
    if (table->depth_ < depth || depth < SPARSE_DEPTH)
        return true;
    uint64_t mask = MOUND_SWISS_GROUP * (MOUND_SWISS_GROUPS_MAX - 1);
    return m->count_ >> depth >= table_limit(t, mask, 0) / SPARSE;
}

static bool grow(const struct mound_map_type *t, struct mound_swiss *m,
                 struct mound_swiss_table *table) {
    if (splits(t, m, table))
        return swiss_split(t, m, table);
    struct table_size size = {table_ngroups(table_mask(table)),
                              MOUND_SWISS_SLOTS};
    if (size.ngroups > 1 || table->nslots_ == MOUND_SWISS_SLOTS)
        size.ngroups *= 2;
    return swiss_resize(t, m, table, size);
}

// overflowed returns how many groups have overflow bits: a fourth does at the highest load.
static size_t overflowed(const struct mound_map_type *t,
                         struct mound_swiss_ref_ ref) {
    size_t n = 0;
    for (uint64_t offset = 0; offset <= ref.mask; offset += MOUND_SWISS_GROUP)
        n +=
            mound_swiss_overflow_(mound_swiss_group_(t, ref.base, offset)) != 0;
    return n;
}

// tidy puts a table's entries to their homes, as far as there is room, and clears overflow
// bits of entries that were deleted; false: out of memory.
static bool tidy(const struct mound_map_type *t, struct mound_swiss *m,
                 struct mound_swiss_table *table) {
    struct mound_swiss_ref_ ref = {table_base(t, table), table_mask(table)};
    struct table_size size = {table_ngroups(ref.mask), table->nslots_};
    if (table_pinned(table) || size.ngroups > MOUND_SWISS_GROUPS_MAX)
        return swiss_resize(t, m, table, size);
    move(t, m, table, ref, nowhere);
    return true;
}

// look is called when an entry is to be put away from home. A search goes on where there
// are overflow bits, also those of deleted entries: when half of all groups have some,
// the table is tidied, and the caller searches for the entry's place again. budget_ counts
// the entries that must be put away from home before half of the groups can have some.
static bool look(const struct mound_map_type *t, struct mound_swiss *m,
                 struct mound_swiss_table *table, uint64_t hash) {
    struct mound_swiss_ref_ ref = *dir_ref(m, hash);
    size_t most = table_ngroups(ref.mask) / TABLE_OVERFLOWED;
    size_t least = table_ngroups(ref.mask) / LOOKS;
    size_t n = overflowed(t, ref);
    bool tidied = n > most && tidy(t, m, table);
    if (tidied) {
        ref = *dir_ref(m, hash);
        table = table_of(t, ref);
        n = overflowed(t, ref);
        if (n > most) // hashes with much in common
            least = table_entries(t, table) / FEW_LOOKS;
    }
    size_t budget = n < most ? most - n : 0;
    table->budget_ = (uint32_t)(budget > least ? budget : least);
    return tidied;
}

enum mound_swiss_room_ mound_swiss_make_room_(const struct mound_map_type *t,
                                              struct mound_swiss *m,
                                              uint64_t hash, bool free_slot) {
    struct mound_swiss_ref_ ref = *dir_ref(m, hash);
    if (ref.base == table_none(t))
        return swiss_first(t, m, table_fit(t, 1)) ? MOUND_SWISS_AGAIN_
                                                  : MOUND_SWISS_NO_ROOM_;
    struct mound_swiss_table *table = table_of(t, ref);
    if (!free_slot || table->room_ <= 0) {
        if (grow(t, m, table))
            return MOUND_SWISS_AGAIN_;
        return free_slot ? MOUND_SWISS_TAKE_ : MOUND_SWISS_NO_ROOM_;
    }
    if (table->budget_ > 0) {
        table->budget_--;
        return MOUND_SWISS_TAKE_;
    }
    return look(t, m, table, hash) ? MOUND_SWISS_AGAIN_ : MOUND_SWISS_TAKE_;
}

// Stale copies.

void swiss_forget(const struct mound_map_type *t, struct mound_swiss *m,
                  uint64_t hash, const void *key, const void *replacement) {
    if (mound_map_key_plain_(t))
        return;
    size_t n = 0;
    for (struct mound_swiss_table *table = m->old_;
         table != NULL && n++ < MOUND_SWISS_WAITING_MAX; table = table->next_) {
        if (table->depth_ > 0 &&
            (hash ^ table->prefix_) >> (64 - table->depth_) != 0)
            continue;
        char *base = table_base(t, table);
        uint64_t step = 0, mask = table_mask(table),
                 offset = mound_swiss_home_(hash, mask);
        do {
            uint8_t *group = mound_swiss_group_(t, base, offset);
            mound_swiss_tags_ tags = mound_swiss_tags_at_(group);
            mound_swiss_each_match_(slot, place, t, base, offset, tags, hash) {
                void *k = mound_swiss_key_(t, place);
                if (!t->equal(key, k, t->user))
                    continue;
                if (replacement == NULL)
                    group[slot] = MOUND_SWISS_EMPTY;
                else if (!mound_map_key_apart_(t))
                    memcpy(k, replacement, t->key_size);
                step = mask;
                break;
            }
            if (!(mound_swiss_overflow_(group) & mound_swiss_bit_(hash)))
                break;
            offset = mound_swiss_next_group_(offset, &step, mask);
        } while (step <= mask);
    }
}

bool swiss_walk(const struct mound_map_type *t, const struct mound_swiss *m,
                bool (*see)(const struct mound_map_type *, void *, void *,
                            void *),
                void *arg) {
    dir_walk(t, ref, m) {
        for (uint64_t offset = 0; offset <= ref->mask;
             offset += MOUND_SWISS_GROUP) {
            unsigned full = mound_swiss_full_(
                mound_swiss_tags_at_(mound_swiss_group_(t, ref->base, offset)));
            for (; full != 0; full &= full - 1) {
                char *place = mound_swiss_slot_(t, ref->base, offset,
                                                (unsigned)__builtin_ctz(full));
                if (!see(t, mound_swiss_key_(t, place),
                         mound_swiss_elem_(t, place), arg))
                    return false;
            }
        }
    }
    return true;
}
