// uthash.c: uthash, which is macros around structs of the program's own. A put
// looks first and adds then, as uthash wants it, but hashes the key only once.
#include "driver.h"

#include <uthash.h>

#define HAS_HINT 0
#define HAS_LOCAL 0
#define HAS_SHRINK 0

#define INTEGER_DATA(key) (&(key))
#define INTEGER_SIZE(key) (sizeof(key))
#define TEXT_DATA(key) ((key).data)
#define TEXT_SIZE(key) (strlen((key).data))

#define PEER(KIND, STORED, STORE, DATA, SIZE)                                  \
    struct KIND##_entry {                                                      \
        STORED;                                                                \
        KIND##_elem elem;                                                      \
        UT_hash_handle hh;                                                     \
    };                                                                         \
    typedef struct KIND##_map {                                                \
        struct KIND##_entry *head;                                             \
    } KIND##_map;                                                              \
    static inline KIND##_map *KIND##_make(uint64_t hint) {                     \
        (void)hint;                                                            \
        return calloc(1, sizeof(KIND##_map));                                  \
    }                                                                          \
    static inline void KIND##_drop(KIND##_map *m) {                            \
        struct KIND##_entry *e = m->head;                                      \
        /* HASH_CLEAR drops the table and leaves the entries linked. */        \
        HASH_CLEAR(hh, m->head);                                               \
        while (e != NULL) {                                                    \
            struct KIND##_entry *next = e->hh.next;                            \
            free(e);                                                           \
            e = next;                                                          \
        }                                                                      \
        free(m);                                                               \
    }                                                                          \
    static inline void KIND##_insert(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        struct KIND##_entry *e;                                                \
        unsigned size = (unsigned)SIZE(key), hash;                             \
        HASH_VALUE(DATA(key), size, hash);                                     \
        HASH_FIND_BYHASHVALUE(hh, m->head, DATA(key), size, hash, e);          \
        if (e == NULL) {                                                       \
            e = malloc(sizeof *e);                                             \
            STORE;                                                             \
            HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->head, DATA(e->key), size, hash, \
                                        e);                                    \
        }                                                                      \
        e->elem = elem;                                                        \
    }                                                                          \
    static inline void KIND##_update(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        KIND##_insert(m, key, elem);                                           \
    }                                                                          \
    static inline struct KIND##_entry *KIND##_find(const KIND##_map *m,        \
                                                   KIND##_key key) {           \
        struct KIND##_entry *e;                                                \
        HASH_FIND(hh, m->head, DATA(key), SIZE(key), e);                       \
        return e;                                                              \
    }                                                                          \
    static inline bool KIND##_get(const KIND##_map *m, KIND##_key key,         \
                                  uint64_t *ret_value) {                       \
        const struct KIND##_entry *e = KIND##_find(m, key);                    \
        if (e != NULL) {                                                       \
            *ret_value = KIND##_read(&e->elem);                                \
        }                                                                      \
        return e != NULL;                                                      \
    }                                                                          \
    static inline bool KIND##_delete(KIND##_map *m, KIND##_key key) {          \
        struct KIND##_entry *e = KIND##_find(m, key);                          \
        if (e == NULL) {                                                       \
            return false;                                                      \
        }                                                                      \
        HASH_DEL(m->head, e);                                                  \
        free(e);                                                               \
        return true;                                                           \
    }                                                                          \
    static inline uint64_t KIND##_sum(const KIND##_map *m) {                   \
        uint64_t sum = 0;                                                      \
        for (const struct KIND##_entry *e = m->head; e != NULL;                \
             e = e->hh.next) {                                                 \
            sum += KIND##_read(&e->elem);                                      \
        }                                                                      \
        return sum;                                                            \
    }

#define INTEGER(KIND)                                                          \
    PEER(KIND, KIND##_key key, e->key = key, INTEGER_DATA, INTEGER_SIZE)

INTEGER(u64)
INTEGER(u32)
// The entry borrows the string, as the other peers' do.
PEER(str, struct text key, e->key = key, TEXT_DATA, TEXT_SIZE)
INTEGER(wide)

#include "kinds.h"
