// swiss_grow.h: how a Swiss map's tables are replaced.
#ifndef MAP_SWISS_GROW_H
#define MAP_SWISS_GROW_H

#include "table.h"

// swiss_table_of returns the table that entries with this hash are in.
static inline struct mound_swiss_table *
swiss_table_of(const struct mound_map_type *t, const struct mound_swiss *m,
               uint64_t hash) {
    return table_of(t, *dir_ref(m, hash));
}

// swiss_resize puts a table's entries, for which there is room, into another of this size;
// swiss_split puts them into two. swiss_first gives a map without a table one. false: out
// of memory, nothing changed.
bool swiss_first(const struct mound_map_type *t, struct mound_swiss *m,
                 struct table_size size);
bool swiss_resize(const struct mound_map_type *t, struct mound_swiss *m,
                  struct mound_swiss_table *table, struct table_size size);
bool swiss_split(const struct mound_map_type *t, struct mound_swiss *m,
                 struct mound_swiss_table *table);

// swiss_join puts the entries of two tables that were one into one of this size.
bool swiss_join(const struct mound_map_type *t, struct mound_swiss *m,
                struct mound_swiss_table *left, struct mound_swiss_table *right,
                struct table_size size);

// swiss_sweep frees waiting tables that no iterator pins: of the first
// MOUND_SWISS_WAITING_MAX, or of all. swiss_free_old frees all that wait.
void swiss_sweep(const struct mound_map_type *t, struct mound_swiss *m,
                 bool all);
void swiss_free_old(const struct mound_map_type *t, struct mound_swiss *m);

// swiss_forget takes the stale copies of a key out of tables that wait; with replacement
// not NULL they are set to it instead.
void swiss_forget(const struct mound_map_type *t, struct mound_swiss *m,
                  uint64_t hash, const void *key, const void *replacement);

// swiss_walk calls see for each entry, until it returns false, and returns whether it did
// not.
bool swiss_walk(const struct mound_map_type *t, const struct mound_swiss *m,
                bool (*see)(const struct mound_map_type *, void *key,
                            void *elem, void *arg),
                void *arg);

#endif
