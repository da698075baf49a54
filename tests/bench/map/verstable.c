// verstable.c: Verstable's maps, with its hash of integers; strings by the hash that it
// has for them, which ends at the zero.
#include "driver.h"

#define NAME u64_table
#define KEY_TY uint64_t
#define VAL_TY u64_elem
#include <verstable.h>
#define NAME u32_table
#define KEY_TY uint32_t
#define VAL_TY u32_elem
#define HASH_FN vt_hash_integer
#define CMPR_FN vt_cmpr_integer
#include <verstable.h>
#define NAME str_table
#define KEY_TY char *
#define VAL_TY str_elem
#define HASH_FN vt_hash_string
#define CMPR_FN vt_cmpr_string
#include <verstable.h>
#define NAME wide_table
#define KEY_TY uint64_t
#define VAL_TY wide_elem
#include <verstable.h>

#define HAS_HINT 1
#define HAS_LOCAL 1
#define HAS_SHRINK 1

#define SAME(key) (key)
#define TEXT(key) ((char *)(uintptr_t)(key).data)

#define PEER(KIND, convert)                                                    \
    typedef KIND##_table KIND##_map;                                           \
    static inline KIND##_map *KIND##_make(uint64_t hint) {                     \
        KIND##_map *m = malloc(sizeof *m);                                     \
        KIND##_table_init(m);                                                  \
        if (hint != 0) {                                                       \
            KIND##_table_reserve(m, hint);                                     \
        }                                                                      \
        return m;                                                              \
    }                                                                          \
    static inline void KIND##_drop(KIND##_map *m) {                            \
        KIND##_table_cleanup(m);                                               \
        free(m);                                                               \
    }                                                                          \
    static inline void KIND##_insert(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        KIND##_table_insert(m, convert(key), elem);                            \
    }                                                                          \
    static inline void KIND##_update(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        KIND##_table_insert(m, convert(key), elem);                            \
    }                                                                          \
    static inline bool KIND##_get(const KIND##_map *m, KIND##_key key,         \
                                  uint64_t *ret_value) {                       \
        KIND##_table_itr it =                                                  \
            KIND##_table_get((KIND##_map *)(uintptr_t)m, convert(key));        \
        if (KIND##_table_is_end(it)) {                                         \
            return false;                                                      \
        }                                                                      \
        *ret_value = KIND##_read(&it.data->val);                               \
        return true;                                                           \
    }                                                                          \
    static inline bool KIND##_delete(KIND##_map *m, KIND##_key key) {          \
        return KIND##_table_erase(m, convert(key));                            \
    }                                                                          \
    static inline uint64_t KIND##_sum(const KIND##_map *m) {                   \
        uint64_t sum = 0;                                                      \
        KIND##_table_itr it = KIND##_table_first((KIND##_map *)(uintptr_t)m);  \
        for (; !KIND##_table_is_end(it); it = KIND##_table_next(it)) {         \
            sum += KIND##_read(&it.data->val);                                 \
        }                                                                      \
        return sum;                                                            \
    }                                                                          \
    static inline uint64_t KIND##_local(const KIND##_key *keys, uint64_t n) {  \
        KIND##_map m;                                                          \
        KIND##_table_init(&m);                                                 \
        for (uint64_t i = 0; i < n; i++) {                                     \
            KIND##_insert(&m, keys[i], KIND##_pack(KIND##_value(keys[i])));    \
        }                                                                      \
        uint64_t len = KIND##_table_size(&m);                                  \
        KIND##_table_cleanup(&m);                                              \
        return len;                                                            \
    }                                                                          \
    static inline void KIND##_shrink(KIND##_map *m) {                          \
        KIND##_table_shrink(m);                                                \
    }

PEER(u64, SAME)
PEER(u32, SAME)
PEER(str, TEXT)
PEER(wide, SAME)

#include "kinds.h"
