// swiss_whole.c: the operations on a Swiss map as a whole: cloning, sizing, and what is
// told of it.
#include "map_type.h"
#include "memory.h"
#include "swiss_grow.h"
#include "swiss_write.h"

enum {
    INFO_WRITING = 4, // as in Go's flags
    DEPTH_MAX = 32,   // of a directory that reserve makes
    SPREAD = 2,       // standard deviations
    PROBED = 1 << 30, // bytes that reserve looks for before it takes them
};

// A clone on its way.
struct clone {
    struct mound_swiss *to;
    const void *half; // the element that could not be copied
};

static bool clone_entry(const struct mound_map_type *t, void *key, void *elem,
                        void *arg) {
    struct clone *c = (struct clone *)arg;
    // put takes an irreflexive key for new, as it should.
    void *slot = mound_swiss_put(t, c->to, key, NULL);
    if (slot == NULL)
        return false;
    if (map_type_copy_elem(t, slot, elem))
        return true;
    c->half = slot;
    return false;
}

// clone_drop drops what a clone has so far. One entry may have a key only.
static bool clone_drop(const struct mound_map_type *t, void *key, void *elem,
                       void *arg) {
    map_type_drop(t, key, elem, ((const struct clone *)arg)->half);
    return true;
}

struct mound_swiss *mound_swiss_clone(const struct mound_map_type *t,
                                      const struct mound_swiss *m) {
    if (m != NULL && (mound_swiss_flags_(m) & MOUND_SWISS_WRITING)) {
        mound_swiss_misuse_(t, m, "concurrent map iteration and map write");
        errno = EBUSY;
        return NULL;
    }
    struct clone c = {mound_swiss_make(t, mound_swiss_len(m)), NULL};
    if (m == NULL || c.to == NULL || swiss_walk(t, m, clone_entry, &c))
        return c.to;
    swiss_walk(t, c.to, clone_drop, &c);
    struct mound_map_type dropped = *t;
    dropped.key_drop = NULL;
    dropped.elem_drop = NULL;
    mound_swiss_free(&dropped, c.to);
    errno = ENOMEM;
    return NULL;
}

// Sizing.

static const uint64_t max_mask =
    MOUND_SWISS_GROUP * (MOUND_SWISS_GROUPS_MAX - 1);

// Tables of the largest size share n entries evenly, but for chance. Twice the square root
// of a table's limit (two standard deviations) is left free, so that at most one table in
// 44 gets more entries than it has room for, and splits while the map is filled. More room
// would double the number of tables if n is close to what they hold.
static unsigned depth_for(const struct mound_map_type *t, size_t n) {
    size_t limit = table_limit(t, max_mask, 0), spread = 1;
    while (spread * spread < SPREAD * SPREAD * limit)
        spread++;
    unsigned depth = 0;
    while (depth < DEPTH_MAX && n >> depth > limit - spread)
        depth++;
    return depth;
}

// holds says whether the system may have that many bytes. Tables are allocated one by one:
// without this trial a number of entries that is too large would use up all memory first.
static bool holds(const struct mound_map_type *t, size_t bytes) {
    if (bytes < PROBED)
        return true;
    void *p = memory_new(t, bytes, MEMORY_ALIGN);
    memory_free(t, p, bytes);
    return p != NULL;
}

bool swiss_reserve(const struct mound_map_type *t, struct mound_swiss *m,
                   size_t n) {
    if (n >= SIZE_MAX / 16)
        return false;
    struct table_size size = table_fit(t, n);
    unsigned depth = 0;
    if (size.ngroups > MOUND_SWISS_GROUPS_MAX) {
        depth = depth_for(t, n);
        if (depth == DEPTH_MAX)
            return false;
        size = (struct table_size){MOUND_SWISS_GROUPS_MAX, MOUND_SWISS_SLOTS};
        if (!holds(t, table_bytes_of(t, max_mask) << depth))
            return false;
    }
    if (dir_first(t, m) == NULL && !swiss_first(t, m, size))
        return false;
    // Prefixes are visited in their order, while the directory grows under them.
    uint64_t prefix = 0;
    do {
        struct mound_swiss_table *table = swiss_table_of(t, m, prefix);
        struct table_size share = table->depth_ <= depth
                                      ? size
                                      : table_fit(t, (n >> table->depth_) + 1);
        if (table_nslots(t, table_mask(table), table->nslots_) <
                table_nslots(t, MOUND_SWISS_GROUP * (share.ngroups - 1),
                             share.nslots) &&
            !swiss_resize(t, m, table, share))
            return false;
        while ((table = swiss_table_of(t, m, prefix))->depth_ < depth)
            if (!swiss_split(t, m, table))
                return false;
        prefix = table_end(table);
    } while (prefix != 0);
    return true;
}

bool mound_swiss_reserve(const struct mound_map_type *t, struct mound_swiss *m,
                         size_t n) {
    if (m == NULL) {
        errno = EINVAL;
        return false;
    }
    if (!swiss_writable(t, m))
        return false;
    swiss_write_begin(m);
    bool done = n <= MOUND_SWISS_FIRST || swiss_reserve(t, m, n);
    if (!swiss_write_end(t, m))
        return false;
    if (!done)
        errno = ENOMEM;
    return done;
}

