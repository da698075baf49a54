// map.c: the operations: what mound_map_ops.h leaves to the library, and the untyped
// functions. Start reading in mound_map_hmap.h.
#include "mound_map.h"

#include "array.h"
#include "map_grow.h"
#include "map_hash.h"
#include "map_type.h"
#include "memory.h"
#include "map_write.h"
#include "old.h"

#include <stdlib.h>

void mound_map_misuse_(const struct mound_map_type *t,
                       const struct mound_map *m, const char *message) {
    if (mound_map_flags_(m) & MOUND_MAP_FREED)
        message = "use of a map after free";
    map_type_misuse(t, message);
}

void mound_map_clash_(const struct mound_map_type *t,
                      const struct mound_map *m) {
    mound_map_misuse_(t, m, "concurrent map writes");
    errno = EBUSY;
}

void mound_map_reseed_(struct mound_map *m) {
    uint32_t last = m->hash0_;
    while (m->hash0_ == last)
        m->hash0_ = (uint32_t)map_random();
}

// Making and freeing.

static void init_empty(struct mound_map *m) {
    map_hash_start();
    *m = (struct mound_map){0};
    mound_map_reseed_(m);
}

bool mound_map_init(const struct mound_map_type *t, struct mound_map *m,
                    void *first) {
    if (!map_type_valid(t) || m == NULL) {
        errno = EINVAL;
        return false;
    }
    init_empty(m);
    if (first != NULL) {
        m->buckets_ = array_lend(t, first);
        m->flags_ = MOUND_MAP_FIRST_LENT;
    }
    return true;
}

// hint_B sets B for hint entries; false: no memory could hold them.
static bool hint_B(size_t hint, unsigned *ret_B) {
    if (hint >= SIZE_MAX / 16 || map_hint_B(hint) > MOUND_MAP_B_MAX)
        return false;
    *ret_B = map_hint_B(hint);
    return true;
}

// init_B makes an empty map with an array of 2^B buckets, or without one for B of 0.
static bool init_B(const struct mound_map_type *t, struct mound_map *m,
                   unsigned B) {
    init_empty(m);
    if (B > 0 && (m->buckets_ = array_new(t, B, true)) == NULL)
        return false;
    m->B_ = (uint8_t)B;
    return true;
}

bool mound_map_init_hint(const struct mound_map_type *t, struct mound_map *m,
                         size_t hint) {
    if (!mound_map_init(t, m, NULL))
        return false;
    unsigned B;
    if (!hint_B(hint, &B) || !init_B(t, m, B)) {
        errno = ENOMEM;
        return false;
    }
    return true;
}

