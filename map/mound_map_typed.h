// mound_map_typed.h: what the lines that declare a map type consist of. See mound_map.h,
// whose first page shows what they make.
//
// P is which map it is: mound_map, or mound_swiss. P##_make and so on are that map's
// functions, and all that this file knows of it.
#ifndef MOUND_MAP_TYPED_H
#define MOUND_MAP_TYPED_H

// What a type may be told to do with its keys and elements, beside functions of
// one's own: bool key_copy(K *dst, K src), void key_drop(K), bool elem_copy(V *dst,
// V const *src), void elem_drop(V *).
#define MOUND_MAP_COPY_BITS(dst, src) (*(dst) = (src), true)
#define MOUND_MAP_COPY_ELEM_BITS(dst, src) (*(dst) = *(src), true)
#define MOUND_MAP_DROP_NOTHING(x) ((void)(x))

// MOUND_MAP_MEMORY is the address of the struct mound_map_memory that types get which
// are declared from here on; a file may define it anew, between types too.
#ifndef MOUND_MAP_MEMORY
#define MOUND_MAP_MEMORY MOUND_MAP_NULL_
#endif

// foreach: see mound_map_foreach.
#define MOUND_TYPED_FOREACH_(NAME, it, m)                                      \
    for (NAME##_iter it##_walk_                                                \
         __attribute__((cleanup(NAME##_end))) = NAME##_start_(m);              \
         NAME##_refill_(&it##_walk_);)                                         \
        for (struct NAME##_cursor_ it = NAME##_cursor_of_(&it##_walk_);        \
             NAME##_step_(&it##_walk_, &it);)

// Entries are moved as bytes, and new elements are zero bytes: of C++ types, those
// that std::memcpy copies. A std::string is none; examples/owned.cc shows what to do.
#ifdef __cplusplus
#define MOUND_MAP_BYTES_(T)                                                    \
    static_assert(::std::is_trivially_copyable<T>::value ||                    \
                      (::std::is_trivially_copy_constructible<T>::value &&     \
                       ::std::is_trivially_destructible<T>::value),            \
                  "the map moves keys and elements as bytes: they have to be " \
                  "trivially copyable; store a pointer to this type");
#else
#define MOUND_MAP_BYTES_(T)
#endif

// The part that needs no more than the key.
#define MOUND_TYPED_COMMON_(P, NAME, K, hash_fn, eq_fn)                        \
    MOUND_MAP_BYTES_(K)                                                        \
    typedef struct NAME {                                                      \
        union {                                                                \
            struct P map_;                                                     \
            const struct NAME##_entry_                                         \
                *entry_; /* tells debuggers the types */                       \
        } u_;                                                                  \
    } NAME;                                                                    \
    MOUND_MAP_INLINE_ uint64_t NAME##_hash_(const void *key, uint64_t seed,    \
                                            void *user) {                      \
        (void)user;                                                            \
        return hash_fn(*MOUND_MAP_CAST_(K const *, key), seed);                \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_equal_(const void *a, const void *b,         \
                                         void *user) {                         \
        (void)user;                                                            \
        return eq_fn(*MOUND_MAP_CAST_(K const *, a),                           \
                     *MOUND_MAP_CAST_(K const *, b));                          \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_move_(const struct mound_map_type *t,        \
                                        void *map, uintptr_t what);

#define MOUND_TYPED_FUNCTIONS_(P, NAME, K)                                     \
    MOUND_MAP_STATIC_ void NAME##_move_(const struct mound_map_type *t,        \
                                        void *map, uintptr_t what) {           \
        (void)t;                                                               \
        P##_move_(&NAME##_type_, MOUND_MAP_CAST_(struct P *, map), what);      \
    }                                                                          \
    MOUND_MAP_STATIC_ const struct mound_map_type *NAME##_type(void) {         \
        return &NAME##_type_;                                                  \
    }                                                                          \
    MOUND_MAP_STATIC_ struct P *NAME##_untyped(const NAME *m) {                \
        /* Not a cast of pointers: users may have -Wcast-qual. */              \
        return MOUND_MAP_CAST_(struct P *, MOUND_MAP_CAST_(uintptr_t, m));     \
    }                                                                          \
    MOUND_MAP_STATIC_ NAME *NAME##_make(size_t hint) {                         \
        return MOUND_MAP_CAST_(NAME *, P##_make(&NAME##_type_, hint));         \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_free(NAME *m) {                              \
        P##_free(&NAME##_type_, NAME##_untyped(m));                            \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_init(NAME *m, struct NAME##_first *first) {  \
        return P##_init(&NAME##_type_, &m->u_.map_, first);                    \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_init_hint(NAME *m, size_t hint) {            \
        return P##_init_hint(&NAME##_type_, &m->u_.map_, hint);                \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_deinit(NAME *m) {                            \
        P##_deinit(&NAME##_type_, &m->u_.map_);                                \
    }                                                                          \
    MOUND_MAP_STATIC_ size_t NAME##_len(const NAME *m) {                       \
        return m == MOUND_MAP_NULL_ ? 0 : P##_len(&m->u_.map_);                \
    }                                                                          \
    MOUND_MAP_COLD_ void *NAME##_put_slow_(NAME *m, K key, uint64_t hash,      \
                                           bool *ret_new) {                    \
        return P##_put_whole_(&NAME##_type_, NAME##_untyped(m), &key, hash,    \
                              ret_new);                                        \
    }                                                                          \
    MOUND_MAP_COLD_ bool NAME##_delete_slow_(NAME *m, K key, uint64_t hash) {  \
        return P##_delete_whole_(&NAME##_type_, NAME##_untyped(m), &key,       \
                                 hash);                                        \
    }                                                                          \
    MOUND_MAP_INLINE_ void *NAME##_insert_(NAME *m, K key, bool *ret_new) {    \
        uint64_t hash;                                                         \
        void *elem;                                                            \
        if (MOUND_MAP_LIKELY_(P##_insert_(&NAME##_type_, NAME##_untyped(m),    \
                                          &key, &hash, ret_new, &elem)))       \
            return elem;                                                       \
        return NAME##_put_slow_(m, key, hash, ret_new);                        \
    }                                                                          \
    MOUND_MAP_COLD_ void *NAME##_seek_(const struct P *m, K key,               \
                                       uint64_t hash) {                        \
        return P##_seek_(&NAME##_type_, m, &key, hash, true, MOUND_MAP_NULL_); \
    }                                                                          \
    MOUND_MAP_INLINE_ void *NAME##_find_(const NAME *m, K key) {               \
        uint64_t hash;                                                         \
        void *elem = MOUND_MAP_NULL_;                                          \
        const struct P *map = NAME##_untyped(m);                               \
        if (MOUND_MAP_UNLIKELY_(P##_look_(&NAME##_type_, map, &key, &hash,     \
                                          &elem) == MOUND_MAP_UNSURE_))        \
            return NAME##_seek_(map, key, hash);                               \
        return elem;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_has(const NAME *m, K key) {                  \
        return NAME##_find_(m, key) != MOUND_MAP_NULL_;                        \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_delete(NAME *m, K key) {                     \
        uint64_t hash;                                                         \
        enum mound_map_look_ look =                                            \
            P##_remove_(&NAME##_type_, NAME##_untyped(m), &key, &hash);        \
        if (MOUND_MAP_UNLIKELY_(look == MOUND_MAP_UNSURE_))                    \
            return NAME##_delete_slow_(m, key, hash);                          \
        return look == MOUND_MAP_FOUND_;                                       \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_clear(NAME *m) {                             \
        P##_clear(&NAME##_type_, NAME##_untyped(m));                           \
    }                                                                          \
    MOUND_MAP_STATIC_ NAME *NAME##_clone(const NAME *m) {                      \
        return MOUND_MAP_CAST_(NAME *,                                         \
                               P##_clone(&NAME##_type_, NAME##_untyped(m)));   \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_reserve(NAME *m, size_t n) {                 \
        return P##_reserve(&NAME##_type_, NAME##_untyped(m), n);               \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_shrink(NAME *m) {                            \
        return P##_shrink(&NAME##_type_, NAME##_untyped(m));                   \
    }                                                                          \
    MOUND_MAP_STATIC_ size_t NAME##_evacuate(NAME *m, size_t n) {              \
        return P##_evacuate(&NAME##_type_, NAME##_untyped(m), n);              \
    }                                                                          \
    MOUND_MAP_INLINE_ NAME##_iter NAME##_begin(const NAME *m) {                \
        NAME##_iter it;                                                        \
        P##_begin(&NAME##_type_, NAME##_untyped(m), &it.it_);                  \
        it.key = MOUND_MAP_NULL_;                                              \
        return it;                                                             \
    }                                                                          \
    MOUND_MAP_INLINE_ NAME##_iter NAME##_start_(const NAME *m) {               \
        NAME##_iter it;                                                        \
        P##_start_(&NAME##_type_, NAME##_untyped(m), &it.it_);                 \
        it.key = MOUND_MAP_NULL_;                                              \
        return it;                                                             \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_refill_(NAME##_iter *it) {                   \
        return P##_refill_(&NAME##_type_, &it->it_);                           \
    }                                                                          \
    MOUND_MAP_INLINE_ void NAME##_end(NAME##_iter *it) {                       \
        P##_end(&it->it_);                                                     \
    }

