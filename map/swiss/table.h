// table.h: the memory of a Swiss map's tables and directory. mound_swiss_table.h has the
// layout.
#ifndef MAP_SWISS_TABLE_H
#define MAP_SWISS_TABLE_H

#include "mound_swiss.h"

enum {
    TABLE_OVERFLOWED =
        2, // the part of a table's groups that may have overflow bits
};

// A map without a table has this one: no entry, no slot. table_far is what near_ has
// in the place of tables that searches take the long way to.
char *table_none(const struct mound_map_type *t);
char *table_far(const struct mound_map_type *t);

// Groups of a table; how many entries one of so many may have before it grows; how many
// slots it has.
static inline size_t table_ngroups(uint64_t mask) {
    return mask / MOUND_SWISS_GROUP + 1;
}
static inline uint64_t table_mask(const struct mound_swiss_table *table) {
    return ((uint64_t)MOUND_SWISS_GROUP << table->ngroups_log2_) -
           MOUND_SWISS_GROUP;
}
size_t table_nslots(const struct mound_map_type *t, uint64_t mask,
                    unsigned nslots);
size_t table_limit(const struct mound_map_type *t, uint64_t mask,
                   unsigned nslots);

// table_fit says which table n entries need: its groups, and for a single group its slots.
// Beyond the largest table's, ngroups is MOUND_SWISS_GROUPS_MAX and more.
struct table_size {
    size_t ngroups;
    unsigned nslots;
};
struct table_size table_fit(const struct mound_map_type *t, size_t n);

// table_new returns an empty table, its base NULL when out of memory. table_lend makes one
// of MOUND_SWISS_FIRST slots in memory of the caller.
struct mound_swiss_ref_ table_new(const struct mound_map_type *t,
                                  struct table_size size, uint64_t prefix,
                                  unsigned depth);
struct mound_swiss_ref_ table_lend(const struct mound_map_type *t,
                                   void *memory);
// table_empty drops nothing: it makes all slots free.
void table_empty(const struct mound_map_type *t, struct mound_swiss_ref_ ref);
void table_free(const struct mound_map_type *t,
                struct mound_swiss_table *table);
size_t table_bytes(const struct mound_map_type *t,
                   const struct mound_swiss_table *table);
// table_bytes_of returns the bytes of a table with that mask, before it is made.
size_t table_bytes_of(const struct mound_map_type *t, uint64_t mask);
// table_count counts the entries, table_set_count says how many there are.
size_t table_count(const struct mound_map_type *t, struct mound_swiss_ref_ ref);
void table_set_count(const struct mound_map_type *t,
                     struct mound_swiss_table *table, size_t count);

static inline char *table_base(const struct mound_map_type *t,
                               const struct mound_swiss_table *table) {
    return (char *)(uintptr_t)table - mound_swiss_slotsize_(t);
}

static inline struct mound_swiss_table *table_of(const struct mound_map_type *t,
                                                 struct mound_swiss_ref_ ref) {
    return mound_swiss_table_(t, ref.base);
}

static inline bool table_pinned(const struct mound_swiss_table *table) {
    return __atomic_load_n(&table->npins_, __ATOMIC_ACQUIRE) != 0;
}

// The directory.

static inline unsigned dir_depth(const struct mound_swiss *m) {
    return m->dir_ == &m->one_ ? 0 : 64u - m->shift_;
}

// dir_ref returns the entry for hashes that begin with prefix.
static inline struct mound_swiss_ref_ *dir_ref(const struct mound_swiss *m,
                                               uint64_t prefix) {
    return mound_swiss_ref_of_(m, prefix);
}

// dir_near returns what near_ has of a table.
static inline char *dir_near(const struct mound_map_type *t,
                             const struct mound_swiss *m,
                             struct mound_swiss_ref_ ref) {
    return ref.mask == m->one_.mask ? ref.base : table_far(t);
}

// The first hash after those of a table; 0 after the last.
static inline uint64_t table_end(const struct mound_swiss_table *table) {
    return table->depth_ == 0
               ? 0
               : table->prefix_ + ((uint64_t)1 << (64 - table->depth_));
}

// dir_walk is a loop over a map's tables, unless it has none.
#define dir_walk(t, ref, m)                                                    \
    for (struct mound_swiss_ref_ *ref = dir_first(t, m); ref != NULL;          \
         ref = dir_next(t, m, ref))
struct mound_swiss_ref_ *dir_first(const struct mound_map_type *t,
                                   const struct mound_swiss *m);
struct mound_swiss_ref_ *dir_next(const struct mound_map_type *t,
                                  const struct mound_swiss *m,
                                  const struct mound_swiss_ref_ *ref);

// dir_set makes ref the table of all hashes that it stands for.
void dir_set(const struct mound_map_type *t, struct mound_swiss *m,
             struct mound_swiss_ref_ ref);
// dir_none leaves the map without a table and directory, which the caller has freed.
void dir_none(const struct mound_map_type *t, struct mound_swiss *m);
// dir_double makes the depth one more; false: out of memory. dir_halve makes it as small as
// the tables allow; out of memory, it stays.
bool dir_double(const struct mound_map_type *t, struct mound_swiss *m);
void dir_halve(const struct mound_map_type *t, struct mound_swiss *m);
void dir_free(const struct mound_map_type *t, struct mound_swiss *m);
size_t dir_bytes(const struct mound_swiss *m);

#endif
