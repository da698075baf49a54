// mound_map.h: Go's hash map for C and C++. Link with -lmoundmap.
//
//     #include <mound_map.h>
//     #include <stdio.h>
//
//     MOUND_MAP_STR(ages, int)               // const char * -> int, keys copied
//
//     int main(void) {
//         ages *m = ages_make(0);            // 0, or how many entries to expect
//         ages_set(m, "rob", 66);            // false: out of memory
//         *ages_put(m, "ken", NULL) += 79;   // the element's slot; 0 when new
//         int *age = ages_get(m, "rob");     // NULL: not there
//         if (age)
//             printf("rob is %d\n", *age);
//         mound_map_foreach(ages, it, m)     // any order; deleting is allowed
//             printf("%s %d\n", *it.key, *it.elem);
//         ages_delete(m, "rob");             // true: it was there
//         printf("%zu left\n", ages_len(m));
//         ages_free(m);
//     }
//
// One line at file scope declares a map type; NAME stands for it below.
//
//     MOUND_MAP_U64(NAME, V)  MOUND_MAP_U32(NAME, V)    integers      -> V
//     MOUND_MAP_PTR(NAME, V)  MOUND_MAP_F64(NAME, V)    void *, double -> V
//     MOUND_MAP_STR(NAME, V)        const char *, copied in and freed -> V
//     MOUND_MAP_STR_BORROWED(NAME, V)  const char *, the caller keeps it alive
//     MOUND_MAP_VIEW(NAME, V)  MOUND_MAP_VIEW_BORROWED(NAME, V)
//                              struct mound_view, pointer and length -> V
//     MOUND_MAP_DECLARE(NAME, K, V, hash, eq)    any key type: see below
//     MOUND_SET_U64(NAME) MOUND_SET_STR(NAME) ...  MOUND_SET_DECLARE(NAME, K,
//                              hash, eq): sets; NAME_add, NAME_has, NAME_delete
//
//     NAME *NAME_make(size_t hint)            NULL: ENOMEM
//     V    *NAME_get(const NAME *, K)         NULL: not there
//     bool  NAME_has(const NAME *, K)
//     V    *NAME_put(NAME *, K, bool *ret_new)  the slot, zeroed if new; NULL:
//                                             ENOMEM, and the map is unchanged
//     bool  NAME_set(NAME *, K, V)            put and assign; false: ENOMEM
//     bool  NAME_delete(NAME *, K)            whether it was there; cannot fail
//     size_t NAME_len(const NAME *)
//     void  NAME_clear(NAME *)                drops all entries, keeps buckets
//     NAME *NAME_clone(const NAME *)          NULL: ENOMEM
//     bool  NAME_reserve(NAME *, size_t n)    room for n entries in all
//     bool  NAME_shrink(NAME *)               memory for what is in it, no more
//     size_t NAME_evacuate(NAME *, size_t n)  moves up to n old buckets now;
//                                             how many are still to be moved
//     NAME_iter NAME_begin(const NAME *), bool NAME_next(NAME_iter *),
//     void  NAME_end(NAME_iter *)             foreach spelt out
//     void  NAME_free(NAME *)                 NULL is allowed
//     bool  NAME_init(NAME *, struct NAME_first *)  make for a NAME that is a
//                                             variable: NULL, or the first 8
//                                             entries' memory, a variable too
//     bool  NAME_init_hint(NAME *, size_t hint)  the same; false: ENOMEM
//     void  NAME_deinit(NAME *)               free for it
//
//     ages local;
//     struct ages_first first;                // up to 8 entries: no malloc
//     ages_init(&local, &first);
//
// STR or VIEW: a view has its length, so a hit is a fourth faster (34 ns against
// 42 to 45, 10^5 keys of 8 to 24 characters), its keys may hold zeros and need no
// zero at their end; a slot has 16 bytes in place of 8. STR takes what C programs
// have at hand. Copying costs a malloc a key; BORROWED keys cost none, and are to
// live as long as they are in the map.
//
// C++: keys and elements are moved as bytes, so their types have to be trivially
// copyable; what is not, std::string for one, does not compile. examples/owned.cc
// has the way: views as keys, pointers as elements, and MOUND_MAP_DECLARE_OWNING.
//
// Memory is malloc's, or that of MOUND_MAP_MEMORY, if defined before the line that
// declares the type: the address of a struct mound_map_memory, below.
//
// A map variable is one pointer. A NULL map reads as empty, deleting from it does
// nothing, putting into it and reserving fail with EINVAL.
//
// What holds a slot: the pointer from get, put or an iterator is good until the
// next put, set, delete, clear, reserve, shrink, evacuate or free of that map. It
// may be written through, except that an element of a NaN key that an iterator
// hands out after the map has grown is a copy.
//
// Who owns a key: put copies the key's bytes (sizeof(K)) or calls key_copy. A key
// that is already there stays, the caller's is not taken; only for borrowed
// strings and floats does the newer key replace the older one, so that the older
// string may go. delete, clear, shrink and free call key_drop and elem_drop.
//
// Struct keys: hash and eq are given the key and look at its fields. Never hash
// the bytes of a struct that has padding: padding differs between equal keys.
//
//     struct point { int8_t layer; int64_t x; };   // 7 bytes of padding
//     static uint64_t point_hash(struct point p, uint64_t seed) {
//         return mound_hash_u64((uint64_t)p.x, mound_hash_u64(p.layer, seed));
//     }
//     static bool point_eq(struct point a, struct point b) {
//         return a.layer == b.layer && a.x == b.x;
//     }
//     MOUND_MAP_DECLARE(board, struct point, double, point_hash, point_eq)
//
// Threads: any number may read (get, len, iterate) at once, also while the map is
// in the middle of growing; none while one writes. Some violations of
// that rule are detected; they end the program with Go's message.
//
// Iteration begins at a random place and hands out each entry at most once; one
// that was deleted before it was reached never, one that was put meanwhile maybe.
// Anything may be put and deleted during the loop. An iterator must be ended: by a
// NAME_next that returned false, by NAME_end or by foreach; else arrays that the map
// outgrew stay until clear or free. Where keys may point to memory (all but U64, U32,
// PTR and F64), iterators begun some 64 outgrown arrays ago end early.
// free, also inside foreach, ends the loop.
//
// Declaring a type in a header is fine, in each file that includes it. Names that
// end in an underscore are internal.
//
// The map is Go 1.19's (runtime/map.go), in all that can be seen: buckets of 8, a
// load of at most 6.5, growth in steps of two buckets a write, no shrinking by
// deletion. mound_map_hmap.h draws it.
#ifndef MOUND_MAP_H
#define MOUND_MAP_H

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