// The part that has an element.
#define MOUND_TYPED_TYPES_(P, NAME, K, V)                                      \
    MOUND_MAP_BYTES_(V)                                                        \
    struct NAME##_entry_ {                                                     \
        K key;                                                                 \
        V elem;                                                                \
    };                                                                         \
    typedef struct NAME##_iter {                                               \
        K const *key;                                                          \
        V *elem;                                                               \
        struct P##_iter it_;                                                   \
    } NAME##_iter;                                                             \
    struct NAME##_cursor_ {                                                    \
        K const *key;                                                          \
        V *elem;                                                               \
        struct P##_cursor_ c_;                                                 \
    };                                                                         \
    struct __attribute__((aligned(MOUND_MAP_ALIGN_MAX))) NAME##_first {        \
        char bytes_[P##_first_size_(sizeof(K), sizeof(V))];                    \
    };

#define MOUND_TYPED_ELEM_FUNCTIONS_(P, NAME, K, V)                             \
    MOUND_MAP_INLINE_ V *NAME##_get(const NAME *m, K key) {                    \
        return MOUND_MAP_CAST_(V *, NAME##_find_(m, key));                     \
    }                                                                          \
    MOUND_MAP_STATIC_ V *NAME##_put(NAME *m, K key, bool *ret_new) {           \
        return MOUND_MAP_CAST_(V *, NAME##_insert_(m, key, ret_new));          \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_store_(void *slot, bool is_new, V elem) {    \
        if (slot == MOUND_MAP_NULL_)                                           \
            return false;                                                      \
        if (!is_new && NAME##_type_.elem_drop != MOUND_MAP_NULL_)              \
            NAME##_type_.elem_drop(slot, MOUND_MAP_NULL_);                     \
        *MOUND_MAP_CAST_(V *, slot) = elem;                                    \
        return true;                                                           \
    }                                                                          \
    MOUND_MAP_COLD_ bool NAME##_set_slow_(NAME *m, K key, uint64_t hash,       \
                                          V elem) {                            \
        bool is_new = false;                                                   \
        void *slot = NAME##_put_slow_(m, key, hash, &is_new);                  \
        return NAME##_store_(slot, is_new, elem);                              \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_set(NAME *m, K key, V elem) {                \
        uint64_t hash;                                                         \
        bool is_new = false;                                                   \
        void *slot;                                                            \
        if (MOUND_MAP_UNLIKELY_(!P##_insert_(&NAME##_type_, NAME##_untyped(m), \
                                             &key, &hash, &is_new, &slot)))    \
            return NAME##_set_slow_(m, key, hash, elem);                       \
        return NAME##_store_(slot, is_new, elem);                              \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_next(NAME##_iter *it) {                      \
        bool more = P##_advance_(&NAME##_type_, &it->it_);                     \
        it->key = MOUND_MAP_CAST_(K const *, it->it_.key);                     \
        it->elem = MOUND_MAP_CAST_(V *, it->it_.elem);                         \
        return more;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ struct NAME##_cursor_ NAME##_cursor_of_(                 \
        const NAME##_iter *it) {                                               \
        struct NAME##_cursor_ c;                                               \
        c.c_ = P##_cursor_of_(&it->it_);                                       \
        c.key = MOUND_MAP_NULL_;                                               \
        c.elem = MOUND_MAP_NULL_;                                              \
        return c;                                                              \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_step_(NAME##_iter *it,                       \
                                        struct NAME##_cursor_ *c) {            \
        bool more = P##_step_(&NAME##_type_, &it->it_, &c->c_);                \
        c->key = MOUND_MAP_CAST_(K const *, c->c_.key);                        \
        c->elem = MOUND_MAP_CAST_(V *, c->c_.elem);                            \
        return more;                                                           \
    }

