// map_grow.h: growth and evacuation.
#ifndef MAP_GROW_H
#define MAP_GROW_H

#include "mound_map.h"

// map_grow_start installs a new array; twice the buckets if the load asks for it,
// else as many, to be rid of overflow buckets. false: out of memory, unchanged.
bool map_grow_start(const struct mound_map_type *t, struct mound_map *m);

// map_grow_work moves two old buckets: the next two, or that which the hash belongs to and
// the next. It returns false when the hash's should have been moved and could not, for
// want of memory. The map is growing before, and maybe not after.
bool map_grow_work(const struct mound_map_type *t, struct mound_map *m,
                   uint64_t hash);

// map_evacuate moves one old bucket if it was not moved yet; false: out of memory.
bool map_evacuate(const struct mound_map_type *t, struct mound_map *m,
                  size_t oldbucket);

// map_rebuild moves all entries into a new array of 2^B buckets at once, or, with
// nothing in the map and B of 0, gives everything back. false: out of memory.
bool map_rebuild(const struct mound_map_type *t, struct mound_map *m,
                 unsigned B);

// map_hint_B returns B for hint entries.
unsigned map_hint_B(size_t hint);

static inline bool map_growing(const struct mound_map *m) {
    return m->oldbuckets_ != NULL;
}

// The B of the array being evacuated.
static inline unsigned map_oldB(const struct mound_map *m) {
    return m->B_ - !(mound_map_flags_(m) & MOUND_MAP_SAME_SIZE);
}

// map_walk calls see for each live entry until it returns false, and returns whether
// it never did. see must not change the map.
bool map_walk(const struct mound_map_type *t, const struct mound_map *m,
              bool (*see)(const struct mound_map_type *t, void *key, void *elem,
                          void *arg),
              void *arg);

#endif
