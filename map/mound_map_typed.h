// mound_map_typed.h: the lines that declare a map type. See mound_map.h, whose first
// page shows what they make.
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
#define MOUND_MAP_MEMORY NULL
#endif

// mound_map_foreach walks a map or set declared as NAME: it.key and it.elem point to
// the entry. break, return and goto out of it are fine, longjmp leaves it un-ended.
#define mound_map_foreach(NAME, it, m)                                         \
    for (NAME##_iter it##_walk_                                                \
         __attribute__((cleanup(NAME##_end))) = NAME##_start_(m);              \
         mound_map_refill_(&it##_walk_.it_);)                                  \
        for (struct NAME##_cursor_ it = NAME##_cursor_of_(&it##_walk_);        \
             NAME##_step_(&it##_walk_, &it);)

// Entries are moved as bytes, and new elements are zero bytes: of C++ types, those
// that std::memcpy copies. A std::string is none; examples/owned.cc shows what to do.
#ifdef __cplusplus
#define MOUND_MAP_BYTES_(T)                                                    \
    static_assert(::std::is_trivially_copyable<T>::value ||                    \
                      (::std::is_trivially_copy_constructible<T>::value &&     \
                       ::std::is_trivially_destructible<T>::value),            \
                  "mound_map moves keys and elements as bytes: they have to "  \
                  "be trivially copyable; store a pointer to this type");
#else
#define MOUND_MAP_BYTES_(T)
#endif

// The part that needs no more than the key.
#define MOUND_MAP_COMMON_(NAME, K, hash_fn, eq_fn)                             \
    MOUND_MAP_BYTES_(K)                                                        \
    typedef struct NAME {                                                      \
        union {                                                                \
            struct mound_map map_;                                             \
            const struct NAME##_entry_                                         \
                *entry_; /* tells debuggers the types */                       \
        } u_;                                                                  \
    } NAME;                                                                    \
    MOUND_MAP_INLINE_ uint64_t NAME##_hash_(const void *key, uint64_t seed,    \
                                            void *user) {                      \
        (void)user;                                                            \
        return hash_fn(*(K const *)key, seed);                                 \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_equal_(const void *a, const void *b,         \
                                         void *user) {                         \
        (void)user;                                                            \
        return eq_fn(*(K const *)a, *(K const *)b);                            \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_evacuate_bucket_(                            \
        const struct mound_map_type *t, struct mound_map *m,                   \
        size_t oldbucket);

#define MOUND_MAP_FUNCTIONS_(NAME, K)                                          \
    MOUND_MAP_STATIC_ void NAME##_evacuate_bucket_(                            \
        const struct mound_map_type *t, struct mound_map *m,                   \
        size_t oldbucket) {                                                    \
        (void)t;                                                               \
        mound_map_evacuate_bucket_(&NAME##_type_, m, oldbucket);               \
    }                                                                          \
    MOUND_MAP_STATIC_ const struct mound_map_type *NAME##_type(void) {         \
        return &NAME##_type_;                                                  \
    }                                                                          \
    MOUND_MAP_STATIC_ struct mound_map *NAME##_untyped(const NAME *m) {        \
        /* Not a cast of pointers: users may have -Wcast-qual. */              \
        return (struct mound_map *)(uintptr_t)m;                               \
    }                                                                          \
    MOUND_MAP_STATIC_ NAME *NAME##_make(size_t hint) {                         \
        return (NAME *)mound_map_make(&NAME##_type_, hint);                    \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_free(NAME *m) {                              \
        mound_map_free(&NAME##_type_, NAME##_untyped(m));                      \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_init(NAME *m, struct NAME##_first *first) {  \
        return mound_map_init(&NAME##_type_, &m->u_.map_, first);              \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_init_hint(NAME *m, size_t hint) {            \
        return mound_map_init_hint(&NAME##_type_, &m->u_.map_, hint);          \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_deinit(NAME *m) {                            \
        mound_map_deinit(&NAME##_type_, &m->u_.map_);                          \
    }                                                                          \
    MOUND_MAP_STATIC_ size_t NAME##_len(const NAME *m) {                       \
        return m == NULL ? 0 : mound_map_len(&m->u_.map_);                     \
    }                                                                          \
    MOUND_MAP_COLD_ void *NAME##_put_slow_(                                    \
        const struct mound_map_type *t, struct mound_map *m, const void *key,  \
        uint64_t hash, bool *ret_new) {                                        \
        (void)t;                                                               \
        return mound_map_put_whole_(&NAME##_type_, m, key, hash, ret_new);     \
    }                                                                          \
    MOUND_MAP_COLD_ bool NAME##_delete_slow_(const struct mound_map_type *t,   \
                                             struct mound_map *m,              \
                                             const void *key, uint64_t hash) { \
        (void)t;                                                               \
        return mound_map_delete_whole_(&NAME##_type_, m, key, hash);           \
    }                                                                          \
    MOUND_MAP_COLD_ void *NAME##_seek_(const struct mound_map *m, K key,       \
                                       uint64_t hash) {                        \
        return mound_map_seek_(&NAME##_type_, m, &key, hash, true, NULL);      \
    }                                                                          \
    MOUND_MAP_INLINE_ void *NAME##_find_(const NAME *m, K key) {               \
        uint64_t hash;                                                         \
        void *elem = NULL;                                                     \
        const struct mound_map *map = NAME##_untyped(m);                       \
        if (MOUND_MAP_UNLIKELY_(mound_map_look_(&NAME##_type_, map, &key,      \
                                                &hash,                         \
                                                &elem) == MOUND_MAP_UNSURE_))  \
            return NAME##_seek_(map, key, hash);                               \
        return elem;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_has(const NAME *m, K key) {                  \
        return NAME##_find_(m, key) != NULL;                                   \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_delete(NAME *m, K key) {                     \
        return mound_map_remove_(&NAME##_type_, NAME##_untyped(m), &key,       \
                                 NAME##_delete_slow_);                         \
    }                                                                          \
    MOUND_MAP_STATIC_ void NAME##_clear(NAME *m) {                             \
        mound_map_clear(&NAME##_type_, NAME##_untyped(m));                     \
    }                                                                          \
    MOUND_MAP_STATIC_ NAME *NAME##_clone(const NAME *m) {                      \
        return (NAME *)mound_map_clone(&NAME##_type_, NAME##_untyped(m));      \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_reserve(NAME *m, size_t n) {                 \
        return mound_map_reserve(&NAME##_type_, NAME##_untyped(m), n);         \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_shrink(NAME *m) {                            \
        return mound_map_shrink(&NAME##_type_, NAME##_untyped(m));             \
    }                                                                          \
    MOUND_MAP_STATIC_ size_t NAME##_evacuate(NAME *m, size_t n) {              \
        return mound_map_evacuate(&NAME##_type_, NAME##_untyped(m), n);        \
    }                                                                          \
    MOUND_MAP_INLINE_ NAME##_iter NAME##_begin(const NAME *m) {                \
        NAME##_iter it;                                                        \
        mound_map_begin(&NAME##_type_, NAME##_untyped(m), &it.it_);            \
        it.key = NULL;                                                         \
        return it;                                                             \
    }                                                                          \
    MOUND_MAP_INLINE_ NAME##_iter NAME##_start_(const NAME *m) {               \
        NAME##_iter it;                                                        \
        mound_map_start_(&NAME##_type_, NAME##_untyped(m), &it.it_);           \
        it.key = NULL;                                                         \
        return it;                                                             \
    }                                                                          \
    MOUND_MAP_INLINE_ void NAME##_end(NAME##_iter *it) {                       \
        mound_map_end(&it->it_);                                               \
    }

// The part that has an element.
#define MOUND_MAP_TYPES_(NAME, K, V)                                           \
    MOUND_MAP_BYTES_(V)                                                        \
    struct NAME##_entry_ {                                                     \
        K key;                                                                 \
        V elem;                                                                \
    };                                                                         \
    typedef struct NAME##_iter {                                               \
        K const *key;                                                          \
        V *elem;                                                               \
        struct mound_map_iter it_;                                             \
    } NAME##_iter;                                                             \
    struct NAME##_cursor_ {                                                    \
        K const *key;                                                          \
        V *elem;                                                               \
        struct mound_map_cursor_ c_;                                           \
    };                                                                         \
    struct __attribute__((aligned(MOUND_MAP_ALIGN_MAX))) NAME##_first {        \
        char bytes_[MOUND_MAP_FIRST_SIZE_(sizeof(K), sizeof(V))];              \
    };

#define MOUND_MAP_ELEM_FUNCTIONS_(NAME, K, V)                                  \
    MOUND_MAP_INLINE_ V *NAME##_get(const NAME *m, K key) {                    \
        return (V *)NAME##_find_(m, key);                                      \
    }                                                                          \
    MOUND_MAP_STATIC_ V *NAME##_put(NAME *m, K key, bool *ret_new) {           \
        return (V *)mound_map_insert_(&NAME##_type_, NAME##_untyped(m), &key,  \
                                      ret_new, NAME##_put_slow_);              \
    }                                                                          \
    MOUND_MAP_STATIC_ bool NAME##_set(NAME *m, K key, V elem) {                \
        bool is_new = false;                                                   \
        V *slot = (V *)mound_map_insert_(&NAME##_type_, NAME##_untyped(m),     \
                                         &key, &is_new, NAME##_put_slow_);     \
        if (slot == NULL)                                                      \
            return false;                                                      \
        if (!is_new && NAME##_type_.elem_drop != NULL)                         \
            NAME##_type_.elem_drop(slot, NULL);                                \
        *slot = elem;                                                          \
        return true;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_next(NAME##_iter *it) {                      \
        bool more = mound_map_advance_(&NAME##_type_, &it->it_);               \
        it->key = (K const *)it->it_.key;                                      \
        it->elem = (V *)it->it_.elem;                                          \
        return more;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ struct NAME##_cursor_ NAME##_cursor_of_(                 \
        const NAME##_iter *it) {                                               \
        struct NAME##_cursor_ c;                                               \
        c.c_ = mound_map_cursor_of_(&it->it_);                                 \
        c.key = NULL;                                                          \
        c.elem = NULL;                                                         \
        return c;                                                              \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_step_(NAME##_iter *it,                       \
                                        struct NAME##_cursor_ *c) {            \
        bool more = mound_map_step_(&NAME##_type_, &it->it_, &c->c_);          \
        c->key = (K const *)c->c_.key;                                         \
        c->elem = (V *)c->c_.elem;                                             \
        return more;                                                           \
    }

// MOUND_MAP_DECLARE(NAME, K, V, hash, eq): a map from K to V, whose bytes it copies.
// uint64_t hash(K key, uint64_t seed) and bool eq(K a, K b) are functions or macros;
// keys that are equal have one hash.
#define MOUND_MAP_DECLARE(NAME, K, V, hash, eq)                                \
    MOUND_MAP_FLAGGED_(NAME, K, V, hash, eq, 0)

#define MOUND_MAP_FLAGGED_(NAME, K, V, hash, eq, flags)                        \
    MOUND_MAP_COMMON_(NAME, K, hash, eq)                                       \
    MOUND_MAP_TYPES_(NAME, K, V)                                               \
    static const struct mound_map_type NAME##_type_ = {                        \
        sizeof(K),                                                             \
        __alignof__(K),                                                        \
        sizeof(V),                                                             \
        __alignof__(V),                                                        \
        NAME##_hash_,                                                          \
        NAME##_equal_,                                                         \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        flags,                                                                 \
        MOUND_MAP_MEMORY,                                                      \
        NAME##_evacuate_bucket_};                                              \
    MOUND_MAP_FUNCTIONS_(NAME, K)                                              \
    MOUND_MAP_ELEM_FUNCTIONS_(NAME, K, V)

// MOUND_MAP_DECLARE_OWNING is MOUND_MAP_DECLARE with the four functions named above,
// or MOUND_MAP_COPY_BITS, MOUND_MAP_DROP_NOTHING and MOUND_MAP_COPY_ELEM_BITS in the
// place of any.
#define MOUND_MAP_DECLARE_OWNING(NAME, K, V, hash, eq, key_copy, key_drop,     \
                                 elem_copy, elem_drop)                         \
    MOUND_MAP_COMMON_(NAME, K, hash, eq)                                       \
    MOUND_MAP_TYPES_(NAME, K, V)                                               \
    MOUND_MAP_KEY_OWNED_(NAME, K, key_copy, key_drop)                          \
    MOUND_MAP_INLINE_ bool NAME##_elem_copy_(void *dst, const void *src,       \
                                             void *user) {                     \
        (void)user;                                                            \
        return elem_copy((V *)dst, (V const *)src);                            \
    }                                                                          \
    MOUND_MAP_INLINE_ void NAME##_elem_drop_(void *elem, void *user) {         \
        (void)user;                                                            \
        elem_drop((V *)elem);                                                  \
    }                                                                          \
    static const struct mound_map_type NAME##_type_ = {                        \
        sizeof(K),                                                             \
        __alignof__(K),                                                        \
        sizeof(V),                                                             \
        __alignof__(V),                                                        \
        NAME##_hash_,                                                          \
        NAME##_equal_,                                                         \
        NAME##_key_copy_,                                                      \
        NAME##_key_drop_,                                                      \
        NAME##_elem_copy_,                                                     \
        NAME##_elem_drop_,                                                     \
        NULL,                                                                  \
        NULL,                                                                  \
        0,                                                                     \
        MOUND_MAP_MEMORY,                                                      \
        NAME##_evacuate_bucket_};                                              \
    MOUND_MAP_FUNCTIONS_(NAME, K)                                              \
    MOUND_MAP_ELEM_FUNCTIONS_(NAME, K, V)

#define MOUND_MAP_KEY_OWNED_(NAME, K, key_copy, key_drop)                      \
    MOUND_MAP_INLINE_ bool NAME##_key_copy_(void *dst, const void *src,        \
                                            void *user) {                      \
        (void)user;                                                            \
        return key_copy((K *)dst, *(K const *)src);                            \
    }                                                                          \
    MOUND_MAP_INLINE_ void NAME##_key_drop_(void *key, void *user) {           \
        (void)user;                                                            \
        key_drop(*(K *)key);                                                   \
    }

// Keys are copied and dropped, elements are plain.
#define MOUND_MAP_KEYED_(NAME, K, V, hash, eq, key_copy, key_drop)             \
    MOUND_MAP_COMMON_(NAME, K, hash, eq)                                       \
    MOUND_MAP_TYPES_(NAME, K, V)                                               \
    MOUND_MAP_KEY_OWNED_(NAME, K, key_copy, key_drop)                          \
    static const struct mound_map_type NAME##_type_ = {                        \
        sizeof(K),                                                             \
        __alignof__(K),                                                        \
        sizeof(V),                                                             \
        __alignof__(V),                                                        \
        NAME##_hash_,                                                          \
        NAME##_equal_,                                                         \
        NAME##_key_copy_,                                                      \
        NAME##_key_drop_,                                                      \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        0,                                                                     \
        MOUND_MAP_MEMORY,                                                      \
        NAME##_evacuate_bucket_};                                              \
    MOUND_MAP_FUNCTIONS_(NAME, K)                                              \
    MOUND_MAP_ELEM_FUNCTIONS_(NAME, K, V)

// MOUND_SET_DECLARE(NAME, K, hash, eq): a set. NAME_add returns false when out of
// memory; ret_new, if not NULL, is told whether the key was new.
#define MOUND_SET_DECLARE(NAME, K, hash, eq)                                   \
    MOUND_SET_FLAGGED_(NAME, K, hash, eq, 0)

#define MOUND_SET_FLAGGED_(NAME, K, hash, eq, flags)                           \
    MOUND_MAP_COMMON_(NAME, K, hash, eq)                                       \
    MOUND_SET_TYPES_(NAME, K)                                                  \
    static const struct mound_map_type NAME##_type_ = {                        \
        sizeof(K),                                                             \
        __alignof__(K),                                                        \
        0,                                                                     \
        1,                                                                     \
        NAME##_hash_,                                                          \
        NAME##_equal_,                                                         \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        flags,                                                                 \
        MOUND_MAP_MEMORY,                                                      \
        NAME##_evacuate_bucket_};                                              \
    MOUND_MAP_FUNCTIONS_(NAME, K)                                              \
    MOUND_SET_FUNCTIONS_(NAME, K)

#define MOUND_SET_DECLARE_OWNING(NAME, K, hash, eq, key_copy, key_drop)        \
    MOUND_MAP_COMMON_(NAME, K, hash, eq)                                       \
    MOUND_SET_TYPES_(NAME, K)                                                  \
    MOUND_MAP_KEY_OWNED_(NAME, K, key_copy, key_drop)                          \
    static const struct mound_map_type NAME##_type_ = {                        \
        sizeof(K),                                                             \
        __alignof__(K),                                                        \
        0,                                                                     \
        1,                                                                     \
        NAME##_hash_,                                                          \
        NAME##_equal_,                                                         \
        NAME##_key_copy_,                                                      \
        NAME##_key_drop_,                                                      \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        NULL,                                                                  \
        0,                                                                     \
        MOUND_MAP_MEMORY,                                                      \
        NAME##_evacuate_bucket_};                                              \
    MOUND_MAP_FUNCTIONS_(NAME, K)                                              \
    MOUND_SET_FUNCTIONS_(NAME, K)

#define MOUND_SET_TYPES_(NAME, K)                                              \
    struct NAME##_entry_ {                                                     \
        K key;                                                                 \
    };                                                                         \
    typedef struct NAME##_iter {                                               \
        K const *key;                                                          \
        struct mound_map_iter it_;                                             \
    } NAME##_iter;                                                             \
    struct NAME##_cursor_ {                                                    \
        K const *key;                                                          \
        struct mound_map_cursor_ c_;                                           \
    };                                                                         \
    struct __attribute__((aligned(MOUND_MAP_ALIGN_MAX))) NAME##_first {        \
        char bytes_[MOUND_MAP_FIRST_SIZE_(sizeof(K), 0)];                      \
    };

#define MOUND_SET_FUNCTIONS_(NAME, K)                                          \
    MOUND_MAP_STATIC_ bool NAME##_add(NAME *m, K key, bool *ret_new) {         \
        return mound_map_insert_(&NAME##_type_, NAME##_untyped(m), &key,       \
                                 ret_new, NAME##_put_slow_) != NULL;           \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_next(NAME##_iter *it) {                      \
        bool more = mound_map_advance_(&NAME##_type_, &it->it_);               \
        it->key = (K const *)it->it_.key;                                      \
        return more;                                                           \
    }                                                                          \
    MOUND_MAP_INLINE_ struct NAME##_cursor_ NAME##_cursor_of_(                 \
        const NAME##_iter *it) {                                               \
        struct NAME##_cursor_ c;                                               \
        c.c_ = mound_map_cursor_of_(&it->it_);                                 \
        c.key = NULL;                                                          \
        return c;                                                              \
    }                                                                          \
    MOUND_MAP_INLINE_ bool NAME##_step_(NAME##_iter *it,                       \
                                        struct NAME##_cursor_ *c) {            \
        bool more = mound_map_step_(&NAME##_type_, &it->it_, &c->c_);          \
        c->key = (K const *)c->c_.key;                                         \
        return more;                                                           \
    }

#define MOUND_MAP_STATIC_ static inline __attribute__((unused))
#define MOUND_MAP_COLD_ __attribute__((noinline, unused)) static

// Bytes of a first bucket: tophash bytes, keys, elements, and what alignment may
// put between them.
#define MOUND_MAP_SLOT_SIZE_(size)                                             \
    ((size) > MOUND_MAP_INLINE_MAX ? sizeof(void *) : (size))
#define MOUND_MAP_FIRST_SIZE_(key_size, elem_size)                             \
    (3 * MOUND_MAP_ALIGN_MAX +                                                 \
     MOUND_MAP_SLOTS *                                                         \
         (MOUND_MAP_SLOT_SIZE_(key_size) + MOUND_MAP_SLOT_SIZE_(elem_size)))

#endif