// The type's description. A set's elements have size 0 and alignment 1.
#define MOUND_TYPED_TYPE_(NAME, K, elem_size, elem_align, key_copy, key_drop,  \
                          elem_copy, elem_drop, flags)                         \
    static const struct mound_map_type NAME##_type_ = {                        \
        sizeof(K),    __alignof__(K),   elem_size,       elem_align,           \
        NAME##_hash_, NAME##_equal_,    key_copy,        key_drop,             \
        elem_copy,    elem_drop,        MOUND_MAP_NULL_, MOUND_MAP_NULL_,      \
        flags,        MOUND_MAP_MEMORY, NAME##_move_};

#define MOUND_TYPED_KEY_OWNED_(NAME, K, key_copy, key_drop)                    \
    MOUND_MAP_INLINE_ bool NAME##_key_copy_(void *dst, const void *src,        \
                                            void *user) {                      \
        (void)user;                                                            \
        return key_copy(MOUND_MAP_CAST_(K *, dst),                             \
                        *MOUND_MAP_CAST_(K const *, src));                     \
    }                                                                          \
    MOUND_MAP_INLINE_ void NAME##_key_drop_(void *key, void *user) {           \
        (void)user;                                                            \
        key_drop(*MOUND_MAP_CAST_(K *, key));                                  \
    }

