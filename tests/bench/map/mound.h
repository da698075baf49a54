// mound.h: a map of mound's: MAP(KIND) is the line that declares a type of it, foreach its
// loop.
#include "driver.h"

#define HAS_HINT 1
#define HAS_LOCAL 1
#define HAS_SHRINK 1

#define SAME(key) (key)
#define VIEW(key) ((struct mound_view){(key).data, (key).size})

#define PEER(KIND, DECLARE, convert)                                           \
    DECLARE(KIND##_table, KIND##_elem)                                         \
    typedef KIND##_table KIND##_map;                                           \
    static inline KIND##_map *KIND##_make(uint64_t hint) {                     \
        return KIND##_table_make(hint);                                        \
    }                                                                          \
    static inline void KIND##_drop(KIND##_map *m) {                            \
        KIND##_table_free(m);                                                  \
    }                                                                          \
    static inline void KIND##_insert(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        KIND##_table_set(m, convert(key), elem);                               \
    }                                                                          \
    static inline void KIND##_update(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        KIND##_table_set(m, convert(key), elem);                               \
    }                                                                          \
    static inline bool KIND##_get(const KIND##_map *m, KIND##_key key,         \
                                  uint64_t *ret_value) {                       \
        const KIND##_elem *elem = KIND##_table_get(m, convert(key));           \
        if (elem != NULL) {                                                    \
            *ret_value = KIND##_read(elem);                                    \
        }                                                                      \
        return elem != NULL;                                                   \
    }                                                                          \
    static inline bool KIND##_delete(KIND##_map *m, KIND##_key key) {          \
        return KIND##_table_delete(m, convert(key));                           \
    }                                                                          \
    static inline uint64_t KIND##_sum(const KIND##_map *m) {                   \
        uint64_t sum = 0;                                                      \
        foreach (KIND##_table, it, m) {                                        \
            sum += KIND##_read(it.elem);                                       \
        }                                                                      \
        return sum;                                                            \
    }                                                                          \
    static inline uint64_t KIND##_local(const KIND##_key *keys, uint64_t n) {  \
        KIND##_map m;                                                          \
        struct KIND##_table_first first;                                       \
        KIND##_table_init(&m, &first);                                         \
        for (uint64_t i = 0; i < n; i++) {                                     \
            KIND##_insert(&m, keys[i], KIND##_pack(KIND##_value(keys[i])));    \
        }                                                                      \
        uint64_t len = KIND##_table_len(&m);                                   \
        KIND##_table_deinit(&m);                                               \
        return len;                                                            \
    }                                                                          \
    static inline void KIND##_shrink(KIND##_map *m) {                          \
        KIND##_table_shrink(m);                                                \
    }

PEER(u64, MAP(U64), SAME)
PEER(u32, MAP(U32), SAME)
PEER(str, MAP(VIEW_BORROWED), VIEW)
PEER(wide, MAP(U64), SAME)

#include "kinds.h"
