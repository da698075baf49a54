// all.c: every line that declares a type, and each kind of use, for compilers to look
// at. C and C++.
#include "which.h"

struct fat {
    uint64_t w[20];
};
static inline uint64_t fat_hash(struct fat f, uint64_t seed) {
    return mound_hash_u64(f.w[0], seed);
}
static inline bool fat_eq(struct fat a, struct fat b) {
    return a.w[0] == b.w[0];
}
static inline bool fat_copy(struct fat *dst, struct fat src) {
    *dst = src;
    return true;
}
static inline void fat_drop(struct fat f) {
    (void)f;
}
static inline bool elem_copy(int *dst, int const *src) {
    *dst = *src;
    return true;
}
static inline void elem_drop(int *e) {
    (void)e;
}

MOUND_MAP_U64(m_u64, int)
MOUND_MAP_U32(m_u32, char)
MOUND_MAP_PTR(m_ptr, double)
MOUND_MAP_F64(m_f64, int)
MOUND_MAP_STR(m_str, int)
MOUND_MAP_STR_BORROWED(m_strb, int)
MOUND_MAP_VIEW(m_view, struct fat)
MOUND_MAP_VIEW_BORROWED(m_viewb, const char *)
MOUND_MAP_DECLARE(m_fat, struct fat, struct fat, fat_hash, fat_eq)
MOUND_MAP_DECLARE_OWNING(m_own, struct fat, int, fat_hash, fat_eq, fat_copy,
                         fat_drop, elem_copy, elem_drop)
MOUND_MAP_DECLARE_OWNING(m_bits, struct fat, int, fat_hash, fat_eq,
                         MOUND_MAP_COPY_BITS, MOUND_MAP_DROP_NOTHING,
                         MOUND_MAP_COPY_ELEM_BITS, MOUND_MAP_DROP_NOTHING)
MOUND_SET_U64(s_u64)
MOUND_SET_U32(s_u32)
MOUND_SET_PTR(s_ptr)
MOUND_SET_F64(s_f64)
MOUND_SET_STR(s_str)
MOUND_SET_STR_BORROWED(s_strb)
MOUND_SET_VIEW(s_view)
MOUND_SET_VIEW_BORROWED(s_viewb)
MOUND_SET_DECLARE(s_fat, struct fat, fat_hash, fat_eq)
MOUND_SET_DECLARE_OWNING(s_own, struct fat, fat_hash, fat_eq, fat_copy,
                         fat_drop)

int use(void);
int use(void) {
    m_str *m = m_str_make(0);
    m_str_set(m, "a", 1);
    int sum = 0;
    mound_map_foreach(m_str, it, m) {
        mound_map_foreach(m_str, it2, m) sum += *it.elem + *it2.elem;
    }
    m_u64 *u = m_u64_make(9);
    m_u64_set(u, 1, 2);
    sum += *m_u64_get(u, 1) + (m_u64_len(u) == 1) + m_u64_delete(u, 1);
    m_u64_iter it = m_u64_begin(u);
    while (m_u64_next(&it))
        sum++;
    m_u64_end(&it);
    m_u64_free(u);
    m_str_free(m);
    s_str *s = s_str_make(0);
    bool is_new;
    s_str_add(s, "x", &is_new);
    mound_map_foreach(s_str, e, s) sum += **e.key;
    s_str_free(s);
    m_f64 on_stack;
    struct m_f64_first first;
    m_f64_init(&on_stack, &first);
    m_f64_set(&on_stack, 1, 1);
    m_f64_deinit(&on_stack);
    return sum;
}