#define MOUND_TYPED_ELEM_OWNED_(NAME, V, elem_copy, elem_drop)                 \
    MOUND_MAP_INLINE_ bool NAME##_elem_copy_(void *dst, const void *src,       \
                                             void *user) {                     \
        (void)user;                                                            \
        return elem_copy(MOUND_MAP_CAST_(V *, dst),                            \
                         MOUND_MAP_CAST_(V const *, src));                     \
    }                                                                          \
    MOUND_MAP_INLINE_ void NAME##_elem_drop_(void *elem, void *user) {         \
        (void)user;                                                            \
        elem_drop(MOUND_MAP_CAST_(V *, elem));                                 \
    }

// Maps whose keys and elements are bytes, whose keys are owned, and both.
#define MOUND_TYPED_MAP_(P, NAME, K, V, hash, eq, flags)                       \
    MOUND_TYPED_COMMON_(P, NAME, K, hash, eq)                                  \
    MOUND_TYPED_TYPES_(P, NAME, K, V)                                          \
    MOUND_TYPED_TYPE_(NAME, K, sizeof(V), __alignof__(V), MOUND_MAP_NULL_,     \
                      MOUND_MAP_NULL_, MOUND_MAP_NULL_, MOUND_MAP_NULL_,       \
                      flags)                                                   \
    MOUND_TYPED_FUNCTIONS_(P, NAME, K)                                         \
    MOUND_TYPED_ELEM_FUNCTIONS_(P, NAME, K, V)

#define MOUND_TYPED_KEYED_(P, NAME, K, V, hash, eq, key_copy, key_drop)        \
    MOUND_TYPED_COMMON_(P, NAME, K, hash, eq)                                  \
    MOUND_TYPED_TYPES_(P, NAME, K, V)                                          \
    MOUND_TYPED_KEY_OWNED_(NAME, K, key_copy, key_drop)                        \
    MOUND_TYPED_TYPE_(NAME, K, sizeof(V), __alignof__(V), NAME##_key_copy_,    \
                      NAME##_key_drop_, MOUND_MAP_NULL_, MOUND_MAP_NULL_, 0)   \
    MOUND_TYPED_FUNCTIONS_(P, NAME, K)                                         \
    MOUND_TYPED_ELEM_FUNCTIONS_(P, NAME, K, V)

#define MOUND_TYPED_OWNING_(P, NAME, K, V, hash, eq, key_copy, key_drop,       \
                            elem_copy, elem_drop)                              \
    MOUND_TYPED_COMMON_(P, NAME, K, hash, eq)                                  \
    MOUND_TYPED_TYPES_(P, NAME, K, V)                                          \
    MOUND_TYPED_KEY_OWNED_(NAME, K, key_copy, key_drop)                        \
    MOUND_TYPED_ELEM_OWNED_(NAME, V, elem_copy, elem_drop)                     \
    MOUND_TYPED_TYPE_(NAME, K, sizeof(V), __alignof__(V), NAME##_key_copy_,    \
                      NAME##_key_drop_, NAME##_elem_copy_, NAME##_elem_drop_,  \
                      0)                                                       \
    MOUND_TYPED_FUNCTIONS_(P, NAME, K)                                         \
    MOUND_TYPED_ELEM_FUNCTIONS_(P, NAME, K, V)

