// mound_map_cold.h: what the inlined operations call in the library. Not for programs:
// they use mound_map.h.
#ifndef MOUND_MAP_COLD_H
#define MOUND_MAP_COLD_H

#ifdef __cplusplus
extern "C" {
#endif

// Begins a write: first frees outgrown arrays that no iterator needs; false: another write
// is under way.
MOUND_MAP_API bool mound_map_write_begin_(const struct mound_map_type *t,
                                          struct mound_map *m);
// These return false when out of memory, with nothing lost.
MOUND_MAP_API bool mound_map_first_bucket_(const struct mound_map_type *t,
                                           struct mound_map *m);
MOUND_MAP_API bool mound_map_grow_start_(const struct mound_map_type *t,
                                         struct mound_map *m);
MOUND_MAP_API bool mound_map_grow_work_(const struct mound_map_type *t,
                                        struct mound_map *m, uint64_t hash);
MOUND_MAP_API bool mound_map_update_key_(const struct mound_map_type *t,
                                         struct mound_map *m, uint64_t hash,
                                         void *there, const void *key);
// Marks stale copies of a key in outgrown arrays.
MOUND_MAP_API void mound_map_forget_(const struct mound_map_type *t,
                                     struct mound_map *m, uint64_t hash,
                                     const void *key);
// Makes the filter of a hash's chain anew, when an entry of it has gone.
MOUND_MAP_API void mound_map_refilter_(struct mound_map *m, uint64_t hash);
MOUND_MAP_API void mound_map_reseed_(struct mound_map *m);
// Reports that another thread ended a write meanwhile, and sets errno to EBUSY.
MOUND_MAP_API __attribute__((cold)) void
mound_map_clash_(const struct mound_map_type *t, const struct mound_map *m);
// Says that the map is written to from two places, or was freed. Returns when the
// type's misuse function does.
MOUND_MAP_API void mound_map_misuse_(const struct mound_map_type *t,
                                     const struct mound_map *m,
                                     const char *message);
// Appends an overflow bucket to the chain that ends in *base, *index of this array of the
// map, and sets these to it; false: out of memory.
MOUND_MAP_API bool mound_map_extend_(const struct mound_map_type *t,
                                     struct mound_map *m, char *array,
                                     char **base, size_t *index);
MOUND_MAP_API void mound_map_new_overflow_(struct mound_map *m, char **base,
                                           size_t *index);

#ifdef __cplusplus
}
#endif

#endif
