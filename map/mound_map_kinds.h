// mound_map_kinds.h: the ready-made lines, for the usual keys. See mound_map.h.
#ifndef MOUND_MAP_KINDS_H
#define MOUND_MAP_KINDS_H

typedef const char *mound_str_;
typedef const void *mound_ptr_;

#define MOUND_MAP_U64(NAME, V)                                                 \
    MOUND_MAP_FLAGGED_(NAME, uint64_t, V, mound_hash_u64, mound_eq_u64,        \
                       MOUND_MAP_KEY_PLAIN)
#define MOUND_MAP_U32(NAME, V)                                                 \
    MOUND_MAP_FLAGGED_(NAME, uint32_t, V, mound_hash_u32, mound_eq_u32,        \
                       MOUND_MAP_KEY_PLAIN)
#define MOUND_MAP_PTR(NAME, V)                                                 \
    MOUND_MAP_FLAGGED_(NAME, mound_ptr_, V, mound_hash_ptr, mound_eq_ptr,      \
                       MOUND_MAP_KEY_PLAIN)
#define MOUND_MAP_F64(NAME, V)                                                 \
    MOUND_MAP_FLAGGED_(NAME, double, V, mound_hash_f64, mound_eq_f64,          \
                       MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE |      \
                           MOUND_MAP_KEY_PLAIN)
#define MOUND_MAP_STR(NAME, V)                                                 \
    MOUND_MAP_KEYED_(NAME, mound_str_, V, mound_hash_str, mound_eq_str,        \
                     mound_copy_str, mound_drop_str)
#define MOUND_MAP_STR_BORROWED(NAME, V)                                        \
    MOUND_MAP_FLAGGED_(NAME, mound_str_, V, mound_hash_str, mound_eq_str,      \
                       MOUND_MAP_KEY_UPDATE)
#define MOUND_MAP_VIEW(NAME, V)                                                \
    MOUND_MAP_KEYED_(NAME, struct mound_view, V, mound_hash_view,              \
                     mound_eq_view, mound_copy_view, mound_drop_view)
#define MOUND_MAP_VIEW_BORROWED(NAME, V)                                       \
    MOUND_MAP_FLAGGED_(NAME, struct mound_view, V, mound_hash_view,            \
                       mound_eq_view, MOUND_MAP_KEY_UPDATE)

#define MOUND_SET_U64(NAME)                                                    \
    MOUND_SET_FLAGGED_(NAME, uint64_t, mound_hash_u64, mound_eq_u64,           \
                       MOUND_MAP_KEY_PLAIN)
#define MOUND_SET_U32(NAME)                                                    \
    MOUND_SET_FLAGGED_(NAME, uint32_t, mound_hash_u32, mound_eq_u32,           \
                       MOUND_MAP_KEY_PLAIN)
#define MOUND_SET_PTR(NAME)                                                    \
    MOUND_SET_FLAGGED_(NAME, mound_ptr_, mound_hash_ptr, mound_eq_ptr,         \
                       MOUND_MAP_KEY_PLAIN)
#define MOUND_SET_F64(NAME)                                                    \
    MOUND_SET_FLAGGED_(NAME, double, mound_hash_f64, mound_eq_f64,             \
                       MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE |      \
                           MOUND_MAP_KEY_PLAIN)
#define MOUND_SET_STR(NAME)                                                    \
    MOUND_SET_DECLARE_OWNING(NAME, mound_str_, mound_hash_str, mound_eq_str,   \
                             mound_copy_str, mound_drop_str)
#define MOUND_SET_STR_BORROWED(NAME)                                           \
    MOUND_SET_FLAGGED_(NAME, mound_str_, mound_hash_str, mound_eq_str,         \
                       MOUND_MAP_KEY_UPDATE)
#define MOUND_SET_VIEW(NAME)                                                   \
    MOUND_SET_DECLARE_OWNING(NAME, struct mound_view, mound_hash_view,         \
                             mound_eq_view, mound_copy_view, mound_drop_view)
#define MOUND_SET_VIEW_BORROWED(NAME)                                          \
    MOUND_SET_FLAGGED_(NAME, struct mound_view, mound_hash_view,               \
                       mound_eq_view, MOUND_MAP_KEY_UPDATE)

#endif
