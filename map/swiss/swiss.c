// swiss.c: the operations of a Swiss map: what mound_swiss_ops.h leaves to the library,
// and the untyped functions. Start reading in mound_swiss_table.h.
#include "mound_swiss.h"

#include "map_hash.h"
#include "map_type.h"
#include "memory.h"
#include "swiss_grow.h"
#include "swiss_write.h"

void mound_swiss_misuse_(const struct mound_map_type *t,
                         const struct mound_swiss *m, const char *message) {
    if (mound_swiss_flags_(m) & MOUND_SWISS_FREED)
        message = "use of a map after free";
    map_type_misuse(t, message);
}

void mound_swiss_clash_(const struct mound_map_type *t,
                        const struct mound_swiss *m) {
    mound_swiss_misuse_(t, m, "concurrent map writes");
    errno = EBUSY;
}

static void reseed(struct mound_swiss *m) {
    uint32_t last = m->hash0_;
    while (m->hash0_ == last)
        m->hash0_ = (uint32_t)map_random();
}

// Making and freeing.

static void start(const struct mound_map_type *t, struct mound_swiss *m) {
    map_hash_start();
    *m = (struct mound_swiss){0};
    dir_none(t, m);
    reseed(m);
}

// start_hint is start with room for hint entries; false, with ENOMEM: there is none.
static bool start_hint(const struct mound_map_type *t, struct mound_swiss *m,
                       size_t hint) {
    start(t, m);
    if (hint <= MOUND_SWISS_FIRST || swiss_reserve(t, m, hint))
        return true;
    swiss_free_tables(t, m);
    dir_none(t, m);
    errno = ENOMEM;
    return false;
}

bool mound_swiss_init(const struct mound_map_type *t, struct mound_swiss *m,
                      void *first) {
    if (!map_type_valid(t) || m == NULL) {
        errno = EINVAL;
        return false;
    }
    start(t, m);
    if (first != NULL)
        dir_set(t, m, table_lend(t, first));
    return true;
}

bool mound_swiss_init_hint(const struct mound_map_type *t,
                           struct mound_swiss *m, size_t hint) {
    if (!map_type_valid(t) || m == NULL) {
        errno = EINVAL;
        return false;
    }
    return start_hint(t, m, hint);
}

