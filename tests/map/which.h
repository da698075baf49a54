// which.h: which map a test is of: the one of mound_map.h, or with MAP_SWISS that of
// mound_swiss.h, under the names of the other.
#ifndef TESTS_MAP_WHICH_H
#define TESTS_MAP_WHICH_H

#ifndef MAP_SWISS
#include "mound_map.h"
#else
#include "mound_swiss.h"

#define mound_map mound_swiss
#define mound_map_iter mound_swiss_iter
#define mound_map_info mound_swiss_info
#define mound_map_make mound_swiss_make
#define mound_map_free mound_swiss_free
#define mound_map_len mound_swiss_len
#define mound_map_get mound_swiss_get
#define mound_map_get_key mound_swiss_get_key
#define mound_map_put mound_swiss_put
#define mound_map_delete mound_swiss_delete
#define mound_map_clear mound_swiss_clear
#define mound_map_clone mound_swiss_clone
#define mound_map_reserve mound_swiss_reserve
#define mound_map_shrink mound_swiss_shrink
#define mound_map_evacuate mound_swiss_evacuate
#define mound_map_init mound_swiss_init
#define mound_map_init_hint mound_swiss_init_hint
#define mound_map_deinit mound_swiss_deinit
#define mound_map_first_size mound_swiss_first_size
#define mound_map_begin mound_swiss_begin
#define mound_map_next mound_swiss_next
#define mound_map_end mound_swiss_end
#define mound_map_verify mound_swiss_verify
#define mound_map_foreach mound_swiss_foreach
#define MOUND_MAP_WRITING MOUND_SWISS_WRITING

#define MOUND_MAP_U64 MOUND_SWISS_U64
#define MOUND_MAP_U32 MOUND_SWISS_U32
#define MOUND_MAP_PTR MOUND_SWISS_PTR
#define MOUND_MAP_F64 MOUND_SWISS_F64
#define MOUND_MAP_STR MOUND_SWISS_STR
#define MOUND_MAP_STR_BORROWED MOUND_SWISS_STR_BORROWED
#define MOUND_MAP_VIEW MOUND_SWISS_VIEW
#define MOUND_MAP_VIEW_BORROWED MOUND_SWISS_VIEW_BORROWED
#define MOUND_MAP_DECLARE MOUND_SWISS_DECLARE
#define MOUND_MAP_DECLARE_OWNING MOUND_SWISS_DECLARE_OWNING
#define MOUND_SET_U64 MOUND_SWISS_SET_U64
#define MOUND_SET_U32 MOUND_SWISS_SET_U32
#define MOUND_SET_PTR MOUND_SWISS_SET_PTR
#define MOUND_SET_F64 MOUND_SWISS_SET_F64
#define MOUND_SET_STR MOUND_SWISS_SET_STR
#define MOUND_SET_STR_BORROWED MOUND_SWISS_SET_STR_BORROWED
#define MOUND_SET_VIEW MOUND_SWISS_SET_VIEW
#define MOUND_SET_VIEW_BORROWED MOUND_SWISS_SET_VIEW_BORROWED
#define MOUND_SET_DECLARE MOUND_SWISS_SET_DECLARE
#define MOUND_SET_DECLARE_OWNING MOUND_SWISS_SET_DECLARE_OWNING
#endif

// What the two maps say of themselves: whether a growth is under way, and how many old
// buckets it still has to move; whether there is no more memory than the entries need,
// and room for n.
#ifndef MAP_SWISS
static inline bool map_is_growing(const struct mound_map_info *info) {
    return info->oldbuckets != 0;
}

static inline size_t map_to_move(const struct mound_map_info *info) {
    return map_is_growing(info) ? info->oldbuckets - info->nevacuate : 0;
}

static inline bool map_has_room(const struct mound_map_info *info, size_t n) {
    return n <= 8 || n <= 13 * ((UINT64_C(1) << info->B) / 2);
}

static inline bool map_is_tight(const struct mound_map_info *info,
                                size_t count) {
    struct mound_map_info half = *info;
    half.B--;
    return info->B == 0 || !map_has_room(&half, count);
}
#else
static inline bool map_is_growing(const struct mound_map_info *info) {
    (void)info;
    return false;
}

static inline size_t map_to_move(const struct mound_map_info *info) {
    (void)info;
    return 0;
}

static inline bool map_has_room(const struct mound_map_info *info, size_t n) {
    return n <= info->capacity;
}

static inline bool map_is_tight(const struct mound_map_info *info,
                                size_t count) {
    return info->capacity <= 5 * count / 2 + 15 * info->tables;
}
#endif

#endif
