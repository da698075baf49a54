// table.c: see table.h.
#include "table.h"

#include "memory.h"

enum {
    TABLE_MASK_MAX = 1 << 30, // so that slots can be counted in room_
    HEADER = sizeof(struct mound_swiss_table),
    HEADER_SLOTS_MAX = 8, // that a header may take the place of
};

// Without a slot and without overflow bits: every search ends here at once.
static struct {
    struct mound_swiss_table table;
    uint8_t group[MOUND_SWISS_GROUP];
} none __attribute__((aligned(MOUND_MAP_ALIGN_MAX))) = {
    .group = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0}};
char *table_none(const struct mound_map_type *t) {
    return (char *)&none - mound_swiss_slotsize_(t);
}

// Without a slot and with all overflow bits: every search goes on elsewhere.
static const struct {
    struct mound_swiss_table table;
    uint8_t groups[MOUND_SWISS_GROUPS_MAX][MOUND_SWISS_GROUP];
} far __attribute__((aligned(MOUND_MAP_ALIGN_MAX))) = {
    .groups = {[0 ... MOUND_SWISS_GROUPS_MAX - 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                     1, 1, 1, 1, 1, 1, 0xff}}};
char *table_far(const struct mound_map_type *t) {
    return (char *)(uintptr_t)&far - mound_swiss_slotsize_(t);
}

// Tags 0 and 1 mean something else: their hashes have the tags 8 and 9, of the same
// overflow bits.
#define FOUR(tag) ((tag)*0x01010101u)
#define TAG(byte) FOUR((byte) < MOUND_SWISS_MIN_TAG ? (byte) + 8u : (byte))
#define TAGS_4(byte)                                                           \
    TAG(byte), TAG((byte) + 1), TAG((byte) + 2), TAG((byte) + 3)
#define TAGS_16(byte)                                                          \
    TAGS_4(byte), TAGS_4((byte) + 4), TAGS_4((byte) + 8), TAGS_4((byte) + 12)
#define TAGS_64(byte)                                                          \
    TAGS_16(byte), TAGS_16((byte) + 16), TAGS_16((byte) + 32),                 \
        TAGS_16((byte) + 48)
const uint32_t mound_swiss_tags_of_[256] = {TAGS_64(0), TAGS_64(64),
                                            TAGS_64(128), TAGS_64(192)};

#define HERE(slot) [(slot) * (MOUND_SWISS_GROUP + 1)] = 0xff
const uint8_t mound_swiss_here_[MOUND_SWISS_SLOTS * MOUND_SWISS_GROUP]
    __attribute__((aligned(MOUND_SWISS_GROUP))) = {
        HERE(0),  HERE(1),  HERE(2),  HERE(3),  HERE(4),
        HERE(5),  HERE(6),  HERE(7),  HERE(8),  HERE(9),
        HERE(10), HERE(11), HERE(12), HERE(13), HERE(14)};

static size_t nslots_of(size_t size, uint64_t mask, unsigned nslots) {
    size_t n = table_ngroups(mask);
    if (n == 1)
        return nslots;
    size_t spared = size == 0 ? 0 : (HEADER + size - 1) / size;
    if (n < MOUND_SWISS_SPARE_GROUPS || spared > HEADER_SLOTS_MAX)
        spared = 0;
    return MOUND_SWISS_SLOTS * n - spared;
}

static size_t limit_of(uint64_t mask, size_t nslots) {
    return mask == 0 ? nslots : nslots - nslots / 8;
}

size_t table_nslots(const struct mound_map_type *t, uint64_t mask,
                    unsigned nslots) {
    return nslots_of(mound_swiss_slotsize_(t), mask, nslots);
}

size_t table_limit(const struct mound_map_type *t, uint64_t mask,
                   unsigned nslots) {
    // The only group of a table may be full: there is no other to search.
    return limit_of(mask, table_nslots(t, mask, nslots));
}

struct table_size table_fit(const struct mound_map_type *t, size_t n) {
    struct table_size size = {1, n <= MOUND_SWISS_FIRST ? MOUND_SWISS_FIRST
                                                        : MOUND_SWISS_SLOTS};
    while (table_limit(t, MOUND_SWISS_GROUP * (size.ngroups - 1), size.nslots) <
           n)
        size.ngroups *= 2;
    return size;
}

// How a table lies in its block. These are functions of the type, and worth working out
// once only where a small map is made and freed.
struct layout {
    size_t slotsize, nslots, align;
    size_t front; // bytes before the header
    size_t bytes; // in all
};

static struct layout layout_of(const struct mound_map_type *t, uint64_t mask,
                               unsigned nslots) {
    struct layout l = {.slotsize = mound_swiss_slotsize_(t),
                       .align = mound_map_dataalign_(t)};
    if (l.align < MEMORY_ALIGN)
        l.align = MEMORY_ALIGN;
    l.nslots = nslots_of(l.slotsize, mask, nslots);
    l.front = mound_map_round_(l.nslots * l.slotsize, l.align);
    l.bytes = l.front + mask + MOUND_SWISS_GROUP + HEADER;
    return l;
}

