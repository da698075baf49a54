// mound_swiss.h: a hash map for C and C++ after Go 1.24's, beside the one of mound_map.h.
// Link with -lmoundmap.
//
//     #include <mound_swiss.h>
//     #include <stdio.h>
//
//     MOUND_SWISS_STR(ages, int)             // const char * -> int, keys copied
//
//     int main(void) {
//         ages *m = ages_make(0);            // 0, or how many entries to expect
//         ages_set(m, "rob", 66);            // false: out of memory
//         *ages_put(m, "ken", NULL) += 79;   // the element's slot; 0 when new
//         int *age = ages_get(m, "rob");     // NULL: not there
//         if (age)
//             printf("rob is %d\n", *age);
//         mound_swiss_foreach(ages, it, m)   // any order; deleting is allowed
//             printf("%s %d\n", *it.key, *it.elem);
//         ages_delete(m, "rob");             // true: it was there
//         printf("%zu left\n", ages_len(m));
//         ages_free(m);
//     }
//
// All that mound_map.h says of its maps holds for these, function by function: what put
// does out of memory, who owns a key, what ends an iterator, how to declare types. The
// names are the same but for SWISS in the place of MAP:
//
//     MOUND_SWISS_U64(NAME, V)  MOUND_SWISS_U32(NAME, V)  MOUND_SWISS_PTR(NAME, V)
//     MOUND_SWISS_F64(NAME, V)  MOUND_SWISS_STR(NAME, V)  MOUND_SWISS_VIEW(NAME, V)
//     MOUND_SWISS_STR_BORROWED(NAME, V)  MOUND_SWISS_VIEW_BORROWED(NAME, V)
//     MOUND_SWISS_DECLARE(NAME, K, V, hash, eq)  MOUND_SWISS_DECLARE_OWNING(...)
//     MOUND_SWISS_SET_U64(NAME) ... MOUND_SWISS_SET_DECLARE(NAME, K, hash, eq)
//
//     NAME *NAME_make(size_t hint)            NULL: ENOMEM
//     V    *NAME_get(const NAME *, K)         NULL: not there
//     bool  NAME_has(const NAME *, K)
//     V    *NAME_put(NAME *, K, bool *ret_new)  the slot, zeroed if new; NULL:
//                                             ENOMEM, and the map is unchanged
//     bool  NAME_set(NAME *, K, V), NAME_add(NAME *, K, bool *ret_new) of sets
//     bool  NAME_delete(NAME *, K)            whether it was there; cannot fail
//     size_t NAME_len(const NAME *), void NAME_clear(NAME *)
//     NAME *NAME_clone(const NAME *)          NULL: ENOMEM
//     bool  NAME_reserve(NAME *, size_t n), NAME_shrink(NAME *)
//     size_t NAME_evacuate(NAME *, size_t n)  frees what ended iterators have left
//     NAME_iter NAME_begin(const NAME *), bool NAME_next(NAME_iter *),
//     void  NAME_end(NAME_iter *)             foreach spelt out
//     void  NAME_free(NAME *)                 NULL is allowed
//     bool  NAME_init(NAME *, struct NAME_first *), NAME_init_hint(NAME *, size_t)
//     void  NAME_deinit(NAME *)               make and free for a variable
//
// A pointer to a slot is good until the next write to that map. Any number of threads may
// read at once, none while one writes. Anything may be put and deleted during a loop, also
// the map freed: each entry comes at most once.
//
// Which of the two: this one does lookups, updates and deletions in less time and takes
// less memory while it grows; README.md has the figures. What differs:
//
// - A put into a full table replaces that table, of at most 1920 slots, by one twice as
//   large or by two. (A table whose hashes share their first bits grows larger.) No work is
//   left to later writes: evacuate moves nothing, frees what ended iterators left, and
//   returns 0.
// - Here, too, a slot stays where it is until the next write; but a put may move more
//   entries at once, and delete moves none.
// - Both the highest and the lowest bits of a hash are used: keys whose hashes differ in
//   few bits share tables, which then grow instead of splitting.
// - Where keys may point to memory (all but U64, U32, PTR and F64), iterators that are in a
//   table that was replaced some 64 tables ago end early.
// - An iterator that is in a table when shrink is called keeps it from joining tables.
#ifndef MOUND_SWISS_H
#define MOUND_SWISS_H

#ifdef __cplusplus
// The inline functions are written in C.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wzero-as-null-pointer-constant"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuseless-cast"
#endif
#endif

#include "mound_map_type.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mound_swiss;

