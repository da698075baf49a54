// mound_map_type.h: the type of a map: its keys, elements and memory. The map of
// mound_map.h and that of mound_swiss.h share it.
#ifndef MOUND_MAP_TYPE_H
#define MOUND_MAP_TYPE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#include <type_traits>
#endif

#if defined(__GNUC__) && !defined(MOUND_MAP_API)
#define MOUND_MAP_API __attribute__((visibility("default")))
#endif

// struct mound_map_memory is where a type's maps get memory from in place of malloc:
// headers, buckets, and keys and elements above 128 bytes. allocate returns size bytes
// aligned to align (16 to 64), or NULL; release is given the size again. Both are
// called by writes, and release by ends of iterators, too, in any reader's thread.
// What key_copy allocates is its own: the strings of STR and VIEW are malloc's.
struct mound_map_memory {
    void *(*allocate)(size_t size, size_t align, void *user);
    void (*release)(void *p, size_t size, void *user);
    void *user;
};

// struct mound_map_type describes keys and elements to the untyped functions
// below; the MOUND_MAP_ lines make one each. It is not copied: it has to live as
// long as the maps made with it, and all calls on a map must be given the same.
// Zeros and NULLs are good defaults for all but the first six fields.
struct mound_map_type {
    // Sizes and alignments in bytes, as of sizeof and alignof. A key of size 0 is
    // allowed (one entry at most), an element of size 0 makes a set. Keys and
    // elements above 128 bytes are stored apart, one malloc each, and never move.
    size_t key_size, key_align;
    size_t elem_size, elem_align;

    // hash returns 64 even bits of the key: the map uses the low and the top
    // ones. The seed belongs to the map and changes when the map is emptied.
    uint64_t (*hash)(const void *key, uint64_t seed, void *user);
    bool (*equal)(const void *a, const void *b, void *user);

    // key_copy and elem_copy fill dst with a copy of src of its own; false means
    // out of memory. NULL: the bytes are copied. key_copy is called by put and
    // clone, elem_copy by clone. key_drop and elem_drop release what they own.
    // None of these functions may call the map, or leave by longjmp or an exception.
    bool (*key_copy)(void *dst, const void *src, void *user);
    void (*key_drop)(void *key, void *user);
    bool (*elem_copy)(void *dst, const void *src, void *user);
    void (*elem_drop)(void *elem, void *user);

    // misuse is called at concurrent writes, in place of the message and abort. If
    // it returns, the call fails: put NULL with EBUSY, others as if the key
    // were not there.
    void (*misuse)(const char *message, void *user);

    void *user;     // given to each of these functions
    unsigned flags; // MOUND_MAP_KEY_...

    const struct mound_map_memory *memory; // NULL: malloc

    // How growth moves entries of this type; NULL: by the fields above. Set by the
    // lines that declare types only. What it moves is the map's own matter.
    void (*move_)(const struct mound_map_type *, void *map, uintptr_t what);
};

enum {
    MOUND_MAP_KEY_UPDATE = 1, // put replaces an equal key that is there
    MOUND_MAP_KEY_IRREFLEXIVE =
        2, // there are keys that do not equal themselves
    MOUND_MAP_KEY_PLAIN =
        4, // a key is its bytes: hash and equal follow no pointer in it
    MOUND_MAP_KEY_NUMBER =
        8, // any bytes are a key: hash may be given those of an empty slot
};

enum {
    MOUND_MAP_SIZE_MAX = 1 << 30, // bytes of a key, and of an element
    MOUND_MAP_ALIGN_MAX = 64,
};

#define MOUND_MAP_INLINE_ static inline __attribute__((always_inline, unused))
#define MOUND_MAP_LIKELY_(x) __builtin_expect(!!(x), 1)
#define MOUND_MAP_UNLIKELY_(x) __builtin_expect(!!(x), 0)

// Before a loop over the eight slots: what differs between them is to be constants. The
// steps stay one after the other where this is done to what they add up: side by side
// they would need more registers than there are.
#ifdef __clang__
#define MOUND_MAP_UNROLL_
#else
#define MOUND_MAP_UNROLL_ _Pragma("GCC unroll 8")
#endif
#define MOUND_MAP_IN_ORDER_(x) __asm__("" : "+r"(x))

