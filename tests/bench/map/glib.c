// glib.c: GHashTable. Integers of 64 bits and wide elements go in by address,
// as a table of pointers demands: one block for key and element together, which
// the table frees. Integers of 32 bits and the values of strings are pointers.
#include "driver.h"

#include <glib.h>

#define HAS_HINT 0
#define HAS_LOCAL 0
#define HAS_SHRINK 0

#define COMMON(KIND, new_table)                                                \
    typedef GHashTable KIND##_map;                                             \
    static inline KIND##_map *KIND##_make(uint64_t hint) {                     \
        (void)hint;                                                            \
        return new_table;                                                      \
    }                                                                          \
    static inline void KIND##_drop(KIND##_map *m) {                            \
        g_hash_table_destroy(m);                                               \
    }

// Entries by address.
#define ENTRIES(KIND)                                                          \
    COMMON(KIND,                                                               \
           g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL))   \
    struct KIND##_entry {                                                      \
        gint64 key;                                                            \
        KIND##_elem elem;                                                      \
    };                                                                         \
    static inline void KIND##_insert(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        struct KIND##_entry *e = g_new(struct KIND##_entry, 1);                \
        e->key = (gint64)key;                                                  \
        e->elem = elem;                                                        \
        g_hash_table_replace(m, &e->key, e);                                   \
    }                                                                          \
    static inline void KIND##_update(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        struct KIND##_entry *e = g_hash_table_lookup(m, &key);                 \
        if (e != NULL) {                                                       \
            e->elem = elem;                                                    \
        } else {                                                               \
            KIND##_insert(m, key, elem);                                       \
        }                                                                      \
    }                                                                          \
    static inline bool KIND##_get(KIND##_map *m, KIND##_key key,               \
                                  uint64_t *ret_value) {                       \
        const struct KIND##_entry *e = g_hash_table_lookup(m, &key);           \
        if (e != NULL) {                                                       \
            *ret_value = KIND##_read(&e->elem);                                \
        }                                                                      \
        return e != NULL;                                                      \
    }                                                                          \
    static inline bool KIND##_delete(KIND##_map *m, KIND##_key key) {          \
        return g_hash_table_remove(m, &key);                                   \
    }                                                                          \
    static inline uint64_t KIND##_sum(KIND##_map *m) {                         \
        uint64_t sum = 0;                                                      \
        GHashTableIter it;                                                     \
        gpointer value;                                                        \
        g_hash_table_iter_init(&it, m);                                        \
        while (g_hash_table_iter_next(&it, NULL, &value)) {                    \
            sum += KIND##_read(&((struct KIND##_entry *)value)->elem);         \
        }                                                                      \
        return sum;                                                            \
    }

// Keys and elements that are pointers themselves.
#define POINTERS(KIND, new_table, key_pointer)                                 \
    COMMON(KIND, new_table)                                                    \
    static inline void KIND##_insert(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        g_hash_table_insert(m, key_pointer(key), GSIZE_TO_POINTER(elem));      \
    }                                                                          \
    static inline void KIND##_update(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        KIND##_insert(m, key, elem);                                           \
    }                                                                          \
    static inline bool KIND##_get(KIND##_map *m, KIND##_key key,               \
                                  uint64_t *ret_value) {                       \
        gpointer value;                                                        \
        if (!g_hash_table_lookup_extended(m, key_pointer(key), NULL,           \
                                          &value)) {                           \
            return false;                                                      \
        }                                                                      \
        *ret_value = GPOINTER_TO_SIZE(value);                                  \
        return true;                                                           \
    }                                                                          \
    static inline bool KIND##_delete(KIND##_map *m, KIND##_key key) {          \
        return g_hash_table_remove(m, key_pointer(key));                       \
    }                                                                          \
    static inline uint64_t KIND##_sum(KIND##_map *m) {                         \
        uint64_t sum = 0;                                                      \
        GHashTableIter it;                                                     \
        gpointer value;                                                        \
        g_hash_table_iter_init(&it, m);                                        \
        while (g_hash_table_iter_next(&it, NULL, &value)) {                    \
            sum += GPOINTER_TO_SIZE(value);                                    \
        }                                                                      \
        return sum;                                                            \
    }

#define TEXT_POINTER(key) ((gpointer)(key).data)

ENTRIES(u64)
POINTERS(u32, g_hash_table_new(g_direct_hash, g_direct_equal), GUINT_TO_POINTER)
POINTERS(str, g_hash_table_new(g_str_hash, g_str_equal), TEXT_POINTER)
ENTRIES(wide)

#include "kinds.h"
