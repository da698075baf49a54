// cxx.h: a peer that is a class template of C++, Table<Key, Element>, with the
// functions of std::unordered_map.
#include "driver.h"

#include <cstdint>
#include <string_view>

#define HAS_HINT 1
#define HAS_LOCAL 1
#define HAS_SHRINK 0

static inline uint64_t convert(uint64_t key) {
    return key;
}

static inline uint32_t convert(uint32_t key) {
    return key;
}

static inline std::string_view convert(struct text key) {
    return std::string_view(key.data, key.size);
}

#define PEER(KIND, KEY)                                                        \
    typedef Table<KEY, KIND##_elem> KIND##_map;                                \
    static inline KIND##_map *KIND##_make(uint64_t hint) {                     \
        KIND##_map *m = new KIND##_map;                                        \
        if (hint != 0) {                                                       \
            m->reserve(hint);                                                  \
        }                                                                      \
        return m;                                                              \
    }                                                                          \
    static inline void KIND##_drop(KIND##_map *m) {                            \
        delete m;                                                              \
    }                                                                          \
    static inline void KIND##_insert(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        m->insert_or_assign(convert(key), elem);                               \
    }                                                                          \
    static inline void KIND##_update(KIND##_map *m, KIND##_key key,            \
                                     KIND##_elem elem) {                       \
        m->insert_or_assign(convert(key), elem);                               \
    }                                                                          \
    static inline bool KIND##_get(const KIND##_map *m, KIND##_key key,         \
                                  uint64_t *ret_value) {                       \
        auto it = m->find(convert(key));                                       \
        if (it == m->end()) {                                                  \
            return false;                                                      \
        }                                                                      \
        *ret_value = KIND##_read(&it->second);                                 \
        return true;                                                           \
    }                                                                          \
    static inline bool KIND##_delete(KIND##_map *m, KIND##_key key) {          \
        return m->erase(convert(key)) != 0;                                    \
    }                                                                          \
    static inline uint64_t KIND##_sum(const KIND##_map *m) {                   \
        uint64_t sum = 0;                                                      \
        for (const auto &entry : *m) {                                         \
            sum += KIND##_read(&entry.second);                                 \
        }                                                                      \
        return sum;                                                            \
    }                                                                          \
    static inline uint64_t KIND##_local(const KIND##_key *keys, uint64_t n) {  \
        KIND##_map m;                                                          \
        for (uint64_t i = 0; i < n; i++) {                                     \
            KIND##_insert(&m, keys[i], KIND##_pack(KIND##_value(keys[i])));    \
        }                                                                      \
        return m.size();                                                       \
    }

PEER(u64, uint64_t)
PEER(u32, uint32_t)
PEER(str, std::string_view)
PEER(wide, uint64_t)

#include "kinds.h"