// The untyped functions: those of mound_map.h, which has their conditions.
MOUND_MAP_API struct mound_swiss *
mound_swiss_make(const struct mound_map_type *t, size_t hint);
MOUND_MAP_API void mound_swiss_free(const struct mound_map_type *t,
                                    struct mound_swiss *m);
MOUND_MAP_API size_t mound_swiss_len(const struct mound_swiss *m);
MOUND_MAP_API void *mound_swiss_get(const struct mound_map_type *t,
                                    const struct mound_swiss *m,
                                    const void *key);
MOUND_MAP_API void *mound_swiss_get_key(const struct mound_map_type *t,
                                        const struct mound_swiss *m,
                                        const void *key, const void **ret_key);
MOUND_MAP_API void *mound_swiss_put(const struct mound_map_type *t,
                                    struct mound_swiss *m, const void *key,
                                    bool *ret_new);
MOUND_MAP_API bool mound_swiss_delete(const struct mound_map_type *t,
                                      struct mound_swiss *m, const void *key);
MOUND_MAP_API void mound_swiss_clear(const struct mound_map_type *t,
                                     struct mound_swiss *m);
MOUND_MAP_API struct mound_swiss *
mound_swiss_clone(const struct mound_map_type *t, const struct mound_swiss *m);
MOUND_MAP_API bool mound_swiss_reserve(const struct mound_map_type *t,
                                       struct mound_swiss *m, size_t n);
MOUND_MAP_API bool mound_swiss_shrink(const struct mound_map_type *t,
                                      struct mound_swiss *m);
MOUND_MAP_API size_t mound_swiss_evacuate(const struct mound_map_type *t,
                                          struct mound_swiss *m, size_t n);
MOUND_MAP_API bool mound_swiss_init(const struct mound_map_type *t,
                                    struct mound_swiss *m, void *first);
MOUND_MAP_API bool mound_swiss_init_hint(const struct mound_map_type *t,
                                         struct mound_swiss *m, size_t hint);
MOUND_MAP_API void mound_swiss_deinit(const struct mound_map_type *t,
                                      struct mound_swiss *m);
MOUND_MAP_API size_t mound_swiss_first_size(const struct mound_map_type *t);

// struct mound_swiss_iter walks a map. key and elem are set by next, the rest is the
// map's. It lives where the caller puts it; it is not to be copied and continued twice.
struct mound_swiss_iter {
    const void *key;
    void *elem;
    const struct mound_map_type *type_;
    const struct mound_swiss *map_;
    char *base_; // the table it is in
    uint64_t mask_;
    char *slots_; // of up to four groups that are walked together, a batch
    const uint8_t *tags_; // of these
    uint64_t left_;       // their slots still to visit, 16 bits each
    uint64_t next_;       // the group after them
    uint64_t start_;      // the one it began with in this table
    uint64_t pos_;        // the first hash of the next table
    uint64_t first_;      // of the table it began with
    uint64_t epoch_;      // the map's when next was last found to be short
    uint32_t hash0_;
    uint32_t clearseq_;
    uint32_t chance_;
    uint8_t slot_;  // the one it began with in the group it began with
    uint8_t state_; // MOUND_SWISS_ITER_...
};

MOUND_MAP_API void mound_swiss_begin(const struct mound_map_type *t,
                                     const struct mound_swiss *m,
                                     struct mound_swiss_iter *it);
MOUND_MAP_API bool mound_swiss_next(struct mound_swiss_iter *it);
// mound_swiss_start_ is begin for foreach.
MOUND_MAP_API void mound_swiss_start_(const struct mound_map_type *t,
                                      const struct mound_swiss *m,
                                      struct mound_swiss_iter *it);
MOUND_MAP_API void mound_swiss_end(struct mound_swiss_iter *it);

// struct mound_swiss_info is a map's state, for tests and diagnosis.
struct mound_swiss_info {
    size_t count;    // entries
    size_t capacity; // slots
    size_t tables;
    unsigned depth; // the directory has 2^depth entries
    unsigned flags; // 4 writing
    size_t bytes; // memory held, as asked of malloc, without keys, elements and
                  // what they own stored apart
    size_t
        arrays; // tables that were replaced and are still held, for iterators
};
// It has the name of its struct, which g++ -Wshadow takes for an oversight.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
MOUND_MAP_API void mound_swiss_info(const struct mound_map_type *t,
                                    const struct mound_swiss *m,
                                    struct mound_swiss_info *ret_info);
#pragma GCC diagnostic pop

// mound_swiss_verify checks every invariant of the map and returns NULL, or a sentence
// about the first that is broken. Cost: all entries, all hashes.
MOUND_MAP_API const char *mound_swiss_verify(const struct mound_map_type *t,
                                             const struct mound_swiss *m);

