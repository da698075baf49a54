// mound_map_kinds.h: the lines that declare maps of the usual keys. See mound_map.h.
//
// For each kind of key one line for maps and one for sets, of whichever map P is. Their
// names are at the end of mound_map.h and of mound_swiss.h.
#ifndef MOUND_MAP_KINDS_H
#define MOUND_MAP_KINDS_H

typedef const char *mound_str_;
typedef const void *mound_ptr_;

#define MOUND_KIND_U64_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, uint64_t, V, mound_hash_u64, mound_eq_u64,       \
                     MOUND_MAP_KEY_PLAIN | MOUND_MAP_KEY_NUMBER)
#define MOUND_KIND_U32_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, uint32_t, V, mound_hash_u32, mound_eq_u32,       \
                     MOUND_MAP_KEY_PLAIN | MOUND_MAP_KEY_NUMBER)
#define MOUND_KIND_PTR_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, mound_ptr_, V, mound_hash_ptr, mound_eq_ptr,     \
                     MOUND_MAP_KEY_PLAIN | MOUND_MAP_KEY_NUMBER)
#define MOUND_KIND_F64_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, double, V, mound_hash_f64, mound_eq_f64,         \
                     MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE |        \
                         MOUND_MAP_KEY_PLAIN)
#define MOUND_KIND_STR_(P, NAME, V)                                            \
    MOUND_TYPED_KEYED_(P, NAME, mound_str_, V, mound_hash_str, mound_eq_str,   \
                       mound_copy_str, mound_drop_str)
#define MOUND_KIND_STR_BORROWED_(P, NAME, V)                                   \
    MOUND_TYPED_MAP_(P, NAME, mound_str_, V, mound_hash_str, mound_eq_str,     \
                     MOUND_MAP_KEY_UPDATE)
#define MOUND_KIND_VIEW_(P, NAME, V)                                           \
    MOUND_TYPED_KEYED_(P, NAME, struct mound_view, V, mound_hash_view,         \
                       mound_eq_view, mound_copy_view, mound_drop_view)
#define MOUND_KIND_VIEW_BORROWED_(P, NAME, V)                                  \
    MOUND_TYPED_MAP_(P, NAME, struct mound_view, V, mound_hash_view,           \
                     mound_eq_view, MOUND_MAP_KEY_UPDATE)

#define MOUND_KIND_SET_U64_(P, NAME)                                           \
    MOUND_TYPED_SET_(P, NAME, uint64_t, mound_hash_u64, mound_eq_u64,          \
                     MOUND_MAP_KEY_PLAIN | MOUND_MAP_KEY_NUMBER)
#define MOUND_KIND_SET_U32_(P, NAME)                                           \
    MOUND_TYPED_SET_(P, NAME, uint32_t, mound_hash_u32, mound_eq_u32,          \
                     MOUND_MAP_KEY_PLAIN | MOUND_MAP_KEY_NUMBER)
#define MOUND_KIND_SET_PTR_(P, NAME)                                           \
    MOUND_TYPED_SET_(P, NAME, mound_ptr_, mound_hash_ptr, mound_eq_ptr,        \
                     MOUND_MAP_KEY_PLAIN | MOUND_MAP_KEY_NUMBER)
#define MOUND_KIND_SET_F64_(P, NAME)                                           \
    MOUND_TYPED_SET_(P, NAME, double, mound_hash_f64, mound_eq_f64,            \
                     MOUND_MAP_KEY_UPDATE | MOUND_MAP_KEY_IRREFLEXIVE |        \
                         MOUND_MAP_KEY_PLAIN)
#define MOUND_KIND_SET_STR_(P, NAME)                                           \
    MOUND_TYPED_SET_OWNING_(P, NAME, mound_str_, mound_hash_str, mound_eq_str, \
                            mound_copy_str, mound_drop_str)
#define MOUND_KIND_SET_STR_BORROWED_(P, NAME)                                  \
    MOUND_TYPED_SET_(P, NAME, mound_str_, mound_hash_str, mound_eq_str,        \
                     MOUND_MAP_KEY_UPDATE)
#define MOUND_KIND_SET_VIEW_(P, NAME)                                          \
    MOUND_TYPED_SET_OWNING_(P, NAME, struct mound_view, mound_hash_view,       \
                            mound_eq_view, mound_copy_view, mound_drop_view)
#define MOUND_KIND_SET_VIEW_BORROWED_(P, NAME)                                 \
    MOUND_TYPED_SET_(P, NAME, struct mound_view, mound_hash_view,              \
                     mound_eq_view, MOUND_MAP_KEY_UPDATE)

#endif