// The metadata of an only group. It is written at once, as it is read: a read of what was
// just written in parts waits for the cache.
static const uint8_t first_group[MOUND_SWISS_GROUP] = {[MOUND_SWISS_FIRST] =
                                                           MOUND_SWISS_NO_SLOT,
                                                       MOUND_SWISS_NO_SLOT,
                                                       MOUND_SWISS_NO_SLOT,
                                                       MOUND_SWISS_NO_SLOT,
                                                       MOUND_SWISS_NO_SLOT,
                                                       MOUND_SWISS_NO_SLOT,
                                                       MOUND_SWISS_NO_SLOT};

static void metadata_empty(uint8_t *metadata, uint64_t mask, size_t nslots) {
    if (mask == 0 && nslots == MOUND_SWISS_FIRST) {
        memcpy(metadata, first_group, sizeof first_group);
        return;
    }
    size_t missing = table_ngroups(mask) * MOUND_SWISS_SLOTS - nslots;
    memset(metadata, 0, mask + MOUND_SWISS_GROUP);
    memset(metadata + mask + MOUND_SWISS_SLOTS - missing, MOUND_SWISS_NO_SLOT,
           missing);
}

void table_empty(const struct mound_map_type *t, struct mound_swiss_ref_ ref) {
    struct mound_swiss_table *table = table_of(t, ref);
    size_t nslots = table_nslots(t, ref.mask, table->nslots_);
    metadata_empty(mound_swiss_group_(t, ref.base, 0), ref.mask, nslots);
    table->room_ = (int32_t)limit_of(ref.mask, nslots);
    table->budget_ = (uint32_t)table_ngroups(ref.mask) / TABLE_OVERFLOWED;
}

static struct mound_swiss_ref_ table_at(char *block, const struct layout *l,
                                        struct table_size size, uint64_t prefix,
                                        unsigned depth) {
    uint64_t mask = MOUND_SWISS_GROUP * (size.ngroups - 1);
    struct mound_swiss_table *table =
        (struct mound_swiss_table *)(void *)(block + l->front);
    *table = (struct mound_swiss_table){
        .prefix_ = prefix,
        .room_ = (int32_t)limit_of(mask, l->nslots),
        .budget_ = (uint32_t)size.ngroups / TABLE_OVERFLOWED,
        .ngroups_log2_ = (uint8_t)__builtin_ctzll(size.ngroups),
        .depth_ = (uint8_t)depth,
        .nslots_ = (uint8_t)size.nslots,
    };
    metadata_empty((uint8_t *)(table + 1), mask, l->nslots);
    return (struct mound_swiss_ref_){block + l->front - l->slotsize, mask};
}

struct mound_swiss_ref_ table_new(const struct mound_map_type *t,
                                  struct table_size size, uint64_t prefix,
                                  unsigned depth) {
    uint64_t mask = MOUND_SWISS_GROUP * (size.ngroups - 1);
    struct layout l = layout_of(t, mask, size.nslots);
    char *block = NULL;
    if (mask <= TABLE_MASK_MAX)
        block = (char *)memory_new(t, l.bytes, l.align);
    if (block == NULL)
        return (struct mound_swiss_ref_){NULL, 0};
    return table_at(block, &l, size, prefix, depth);
}

struct mound_swiss_ref_ table_lend(const struct mound_map_type *t,
                                   void *memory) {
    struct layout l = layout_of(t, 0, MOUND_SWISS_FIRST);
    char *block = (char *)memory;
    block += mound_map_round_((uintptr_t)block, l.align) - (uintptr_t)block;
    struct table_size size = {1, MOUND_SWISS_FIRST};
    struct mound_swiss_ref_ ref = table_at(block, &l, size, 0, 0);
    table_of(t, ref)->flags_ = MOUND_SWISS_LENT;
    return ref;
}

void table_free(const struct mound_map_type *t,
                struct mound_swiss_table *table) {
    if (table == &none.table || (table->flags_ & MOUND_SWISS_LENT))
        return;
    struct layout l = layout_of(t, table_mask(table), table->nslots_);
    char *block = (char *)(void *)table - l.front;
    memory_free(t, block, l.bytes);
}

size_t table_bytes(const struct mound_map_type *t,
                   const struct mound_swiss_table *table) {
    if (table == &none.table || (table->flags_ & MOUND_SWISS_LENT))
        return 0;
    return layout_of(t, table_mask(table), table->nslots_).bytes;
}

size_t table_bytes_of(const struct mound_map_type *t, uint64_t mask) {
    return layout_of(t, mask, MOUND_SWISS_SLOTS).bytes;
}

size_t table_count(const struct mound_map_type *t,
                   struct mound_swiss_ref_ ref) {
    size_t n = 0;
    uint64_t four = 0; // groups' masks, as bits are counted by the word
    for (uint64_t offset = 0; offset <= ref.mask; offset += MOUND_SWISS_GROUP) {
        four = four << 16 | mound_swiss_full_(mound_swiss_tags_at_(
                                mound_swiss_group_(t, ref.base, offset)));
        if (offset == ref.mask || (offset / MOUND_SWISS_GROUP & 3) == 3) {
            n += (unsigned)__builtin_popcountll(four);
            four = 0;
        }
    }
    return n;
}