struct mound_map;

// The untyped functions. Each does what its typed sister above does.
//
// mound_map_make: EINVAL for a type with a size or alignment above the limits, an
// alignment that is not a power of two, a size that is no multiple of it, or without
// hash or equal; ENOMEM also for a hint that no memory could hold. A hint of up to 8
// allocates no bucket.
MOUND_MAP_API struct mound_map *mound_map_make(const struct mound_map_type *t,
                                               size_t hint);
MOUND_MAP_API void mound_map_free(const struct mound_map_type *t,
                                  struct mound_map *m);
MOUND_MAP_API size_t mound_map_len(const struct mound_map *m);
MOUND_MAP_API void *mound_map_get(const struct mound_map_type *t,
                                  const struct mound_map *m, const void *key);
// mound_map_get_key is get, and also tells where the map keeps the key.
MOUND_MAP_API void *mound_map_get_key(const struct mound_map_type *t,
                                      const struct mound_map *m,
                                      const void *key, const void **ret_key);
// mound_map_put: for an element of size 0 the slot is an address not to be used.
// ret_new may be NULL. Cost: at most two old buckets are moved.
MOUND_MAP_API void *mound_map_put(const struct mound_map_type *t,
                                  struct mound_map *m, const void *key,
                                  bool *ret_new);
MOUND_MAP_API bool mound_map_delete(const struct mound_map_type *t,
                                    struct mound_map *m, const void *key);
// mound_map_clear keeps the bucket array; with iterators over older arrays left,
// those find their end. Cost: the whole array's tophash bytes, and the callbacks.
MOUND_MAP_API void mound_map_clear(const struct mound_map_type *t,
                                   struct mound_map *m);
MOUND_MAP_API struct mound_map *mound_map_clone(const struct mound_map_type *t,
                                                const struct mound_map *m);
// mound_map_reserve and mound_map_shrink move all entries at once. ENOMEM: nothing
// changed but that old buckets may have moved.
MOUND_MAP_API bool mound_map_reserve(const struct mound_map_type *t,
                                     struct mound_map *m, size_t n);
MOUND_MAP_API bool mound_map_shrink(const struct mound_map_type *t,
                                    struct mound_map *m);
// mound_map_evacuate is for a program's idle time: what it moves, later writes need
// not. It returns how many old buckets are left to look at (writes may have moved
// some of them already), 0 when no growth is under way; out of memory shows in that
// they do not become fewer.
MOUND_MAP_API size_t mound_map_evacuate(const struct mound_map_type *t,
                                        struct mound_map *m, size_t n);

// mound_map_init and mound_map_deinit are make and free for a struct mound_map that
// the caller provides, on the stack for instance. first is NULL, or the caller's
// memory for the first bucket, mound_map_first_size(t) bytes, aligned as the type's
// keys and elements and at least 8: with it, up to 8 entries take no malloc. The
// struct must stay where it is. init returns false with EINVAL for a bad type.
MOUND_MAP_API bool mound_map_init(const struct mound_map_type *t,
                                  struct mound_map *m, void *first);