#ifdef __cplusplus
}
#endif

// Each needs those before it.
// clang-format off
#include "mound_map_hash.h"
#include "mound_swiss_table.h"
#include "mound_swiss_cold.h"
#include "mound_swiss_ops.h"
#include "mound_swiss_move.h"
#include "mound_swiss_iter.h"
#include "mound_map_typed.h"
#include "mound_map_kinds.h"
// clang-format on

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

// mound_swiss_foreach walks a map or set, as mound_map_foreach does.
#define mound_swiss_foreach(NAME, it, m) MOUND_TYPED_FOREACH_(NAME, it, m)

#define MOUND_SWISS_U64(NAME, V) MOUND_KIND_U64_(mound_swiss, NAME, V)
#define MOUND_SWISS_U32(NAME, V) MOUND_KIND_U32_(mound_swiss, NAME, V)
#define MOUND_SWISS_PTR(NAME, V) MOUND_KIND_PTR_(mound_swiss, NAME, V)
#define MOUND_SWISS_F64(NAME, V) MOUND_KIND_F64_(mound_swiss, NAME, V)
#define MOUND_SWISS_STR(NAME, V) MOUND_KIND_STR_(mound_swiss, NAME, V)
#define MOUND_SWISS_STR_BORROWED(NAME, V)                                      \
    MOUND_KIND_STR_BORROWED_(mound_swiss, NAME, V)
#define MOUND_SWISS_VIEW(NAME, V) MOUND_KIND_VIEW_(mound_swiss, NAME, V)
#define MOUND_SWISS_VIEW_BORROWED(NAME, V)                                     \
    MOUND_KIND_VIEW_BORROWED_(mound_swiss, NAME, V)

// MOUND_SWISS_DECLARE(NAME, K, V, hash, eq): a map from K to V, whose bytes it copies.
// uint64_t hash(K key, uint64_t seed) and bool eq(K a, K b) are functions or macros;
// keys that are equal have one hash.
#define MOUND_SWISS_DECLARE(NAME, K, V, hash, eq)                              \
    MOUND_TYPED_MAP_(mound_swiss, NAME, K, V, hash, eq, 0)

// MOUND_SWISS_DECLARE_OWNING is MOUND_SWISS_DECLARE with the four functions of mound_map_typed.h,
// or MOUND_MAP_COPY_BITS, MOUND_MAP_DROP_NOTHING and MOUND_MAP_COPY_ELEM_BITS in the
// place of any.
#define MOUND_SWISS_DECLARE_OWNING(NAME, K, V, hash, eq, key_copy, key_drop,   \
                                   elem_copy, elem_drop)                       \
    MOUND_TYPED_OWNING_(mound_swiss, NAME, K, V, hash, eq, key_copy, key_drop, \
                        elem_copy, elem_drop)

#define MOUND_SWISS_SET_U64(NAME) MOUND_KIND_SET_U64_(mound_swiss, NAME)
#define MOUND_SWISS_SET_U32(NAME) MOUND_KIND_SET_U32_(mound_swiss, NAME)
#define MOUND_SWISS_SET_PTR(NAME) MOUND_KIND_SET_PTR_(mound_swiss, NAME)
#define MOUND_SWISS_SET_F64(NAME) MOUND_KIND_SET_F64_(mound_swiss, NAME)
#define MOUND_SWISS_SET_STR(NAME) MOUND_KIND_SET_STR_(mound_swiss, NAME)
#define MOUND_SWISS_SET_STR_BORROWED(NAME)                                     \
    MOUND_KIND_SET_STR_BORROWED_(mound_swiss, NAME)
#define MOUND_SWISS_SET_VIEW(NAME) MOUND_KIND_SET_VIEW_(mound_swiss, NAME)
#define MOUND_SWISS_SET_VIEW_BORROWED(NAME)                                    \
    MOUND_KIND_SET_VIEW_BORROWED_(mound_swiss, NAME)

// MOUND_SWISS_SET_DECLARE(NAME, K, hash, eq): a set. NAME_add returns false when out of
// memory; *ret_new, unless ret_new is NULL, is set to whether the key was new.
#define MOUND_SWISS_SET_DECLARE(NAME, K, hash, eq)                             \
    MOUND_TYPED_SET_(mound_swiss, NAME, K, hash, eq, 0)
#define MOUND_SWISS_SET_DECLARE_OWNING(NAME, K, hash, eq, key_copy, key_drop)  \
    MOUND_TYPED_SET_OWNING_(mound_swiss, NAME, K, hash, eq, key_copy, key_drop)

#endif