// Sets, likewise.
#define MOUND_TYPED_SET_(P, NAME, K, hash, eq, flags)                          \
    MOUND_TYPED_COMMON_(P, NAME, K, hash, eq)                                  \
    MOUND_TYPED_SET_TYPES_(P, NAME, K)                                         \
    MOUND_TYPED_TYPE_(NAME, K, 0, 1, MOUND_MAP_NULL_, MOUND_MAP_NULL_,         \
                      MOUND_MAP_NULL_, MOUND_MAP_NULL_, flags)                 \
    MOUND_TYPED_FUNCTIONS_(P, NAME, K)                                         \
    MOUND_TYPED_SET_FUNCTIONS_(P, NAME, K)

#define MOUND_TYPED_SET_OWNING_(P, NAME, K, hash, eq, key_copy, key_drop)      \
    MOUND_TYPED_COMMON_(P, NAME, K, hash, eq)                                  \
    MOUND_TYPED_SET_TYPES_(P, NAME, K)                                         \
    MOUND_TYPED_KEY_OWNED_(NAME, K, key_copy, key_drop)                        \
    MOUND_TYPED_TYPE_(NAME, K, 0, 1, NAME##_key_copy_, NAME##_key_drop_,       \
                      MOUND_MAP_NULL_, MOUND_MAP_NULL_, 0)                     \
    MOUND_TYPED_FUNCTIONS_(P, NAME, K)                                         \
    MOUND_TYPED_SET_FUNCTIONS_(P, NAME, K)

#define MOUND_TYPED_SET_TYPES_(P, NAME, K)                                     \
    struct NAME##_entry_ {                                                     \
        K key;                                                                 \
    };                                                                         \
    typedef struct NAME##_iter {                                               \
        K const *key;                                                          \
        struct P##_iter it_;                                                   \
    } NAME##_iter;                                                             \
    struct NAME##_cursor_ {                                                    \
        K const *key;                                                          \
        struct P##_cursor_ c_;                                                 \
    };                                                                         \
    struct __attribute__((aligned(MOUND_MAP_ALIGN_MAX))) NAME##_first {        \
        char bytes_[P##_first_size_(sizeof(K), 0)];                            \
    };

#define MOUND_TYPED_SET_FUNCTIONS_(P, NAME, K)                                 \
    MOUND_MAP_STATIC_ bool NAME##_add(NAME *m, K key, bool *ret_new) {         \
        return NAME##_insert_(m, key, ret_new) != MOUND_MAP_NULL_;             \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_next(NAME##_iter *it) {                      \
        bool more = P##_advance_(&NAME##_type_, &it->it_);                     \
        it->key = MOUND_MAP_CAST_(K const *, it->it_.key);                     \
        return more;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ struct NAME##_cursor_ NAME##_cursor_of_(                 \
        const NAME##_iter *it) {                                               \
        struct NAME##_cursor_ c;                                               \
        c.c_ = P##_cursor_of_(&it->it_);                                       \
        c.key = MOUND_MAP_NULL_;                                               \
        return c;                                                              \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_step_(NAME##_iter *it,                       \
                                        struct NAME##_cursor_ *c) {            \
        bool more = P##_step_(&NAME##_type_, &it->it_, &c->c_);                \
        c->key = MOUND_MAP_CAST_(K const *, c->c_.key);                        \
        return more;                                                           \
    }

#define MOUND_MAP_STATIC_ static inline __attribute__((unused))
#define MOUND_MAP_COLD_ __attribute__((noinline, unused)) static

#endif