struct mound_swiss *mound_swiss_make(const struct mound_map_type *t,
                                     size_t hint) {
    if (!map_type_valid(t)) {
        errno = EINVAL;
        return NULL;
    }
    struct mound_swiss *m =
        (struct mound_swiss *)memory_new(t, sizeof *m, MEMORY_ALIGN);
    if (m == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    if (!start_hint(t, m, hint)) {
        memory_free(t, m, sizeof *m);
        return NULL;
    }
    return m;
}

size_t mound_swiss_first_size(const struct mound_map_type *t) {
    // As memory may lie, the table begins later than it does.
    size_t align = mound_map_dataalign_(t);
    if (align < MEMORY_ALIGN)
        align = MEMORY_ALIGN;
    return align +
           mound_map_round_(MOUND_SWISS_FIRST * mound_swiss_slotsize_(t),
                            align) +
           MOUND_SWISS_GROUP + sizeof(struct mound_swiss_table);
}

static bool entry_see_drop(const struct mound_map_type *t, void *key,
                           void *elem, void *arg) {
    (void)arg;
    mound_map_drop_(t, key, elem);
    return true;
}

static void drop_all(const struct mound_map_type *t, struct mound_swiss *m) {
    if (t->key_drop != NULL || t->elem_drop != NULL ||
        mound_map_key_apart_(t) || mound_map_elem_apart_(t))
        swiss_walk(t, m, entry_see_drop, NULL);
}

// give_up frees all but the header, and returns whether no loop over the map is under
// way: else the header is to stay until those have ended. ours: it is malloc's.
static bool give_up(const struct mound_map_type *t, struct mound_swiss *m,
                    bool ours) {
    drop_all(t, m);
    swiss_free_old(t, m);
    swiss_free_tables(t, m);
    uint16_t npinned = m->npinned_;
#ifndef MOUND_DEBUG
    if (npinned == 0 && ours)
        return true; // nobody looks at it again
#endif
    uint32_t epoch = m->epoch_ + 1;
    *m = (struct mound_swiss){0};
    dir_none(t, m);
    m->epoch_ = epoch;
    m->npinned_ = npinned;
    m->hash0_ = ours;
    mound_swiss_setflags_(m, mound_swiss_flags_(m) | MOUND_SWISS_FREED);
#ifdef MOUND_DEBUG
    // A use after free finds a write under way. It therefore takes the slow path, which
    // checks the map.
    mound_swiss_setflags_(m, UINT8_MAX);
    m->count_ = SIZE_MAX;
#endif
    return npinned == 0;
}

void mound_swiss_deinit(const struct mound_map_type *t, struct mound_swiss *m) {
    if (m != NULL && swiss_writable(t, m))
        give_up(t, m, false);
}

void mound_swiss_free(const struct mound_map_type *t, struct mound_swiss *m) {
    if (m == NULL || !swiss_writable(t, m))
        return;
    bool done = give_up(t, m, true);
#ifdef MOUND_DEBUG // there the header stays, to tell of later uses
    done = false;
#endif
    if (done)
        memory_free(t, m, sizeof *m);
}

size_t mound_swiss_len(const struct mound_swiss *m) {
    return m == NULL ? 0 : m->count_;
}

// Reading.

void *mound_swiss_get_key(const struct mound_map_type *t,
                          const struct mound_swiss *m, const void *key,
                          const void **ret_key) {
    if (m == NULL || m->count_ == 0)
        return NULL;
    return mound_swiss_seek_(t, m, key, mound_swiss_hash_(t, m, key), false,
                             ret_key);
}

void *mound_swiss_get(const struct mound_map_type *t,
                      const struct mound_swiss *m, const void *key) {
    return mound_swiss_get_key(t, m, key, NULL);
}

// Writing.

__attribute__((noinline)) static void *put_slow(const struct mound_map_type *t,
                                                struct mound_swiss *m,
                                                const void *key, uint64_t hash,
                                                bool *ret_new) {
    return mound_swiss_put_whole_(t, m, key, hash, ret_new);
}

__attribute__((noinline)) static bool
delete_slow(const struct mound_map_type *t, struct mound_swiss *m,
            const void *key, uint64_t hash) {
    return mound_swiss_delete_whole_(t, m, key, hash);
}

void *mound_swiss_put(const struct mound_map_type *t, struct mound_swiss *m,
                      const void *key, bool *ret_new) {
    uint64_t hash;
    void *elem;
    if (mound_swiss_insert_(t, m, key, &hash, ret_new, &elem))
        return elem;
    return put_slow(t, m, key, hash, ret_new);
}

bool mound_swiss_delete(const struct mound_map_type *t, struct mound_swiss *m,
                        const void *key) {
    uint64_t hash;
    enum mound_map_look_ look = mound_swiss_remove_(t, m, key, &hash);
    if (look == MOUND_MAP_UNSURE_)
        return delete_slow(t, m, key, hash);
    return look == MOUND_MAP_FOUND_;
}

// What a whole put or delete calls.

bool mound_swiss_write_begin_(const struct mound_map_type *t,
                              struct mound_swiss *m) {
    if (!swiss_writable(t, m))
        return false;
    swiss_write_begin(m);
    if (MOUND_MAP_UNLIKELY_(m->old_ != NULL))
        swiss_sweep(t, m, false);
    return true;
}

bool mound_swiss_update_key_(const struct mound_map_type *t,
                             struct mound_swiss *m, uint64_t hash, void *there,
                             const void *key) {
    if (t->key_copy == NULL) {
        if (t->key_size > 0) {
            swiss_forget(t, m, hash, there, key);
            memmove(there, key, t->key_size);
        }
        return true;
    }
    void *copy = memory_new(t, t->key_size, t->key_align);
    if (copy == NULL)
        return false;
    bool copied = t->key_copy(copy, key, t->user);
    if (copied) {
        swiss_forget(t, m, hash, there, copy);
        if (t->key_drop != NULL)
            t->key_drop(there, t->user);
        memcpy(there, copy, t->key_size);
    }
    memory_free(t, copy, t->key_size);
    return copied;
}

void mound_swiss_forget_(const struct mound_map_type *t, struct mound_swiss *m,
                         uint64_t hash, const void *key) {
    swiss_forget(t, m, hash, key, NULL);
}

void mound_swiss_emptied_(struct mound_swiss *m) {
    reseed(m);
    m->epoch_++;
}

void mound_swiss_clear(const struct mound_map_type *t, struct mound_swiss *m) {
    if (m == NULL || !swiss_writable(t, m))
        return;
    swiss_write_begin(m);
    drop_all(t, m);
    swiss_free_old(t, m);
    dir_walk(t, ref, m) {
        table_of(t, *ref)->npins_ = 0;
        table_empty(t, *ref);
    }
    m->count_ = 0;
    m->clearseq_++;
    m->epoch_++;
    reseed(m);
    swiss_write_end(t, m);
}