// What differs between C and C++. The lines that declare types are expanded in users' files,
// which may be compiled with -Wold-style-cast and -Wzero-as-null-pointer-constant.
#ifdef __cplusplus
#define MOUND_MAP_STATIC_ASSERT_ static_assert
#define MOUND_MAP_CAST_(T, pointer) reinterpret_cast<T>(pointer)
#define MOUND_MAP_NULL_ nullptr
#else
#define MOUND_MAP_STATIC_ASSERT_ _Static_assert
#define MOUND_MAP_CAST_(T, pointer) ((T)(pointer))
#define MOUND_MAP_NULL_ NULL
#endif

enum {
    MOUND_MAP_INLINE_MAX = 128, // larger keys and elements are stored apart
};

// Slots. A key or element stored apart has a pointer in its slot.

MOUND_MAP_INLINE_ bool mound_map_key_apart_(const struct mound_map_type *t) {
    return t->key_size > MOUND_MAP_INLINE_MAX;
}

MOUND_MAP_INLINE_ bool mound_map_elem_apart_(const struct mound_map_type *t) {
    return t->elem_size > MOUND_MAP_INLINE_MAX;
}

// Whether no memory goes with a deleted key, so that stale copies of it may be looked at.
MOUND_MAP_INLINE_ bool mound_map_key_plain_(const struct mound_map_type *t) {
    return (t->flags & MOUND_MAP_KEY_PLAIN) && !mound_map_key_apart_(t);
}

MOUND_MAP_INLINE_ size_t mound_map_keyslot_(const struct mound_map_type *t) {
    return mound_map_key_apart_(t) ? sizeof(void *) : t->key_size;
}

MOUND_MAP_INLINE_ size_t mound_map_elemslot_(const struct mound_map_type *t) {
    return mound_map_elem_apart_(t) ? sizeof(void *) : t->elem_size;
}

MOUND_MAP_INLINE_ size_t mound_map_keyalign_(const struct mound_map_type *t) {
    return mound_map_key_apart_(t) ? sizeof(void *) : t->key_align;
}

MOUND_MAP_INLINE_ size_t mound_map_elemalign_(const struct mound_map_type *t) {
    return mound_map_elem_apart_(t) ? sizeof(void *) : t->elem_align;
}

MOUND_MAP_INLINE_ size_t mound_map_round_(size_t n, size_t align) {
    return (n + align - 1) & ~(align - 1);
}

MOUND_MAP_INLINE_ size_t mound_map_dataalign_(const struct mound_map_type *t) {
    return mound_map_keyalign_(t) > mound_map_elemalign_(t)
               ? mound_map_keyalign_(t)
               : mound_map_elemalign_(t);
}

// A slot's share of a key or element, for a constant expression of C.
#define MOUND_MAP_SLOT_SIZE_(size)                                             \
    ((size) > MOUND_MAP_INLINE_MAX ? sizeof(void *) : (size))

// What the first, inlined step of get found.
enum mound_map_look_ {
    MOUND_MAP_FOUND_,  // *ret is the element
    MOUND_MAP_ABSENT_, // the key is not in the map
    MOUND_MAP_UNSURE_, // it takes the second step to tell: seek
};

#ifdef __cplusplus
extern "C" {
#endif

// Returns NULL, errno is EINVAL: what put says of a map that is NULL.
MOUND_MAP_API __attribute__((cold)) void *mound_map_no_map_(void);
// Fills the slots of an entry of which a part is stored apart; false: out of memory.
MOUND_MAP_API bool mound_map_fill_apart_(const struct mound_map_type *t,
                                         char *kslot, char *eslot,
                                         const void *key);
// Drops a key and its element, and frees what of them is stored apart.
MOUND_MAP_API void mound_map_drop_(const struct mound_map_type *t, void *key,
                                   void *elem);

#ifdef __cplusplus
}
#endif

#endif