// mound_map_init_hint is init with room for hint entries, from the heap; false with
// ENOMEM, too.
MOUND_MAP_API bool mound_map_init_hint(const struct mound_map_type *t,
                                       struct mound_map *m, size_t hint);
MOUND_MAP_API void mound_map_deinit(const struct mound_map_type *t,
                                    struct mound_map *m);
MOUND_MAP_API size_t mound_map_first_size(const struct mound_map_type *t);

// struct mound_map_iter walks a map. key and elem are set by next, the rest is the
// map's. It lives where the caller puts it; it is not to be copied and continued
// twice.
struct mound_map_iter {
    const void *key;
    void *elem;
    const struct mound_map_type *type_;
    const struct mound_map *map_;
    char *buckets_;    // the array it walks: the map's when it began
    char *fast_;       // the same while next may take the short way, else none
    char *oldbuckets_; // the array being evacuated then, or NULL
    char *base_;       // block and place of the present bucket, or the first
    size_t index_;     // of some that are walked together
    uint64_t left_;    // their slots still to visit, 8 bits each
    uint32_t batch_;   // the first of those buckets
    uint32_t bucket_;  // next base bucket
    uint32_t start_;   // the one it began with
    uint32_t check_;   // deliver only what belongs to this bucket
    uint32_t clearseq_;
    uint32_t serial_; // arrays outgrown before the one it walks
    uint64_t seen_;   // the map's state when next last took the long way
    uint16_t
        chains_; // buckets of the batch whose chains are still to walk, a bit
                 // each; above them: the present bucket is one of a chain
    uint8_t offset_; // slot that each bucket begins with
    uint8_t B_;
    uint8_t state_; // MOUND_MAP_ITER_...
};

// mound_map_begin costs one atomic instruction, as does the end. next returns false
// at the end, and then has ended the iterator; end is for leaving earlier, and once
// more after next's false is allowed.
MOUND_MAP_API void mound_map_begin(const struct mound_map_type *t,
                                   const struct mound_map *m,
                                   struct mound_map_iter *it);
MOUND_MAP_API bool mound_map_next(struct mound_map_iter *it);
// mound_map_start_ is begin for foreach.
MOUND_MAP_API void mound_map_start_(const struct mound_map_type *t,
                                    const struct mound_map *m,
                                    struct mound_map_iter *it);
MOUND_MAP_API void mound_map_end(struct mound_map_iter *it);

// struct mound_map_info is a map's state in Go's terms, for tests and diagnosis.
struct mound_map_info {
    size_t count;       // entries
    unsigned B;         // the array has 2^B buckets, besides overflow buckets
    unsigned noverflow; // overflow buckets; about, from B = 16 on
    unsigned flags; // 1 iterator, 2 old iterator, 4 writing, 8 same-size growth
    size_t oldbuckets; // buckets of the array being left, 0 if none
    size_t nevacuate;  // old buckets below this one have moved
    size_t bytes;  // memory held, as asked of malloc, without keys, elements
                   // and what they own stored apart
    size_t arrays; // arrays outgrown and still held, for iterators
};
// It has the name of its struct, which g++ -Wshadow takes for an oversight.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
MOUND_MAP_API void mound_map_info(const struct mound_map_type *t,
                                  const struct mound_map *m,
                                  struct mound_map_info *ret_info);
#pragma GCC diagnostic pop

// mound_map_verify checks every invariant of the map and returns NULL, or a
// sentence about the first that is broken. Cost: all entries, all hashes.
MOUND_MAP_API const char *mound_map_verify(const struct mound_map_type *t,
                                           const struct mound_map *m);

#ifdef __cplusplus
}
#endif

// Each needs those before it.
// clang-format off
#include "mound_map_hash.h"
#include "mound_map_hmap.h"
#include "mound_map_tops.h"
#include "mound_map_cold.h"
#include "mound_map_find.h"
#include "mound_map_ops.h"
#include "mound_map_evacuate.h"
#include "mound_map_iter.h"
#include "mound_map_typed.h"
#include "mound_map_kinds.h"
// clang-format on

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

// mound_map_foreach walks a map or set declared as NAME: it.key and it.elem point to
// the entry. break, return, goto and C++ exceptions out of it are fine; longjmp leaves it
// un-ended.
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
// memory; *ret_new, unless ret_new is NULL, is set to whether the key was new.
#define MOUND_SET_DECLARE(NAME, K, hash, eq)                                   \
    MOUND_TYPED_SET_(mound_map, NAME, K, hash, eq, 0)
#define MOUND_SET_DECLARE_OWNING(NAME, K, hash, eq, key_copy, key_drop)        \
    MOUND_TYPED_SET_OWNING_(mound_map, NAME, K, hash, eq, key_copy, key_drop)

#endif
