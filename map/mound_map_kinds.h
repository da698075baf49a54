// mound_map_kinds.h: the lines that declare a map type. See mound_map.h.
//
// For each kind of key one line for maps and one for sets, of whichever map P is; then
// their names for the map of mound_map.h. mound_swiss.h has those of the other.
#ifndef MOUND_MAP_KINDS_H
#define MOUND_MAP_KINDS_H

typedef const char *mound_str_;
typedef const void *mound_ptr_;

#define MOUND_KIND_U64_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, uint64_t, V, mound_hash_u64, mound_eq_u64,       \
                     MOUND_MAP_KEY_PLAIN)
#define MOUND_KIND_U32_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, uint32_t, V, mound_hash_u32, mound_eq_u32,       \
                     MOUND_MAP_KEY_PLAIN)
#define MOUND_KIND_PTR_(P, NAME, V)                                            \
    MOUND_TYPED_MAP_(P, NAME, mound_ptr_, V, mound_hash_ptr, mound_eq_ptr,     \
                     MOUND_MAP_KEY_PLAIN)
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
                     MOUND_MAP_KEY_PLAIN)
#define MOUND_KIND_SET_U32_(P, NAME)                                           \
    MOUND_TYPED_SET_(P, NAME, uint32_t, mound_hash_u32, mound_eq_u32,          \
                     MOUND_MAP_KEY_PLAIN)
#define MOUND_KIND_SET_PTR_(P, NAME)                                           \
    MOUND_TYPED_SET_(P, NAME, mound_ptr_, mound_hash_ptr, mound_eq_ptr,        \
                     MOUND_MAP_KEY_PLAIN)
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

// mound_map_foreach walks a map or set declared as NAME: it.key and it.elem point to
// the entry. break, return and goto out of it are fine, longjmp leaves it un-ended.
#define mound_map_foreach(NAME, it, m) MOUND_TYPED_FOREACH_(NAME, it, m)

#define MOUND_MAP_U64(NAME, V) MOUND_KIND_U64_(mound_map, NAME, V)
#define MOUND_MAP_U32(NAME, V) MOUND_KIND_U32_(mound_map, NAME, V)
#define MOUND_MAP_PTR(NAME, V) MOUND_KIND_PTR_(mound_map, NAME, V)
#define MOUND_MAP_F64(NAME, V) MOUND_KIND_F64_(mound_map, NAME, V)
#define MOUND_MAP_STR(NAME, V) MOUND_KIND_STR_(mound_map, NAME, V)
#define MOUND_MAP_STR_BORROWED(NAME, V)                                        \
    MOUND_KIND_STR_BORROWED_(mound_map, NAME, V)
#define MOUND_MAP_VIEW(NAME, V) MOUND_KIND_VIEW_(mound_map, NAME, V)
#define MOUND_MAP_VIEW_BORROWED(NAME, V)                                       \
    MOUND_KIND_VIEW_BORROWED_(mound_map, NAME, V)

// MOUND_MAP_DECLARE(NAME, K, V, hash, eq): a map from K to V, whose bytes it copies.
// uint64_t hash(K key, uint64_t seed) and bool eq(K a, K b) are functions or macros;
// keys that are equal have one hash.
#define MOUND_MAP_DECLARE(NAME, K, V, hash, eq)                                \
    MOUND_TYPED_MAP_(mound_map, NAME, K, V, hash, eq, 0)

// MOUND_MAP_DECLARE_OWNING is MOUND_MAP_DECLARE with the four functions of mound_map_typed.h,
// or MOUND_MAP_COPY_BITS, MOUND_MAP_DROP_NOTHING and MOUND_MAP_COPY_ELEM_BITS in the
// place of any.
#define MOUND_MAP_DECLARE_OWNING(NAME, K, V, hash, eq, key_copy, key_drop,     \
                                 elem_copy, elem_drop)                         \
    MOUND_TYPED_OWNING_(mound_map, NAME, K, V, hash, eq, key_copy, key_drop,   \
                        elem_copy, elem_drop)

#define MOUND_SET_U64(NAME) MOUND_KIND_SET_U64_(mound_map, NAME)
#define MOUND_SET_U32(NAME) MOUND_KIND_SET_U32_(mound_map, NAME)
#define MOUND_SET_PTR(NAME) MOUND_KIND_SET_PTR_(mound_map, NAME)
#define MOUND_SET_F64(NAME) MOUND_KIND_SET_F64_(mound_map, NAME)
#define MOUND_SET_STR(NAME) MOUND_KIND_SET_STR_(mound_map, NAME)
#define MOUND_SET_STR_BORROWED(NAME)                                           \
    MOUND_KIND_SET_STR_BORROWED_(mound_map, NAME)
#define MOUND_SET_VIEW(NAME) MOUND_KIND_SET_VIEW_(mound_map, NAME)
#define MOUND_SET_VIEW_BORROWED(NAME)                                          \
    MOUND_KIND_SET_VIEW_BORROWED_(mound_map, NAME)

// MOUND_SET_DECLARE(NAME, K, hash, eq): a set. NAME_add returns false when out of
// memory; ret_new, if not NULL, is told whether the key was new.
#define MOUND_SET_DECLARE(NAME, K, hash, eq)                                   \
    MOUND_TYPED_SET_(mound_map, NAME, K, hash, eq, 0)
#define MOUND_SET_DECLARE_OWNING(NAME, K, hash, eq, key_copy, key_drop)        \
    MOUND_TYPED_SET_OWNING_(mound_map, NAME, K, hash, eq, key_copy, key_drop)

#endif
