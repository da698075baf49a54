// mound_swiss_cold.h: what the inlined operations call in the library. Not for programs:
// they use mound_swiss.h.
#ifndef MOUND_SWISS_COLD_H
#define MOUND_SWISS_COLD_H

#ifdef __cplusplus
extern "C" {
#endif

// Whether there is room for an entry whose home group or table is full.
enum mound_swiss_room_ {
    MOUND_SWISS_AGAIN_,   // the table is another one now: search again
    MOUND_SWISS_TAKE_,    // yes, the free slot that was found
    MOUND_SWISS_NO_ROOM_, // no, and no memory
};

// Begins a write, and frees what waited for iterators that have ended; false: another
// write is under way.
MOUND_MAP_API bool mound_swiss_write_begin_(const struct mound_map_type *t,
                                            struct mound_swiss *m);
// free_slot: one was found, in whichever group.
MOUND_MAP_API enum mound_swiss_room_
mound_swiss_make_room_(const struct mound_map_type *t, struct mound_swiss *m,
                       uint64_t hash, bool free_slot);
MOUND_MAP_API bool mound_swiss_update_key_(const struct mound_map_type *t,
                                           struct mound_swiss *m, uint64_t hash,
                                           void *there, const void *key);
// Takes stale copies of a key out of tables that wait.
MOUND_MAP_API void mound_swiss_forget_(const struct mound_map_type *t,
                                       struct mound_swiss *m, uint64_t hash,
                                       const void *key);
// Draws another seed, for the last entry has gone.
MOUND_MAP_API void mound_swiss_emptied_(struct mound_swiss *m);
// Reports that another thread ended a write meanwhile, and sets errno to EBUSY.
MOUND_MAP_API __attribute__((cold)) void
mound_swiss_clash_(const struct mound_map_type *t, const struct mound_swiss *m);
// Says that the map is written to from two places, or was freed. Returns when the type's
// misuse function does.
MOUND_MAP_API void mound_swiss_misuse_(const struct mound_map_type *t,
                                       const struct mound_swiss *m,
                                       const char *message);

#ifdef __cplusplus
}
#endif

#endif
