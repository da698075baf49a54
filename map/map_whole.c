// map_whole.c: the operations on a map as a whole: cloning, sizing, and
// its figures.
#include "mound_map.h"

#include "array.h"
#include "map_grow.h"
#include "map_type.h"
#include "map_write.h"
#include "old.h"

// A clone on its way.
struct clone {
    struct mound_map *to;
    const void *half; // the element that could not be copied
};

static bool clone_entry(const struct mound_map_type *t, void *key, void *elem,
                        void *arg) {
    struct clone *c = (struct clone *)arg;
    // put takes an irreflexive key for new, as it should.
    void *slot = mound_map_put(t, c->to, key, NULL);
    if (slot == NULL)
        return false;
    if (map_type_copy_elem(t, slot, elem))
        return true;
    c->half = slot;
    return false;
}

// clone_drop drops what a clone has so far. One entry may have a key only.
static bool clone_drop(const struct mound_map_type *t, void *key, void *elem,
                       void *arg) {
    map_type_drop(t, key, elem, ((const struct clone *)arg)->half);
    return true;
}

struct mound_map *mound_map_clone(const struct mound_map_type *t,
                                  const struct mound_map *m) {
    if (m != NULL && (mound_map_flags_(m) & MOUND_MAP_WRITING)) {
        mound_map_misuse_(t, m, "concurrent map iteration and map write");
        errno = EBUSY;
        return NULL;
    }
    struct clone c = {mound_map_make(t, mound_map_len(m)), NULL};
    if (m == NULL || c.to == NULL || map_walk(t, m, clone_entry, &c))
        return c.to;
    map_walk(t, c.to, clone_drop, &c);
    struct mound_map_type dropped = *t;
    dropped.key_drop = NULL;
    dropped.elem_drop = NULL;
    mound_map_free(&dropped, c.to);
    errno = ENOMEM;
    return NULL;
}

static bool rebuild(const struct mound_map_type *t, struct mound_map *m,
                    unsigned B) {
    map_write_begin(m);
    bool done = map_rebuild(t, m, B);
    if (!map_write_end(t, m))
        return false;
    if (!done)
        errno = ENOMEM;
    return done;
}

bool mound_map_reserve(const struct mound_map_type *t, struct mound_map *m,
                       size_t n) {
    if (m == NULL) {
        errno = EINVAL;
        return false;
    }
    if (!map_writable(t, m))
        return false;
    if (n >= SIZE_MAX / 16 || map_hint_B(n) > MOUND_MAP_B_MAX) {
        errno = ENOMEM;
        return false;
    }
    unsigned B = map_hint_B(n);
    return B <= m->B_ || rebuild(t, m, B);
}

bool mound_map_shrink(const struct mound_map_type *t, struct mound_map *m) {
    if (m == NULL)
        return true;
    if (!map_writable(t, m))
        return false;
    unsigned B = map_hint_B(m->count_);
    bool overflowed = m->extra_ != NULL && m->extra_->overflow_.nchunks_ > 0;
    if (m->count_ > 0 && B == m->B_ && !map_growing(m) && !overflowed) {
        old_step(t, m, true);
        return true;
    }
    return rebuild(t, m, B);
}

size_t mound_map_evacuate(const struct mound_map_type *t, struct mound_map *m,
                          size_t n) {
    if (m == NULL || !map_writable(t, m))
        return 0;
    map_write_begin(m);
    if (mound_map_flags_(m) & MOUND_MAP_OUTGROWN)
        old_step(t, m, true);
    while (n-- > 0 && map_growing(m) && map_evacuate(t, m, m->nevacuate_))
        ;
    size_t left =
        map_growing(m) ? ((size_t)1 << map_oldB(m)) - m->nevacuate_ : 0;
    map_write_end(t, m);
    return left;
}

static void add_arrays(const struct mound_map_type *t,
                       const struct mound_map *m,
                       const struct mound_map_old *old,
                       struct mound_map_info *info) {
    for (; old != NULL; old = old->next_) {
        info->bytes += sizeof *old + array_bytes(t, old->buckets_, old->B_,
                                                 old->lent_, &old->overflow_);
        info->arrays += old->buckets_ != m->oldbuckets_;
    }
}

void mound_map_info(const struct mound_map_type *t, const struct mound_map *m,
                    struct mound_map_info *ret_info) {
    *ret_info = (struct mound_map_info){0};
    if (m == NULL)
        return;
    unsigned flags = mound_map_flags_(m);
    ret_info->count = m->count_;
    ret_info->B = m->B_;
    ret_info->noverflow = m->noverflow_;
    ret_info->flags = flags & MOUND_MAP_GO_FLAGS;
    ret_info->oldbuckets = map_growing(m) ? (size_t)1 << map_oldB(m) : 0;
    ret_info->nevacuate = m->nevacuate_;
    ret_info->bytes =
        sizeof *m +
        array_bytes(t, m->buckets_, m->B_, (flags & MOUND_MAP_FIRST_LENT) != 0,
                    m->extra_ != NULL ? &m->extra_->overflow_ : NULL);
    if (m->extra_ == NULL)
        return;
    ret_info->bytes += sizeof *m->extra_;
    add_arrays(t, m, m->extra_->old_, ret_info);
    add_arrays(t, m, m->extra_->gone_, ret_info);
    add_arrays(t, m, m->extra_->dead_, ret_info);
}