void table_set_count(const struct mound_map_type *t,
                     struct mound_swiss_table *table, size_t count) {
    size_t limit = table_limit(t, table_mask(table), table->nslots_);
    table->room_ = (int32_t)limit - (int32_t)count;
}

// The directory.

static size_t dir_length(const struct mound_swiss *m) {
    return (size_t)1 << dir_depth(m);
}

struct mound_swiss_ref_ *dir_first(const struct mound_map_type *t,
                                   const struct mound_swiss *m) {
    return m->dir_->base == table_none(t) ? NULL : m->dir_;
}

// Entries of a table in a directory of this depth.
static size_t dir_span(const struct mound_swiss_table *table, unsigned depth) {
    return (size_t)1 << (depth - table->depth_);
}

struct mound_swiss_ref_ *dir_next(const struct mound_map_type *t,
                                  const struct mound_swiss *m,
                                  const struct mound_swiss_ref_ *ref) {
    size_t i =
        (size_t)(ref - m->dir_) + dir_span(table_of(t, *ref), dir_depth(m));
    return i == dir_length(m) ? NULL : m->dir_ + i;
}

void dir_set(const struct mound_map_type *t, struct mound_swiss *m,
             struct mound_swiss_ref_ ref) {
    if (m->dir_ == &m->one_) {
        m->one_ = ref;
        m->twin_ = ref.base;
        return;
    }
    const struct mound_swiss_table *table = table_of(t, ref);
    struct mound_swiss_ref_ *at = dir_ref(m, table->prefix_);
    char **near = m->near_ + (at - m->dir_), *base = dir_near(t, m, ref);
    for (size_t n = dir_span(table, dir_depth(m)); n > 0; n--) {
        *at++ = ref;
        *near++ = base;
    }
}

// dir_install makes dir the directory: the header's entry, or a block of dir_bytes_of.
static void dir_install(const struct mound_map_type *t, struct mound_swiss *m,
                        struct mound_swiss_ref_ *dir, unsigned depth) {
    unsigned shift = depth == 0 ? MOUND_SWISS_SHIFT_MAX : 64 - depth;
    size_t n = (size_t)1 << depth;
    m->dir_ = dir;
    m->shift_ = (uint8_t)shift;
    if (dir == &m->one_) {
        m->near_ = &m->twin_;
        m->twin_ = m->one_.base;
        return;
    }
    m->near_ = (char **)(void *)(dir + n);
    m->one_.mask = MOUND_SWISS_GROUP * (MOUND_SWISS_GROUPS_MAX - 1);
    for (size_t i = 0; i < n; i++)
        m->near_[i] = dir_near(t, m, dir[i]);
}

static size_t dir_bytes_of(size_t n) {
    return n * (sizeof(struct mound_swiss_ref_) + sizeof(char *));
}

void dir_none(const struct mound_map_type *t, struct mound_swiss *m) {
    m->one_ = (struct mound_swiss_ref_){table_none(t), 0};
    dir_install(t, m, &m->one_, 0);
}

size_t dir_bytes(const struct mound_swiss *m) {
    return m->dir_ == &m->one_ ? 0 : dir_bytes_of(dir_length(m));
}

void dir_free(const struct mound_map_type *t, struct mound_swiss *m) {
    if (m->dir_ != &m->one_)
        memory_free(t, m->dir_, dir_bytes(m));
}

bool dir_double(const struct mound_map_type *t, struct mound_swiss *m) {
    size_t n = dir_length(m);
    unsigned depth = dir_depth(m);
    struct mound_swiss_ref_ *dir = (struct mound_swiss_ref_ *)memory_new(
        t, dir_bytes_of(2 * n), MEMORY_ALIGN);
    if (dir == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        dir[2 * i] = dir[2 * i + 1] = m->dir_[i];
    dir_free(t, m);
    dir_install(t, m, dir, depth + 1);
    return true;
}

void dir_halve(const struct mound_map_type *t, struct mound_swiss *m) {
    unsigned depth = 0;
    dir_walk(t, ref, m) {
        if (table_of(t, *ref)->depth_ > depth)
            depth = table_of(t, *ref)->depth_;
    }
    unsigned now = dir_depth(m);
    if (depth == now)
        return;
    struct mound_swiss_ref_ *dir = &m->one_;
    size_t n = (size_t)1 << depth;
    if (depth > 0) {
        dir = (struct mound_swiss_ref_ *)memory_new(t, dir_bytes_of(n),
                                                    MEMORY_ALIGN);
        if (dir == NULL)
            return;
    }
    for (size_t i = 0; i < n; i++)
        dir[i] = m->dir_[i << (now - depth)];
    dir_free(t, m);
    dir_install(t, m, dir, depth);
}