struct mound_map *mound_map_make(const struct mound_map_type *t, size_t hint) {
    if (!map_type_valid(t)) {
        errno = EINVAL;
        return NULL;
    }
    unsigned B;
    struct mound_map *m = NULL;
    if (hint_B(hint, &B))
        m = (struct mound_map *)memory_new(t, sizeof *m, MEMORY_ALIGN);
    if (m == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    if (!init_B(t, m, B)) {
        memory_free(t, m, sizeof *m);
        errno = ENOMEM;
        return NULL;
    }
    return m;
}

size_t mound_map_first_size(const struct mound_map_type *t) {
    return array_front(t, 0, true) + mound_map_datasize_(t);
}

static bool entry_see_drop(const struct mound_map_type *t, void *key,
                           void *elem, void *arg) {
    (void)arg;
    mound_map_drop_(t, key, elem);
    return true;
}

static void drop_all(const struct mound_map_type *t, struct mound_map *m) {
    if (t->key_drop != NULL || t->elem_drop != NULL ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        map_walk(t, m, entry_see_drop, NULL);
}

// give_up frees all but the header, and returns whether no loop over the map is under
// way: else the header is to stay until those have ended. ours: it is malloc's.
static bool give_up(const struct mound_map_type *t, struct mound_map *m,
                    bool ours) {
    drop_all(t, m);
    uint32_t npinned = old_count(m) / MOUND_MAP_PINNED;
    bool lent = (mound_map_flags_(m) & MOUND_MAP_FIRST_LENT) != 0;
    array_free(t, m->buckets_, m->B_, lent,
               m->extra_ != NULL ? &m->extra_->overflow_ : NULL);
    if (m->extra_ != NULL) {
        old_free_all(t, m);
        memory_free(t, m->extra_, sizeof *m->extra_);
    }
    *m = (struct mound_map){0};
    if (npinned > 0) {
        m->flags_ = MOUND_MAP_FREED;
        m->niterators_ = npinned;
        m->hash0_ = ours;
    }
#ifdef MOUND_DEBUG
    // A use after free finds all flags set and the largest count. It therefore takes
    // the slow path, which checks the map.
    m->flags_ = UINT8_MAX;
    m->count_ = SIZE_MAX;
#endif
    return npinned == 0;
}

void mound_map_deinit(const struct mound_map_type *t, struct mound_map *m) {
    if (m != NULL && map_writable(t, m))
        give_up(t, m, false);
}

void mound_map_free(const struct mound_map_type *t, struct mound_map *m) {
    if (m == NULL || !map_writable(t, m))
        return;
    bool done = give_up(t, m, true);
#ifdef MOUND_DEBUG // there the header stays, to tell of later uses
    done = false;
#endif
    if (done)
        memory_free(t, m, sizeof *m);
}

size_t mound_map_len(const struct mound_map *m) {
    return m == NULL ? 0 : m->count_;
}

// Reading.

void *mound_map_get(const struct mound_map_type *t, const struct mound_map *m,
                    const void *key) {
    return mound_map_find_(t, m, key, NULL);
}

void *mound_map_get_key(const struct mound_map_type *t,
                        const struct mound_map *m, const void *key,
                        const void **ret_key) {
    return mound_map_find_(t, m, key, ret_key);
}

// Writing.

__attribute__((noinline)) static void *put_slow(const struct mound_map_type *t,
                                                struct mound_map *m,
                                                const void *key, uint64_t hash,
                                                bool *ret_new) {
    return mound_map_put_whole_(t, m, key, hash, ret_new);
}

__attribute__((noinline)) static bool
delete_slow(const struct mound_map_type *t, struct mound_map *m,
            const void *key, uint64_t hash) {
    return mound_map_delete_whole_(t, m, key, hash);
}

void *mound_map_put(const struct mound_map_type *t, struct mound_map *m,
                    const void *key, bool *ret_new) {
    uint64_t hash;
    void *elem;
    if (mound_map_insert_(t, m, key, &hash, ret_new, &elem))
        return elem;
    return put_slow(t, m, key, hash, ret_new);
}

bool mound_map_delete(const struct mound_map_type *t, struct mound_map *m,
                      const void *key) {
    uint64_t hash;
    enum mound_map_look_ look = mound_map_remove_(t, m, key, &hash);
    if (look == MOUND_MAP_UNSURE_)
        return delete_slow(t, m, key, hash);
    return look == MOUND_MAP_FOUND_;
}

// What a whole put or delete calls.

bool mound_map_update_key_(const struct mound_map_type *t, struct mound_map *m,
                           uint64_t hash, void *there, const void *key) {
    if (t->key_copy == NULL) {
        if (t->key_size > 0) {
            old_forget(t, m, hash, there, key);
            memmove(there, key, t->key_size);
        }
        return true;
    }
    void *copy = memory_new(t, t->key_size, t->key_align);
    if (copy == NULL)
        return false;
    bool copied = t->key_copy(copy, key, t->user);
    if (copied) {
        old_forget(t, m, hash, there, copy);
        if (t->key_drop != NULL)
            t->key_drop(there, t->user);
        memcpy(there, copy, t->key_size);
    }
    memory_free(t, copy, t->key_size);
    return copied;
}

bool mound_map_write_begin_(const struct mound_map_type *t,
                            struct mound_map *m) {
    if (!map_writable(t, m))
        return false;
    map_write_begin(m);
    if (mound_map_flags_(m) & MOUND_MAP_OUTGROWN)
        old_step(t, m, false);
    return true;
}

bool mound_map_first_bucket_(const struct mound_map_type *t,
                             struct mound_map *m) {
    m->buckets_ = array_new(t, 0, true);
    return m->buckets_ != NULL;
}

bool mound_map_grow_work_(const struct mound_map_type *t, struct mound_map *m,
                          uint64_t hash) {
    return map_grow_work(t, m, hash);
}

bool mound_map_grow_start_(const struct mound_map_type *t,
                           struct mound_map *m) {
    return map_grow_start(t, m);
}

void mound_map_forget_(const struct mound_map_type *t, struct mound_map *m,
                       uint64_t hash, const void *key) {
    old_forget(t, m, hash, key, NULL);
}

void mound_map_refilter_(struct mound_map *m, uint64_t hash) {
    struct mound_map_place_ p = mound_map_chain_(m, hash);
    *mound_map_filter_(p.array, p.B, p.first) =
        mound_map_chain_filter_(p.overflow, p.array, p.B, p.first);
}

void mound_map_clear(const struct mound_map_type *t, struct mound_map *m) {
    if (m == NULL || !map_writable(t, m))
        return;
    map_write_begin(m);
    drop_all(t, m);
    // With older arrays gone, iterators over them must not go on, nor leave them.
    if (m->extra_ != NULL || (m->niterators_ != 0 && map_extra(t, m) != NULL)) {
        uint32_t count = old_count(m);
        if (m->extra_->old_ != NULL || count != m->extra_->nlost_) {
            m->extra_->clearseq_++;
            m->extra_->nlost_ = count;
            m->niterators_ = 0;
        }
        old_free_all(t, m);
        m->extra_->overflow_.next_ = 0;
    }
    if (m->buckets_ != NULL)
        array_clear(m->buckets_, m->B_);
    m->count_ = 0;
    m->nevacuate_ = 0;
    m->noverflow_ = 0;
    mound_map_reseed_(m);
    map_write_end(t, m);
}