static bool any_pinned(const struct mound_map_type *t,
                       const struct mound_swiss *m) {
    if (m->old_ != NULL)
        return true;
    dir_walk(t, ref, m) {
        if (table_pinned(table_of(t, *ref)))
            return true;
    }
    return false;
}

// share_fit is table_fit for a table of that depth. One of several has
// at least the size at which tables split, so that all have one mask (near_).
static struct table_size share_fit(const struct mound_map_type *t, size_t n,
                                   unsigned depth) {
    struct table_size size = table_fit(t, n);
    if (depth > 0 && size.ngroups < MOUND_SWISS_GROUPS_MAX)
        size = (struct table_size){MOUND_SWISS_GROUPS_MAX, MOUND_SWISS_SLOTS};
    return size;
}

// join_below joins the tables of hashes that begin with the depth bits of prefix, wherever
// two fit into one. *ret_count is how many entries they have; false: out of memory.
static bool join_below(const struct mound_map_type *t, struct mound_swiss *m,
                       uint64_t prefix, unsigned depth, size_t *ret_count) {
    struct mound_swiss_table *left = swiss_table_of(t, m, prefix);
    if (left->depth_ <= depth) {
        *ret_count = table_count(t, *dir_ref(m, prefix));
        return true;
    }
    uint64_t half = prefix | (uint64_t)1 << (63 - depth);
    size_t nleft, nright;
    if (!join_below(t, m, prefix, depth + 1, &nleft) ||
        !join_below(t, m, half, depth + 1, &nright))
        return false;
    *ret_count = nleft + nright;
    left = swiss_table_of(t, m, prefix);
    struct mound_swiss_table *right = swiss_table_of(t, m, half);
    if (left->depth_ != depth + 1 || right->depth_ != depth + 1 ||
        *ret_count > table_limit(t, max_mask, 0))
        return true;
    return swiss_join(t, m, left, right, share_fit(t, *ret_count, depth));
}

static bool shrink(const struct mound_map_type *t, struct mound_swiss *m) {
    swiss_sweep(t, m, true);
    if (dir_first(t, m) == NULL)
        return true;
    size_t count;
    if (!any_pinned(t, m)) {
        if (m->count_ == 0) {
            swiss_free_tables(t, m);
            dir_none(t, m);
            m->epoch_++;
            return true;
        }
        if (!join_below(t, m, 0, 0, &count))
            return false;
        dir_halve(t, m);
    }
    dir_walk(t, ref, m) {
        struct mound_swiss_table *table = table_of(t, *ref);
        struct table_size size =
            share_fit(t, table_count(t, *ref), table->depth_);
        if (table_nslots(t, MOUND_SWISS_GROUP * (size.ngroups - 1),
                         size.nslots) <
                table_nslots(t, table_mask(table), table->nslots_) &&
            !swiss_resize(t, m, table, size))
            return false;
    }
    return true;
}

bool mound_swiss_shrink(const struct mound_map_type *t, struct mound_swiss *m) {
    if (m == NULL)
        return true;
    if (!swiss_writable(t, m))
        return false;
    swiss_write_begin(m);
    bool done = shrink(t, m);
    if (!swiss_write_end(t, m))
        return false;
    if (!done)
        errno = ENOMEM;
    return done;
}

size_t mound_swiss_evacuate(const struct mound_map_type *t,
                            struct mound_swiss *m, size_t n) {
    (void)n;
    if (m == NULL || !swiss_writable(t, m))
        return 0;
    swiss_write_begin(m);
    swiss_sweep(t, m, true);
    swiss_write_end(t, m);
    return 0;
}

void swiss_free_tables(const struct mound_map_type *t, struct mound_swiss *m) {
    if (m->dir_ == &m->one_) {
        table_free(t, table_of(t, m->one_));
        return;
    }
    for (struct mound_swiss_ref_ *ref = m->dir_, *next; ref != NULL;
         ref = next) {
        next = dir_next(t, m, ref);
        table_free(t, table_of(t, *ref));
    }
    dir_free(t, m);
}

void mound_swiss_info(const struct mound_map_type *t,
                      const struct mound_swiss *m,
                      struct mound_swiss_info *ret_info) {
    *ret_info = (struct mound_swiss_info){0};
    if (m == NULL)
        return;
    ret_info->count = m->count_;
    ret_info->depth = dir_depth(m);
    if (mound_swiss_flags_(m) & MOUND_SWISS_WRITING)
        ret_info->flags = INFO_WRITING;
    ret_info->bytes = sizeof *m + dir_bytes(m);
    dir_walk(t, ref, m) {
        const struct mound_swiss_table *table = table_of(t, *ref);
        ret_info->tables++;
        ret_info->bytes += table_bytes(t, table);
        ret_info->capacity +=
            table_nslots(t, table_mask(table), table->nslots_);
    }
    for (const struct mound_swiss_table *table = m->old_; table != NULL;
         table = table->next_) {
        ret_info->arrays++;
        ret_info->bytes += table_bytes(t, table);
    }
}
