// map_iter.c: iteration, across growth. After mapiterinit and mapiternext of Go 1.19
// runtime/map.go; who may free which array is in mound_map_hmap.h.
#include "mound_map.h"

#include "map_grow.h"
#include "map_hash.h"
#include "memory.h"
#include "old.h"

// enter goes to the next base bucket, or to the old one whose entries will come
// there; false: that was all.
static bool enter(struct mound_map_iter *it) {
    const struct mound_map *m = it->map_;
    if (it->bucket_ == it->start_ && (it->state_ & MOUND_MAP_ITER_WRAPPED))
        return false;
    uint32_t bucket = it->bucket_++;
    if (it->bucket_ >> it->B_) {
        it->bucket_ = 0;
        it->state_ |= MOUND_MAP_ITER_WRAPPED;
    }
    it->state_ &= (uint8_t) ~(MOUND_MAP_ITER_IN_OLD | MOUND_MAP_ITER_CHECK);
    it->base_ = it->buckets_;
    it->index_ = bucket;
    if (it->buckets_ == m->buckets_ && map_growing(m)) {
        size_t old = bucket & (((size_t)1 << map_oldB(m)) - 1);
        if (!mound_map_is_evacuated_(m->oldbuckets_, old)) {
            it->base_ = m->oldbuckets_;
            it->index_ = old;
            it->state_ |= MOUND_MAP_ITER_IN_OLD;
            it->check_ = bucket;
            if (!(mound_map_flags_(m) & MOUND_MAP_SAME_SIZE))
                it->state_ |= MOUND_MAP_ITER_CHECK;
        }
    }
    return true;
}

// look_into makes the slots of the present bucket those to visit.
static void look_into(struct mound_map_iter *it) {
    mound_map_tops_ tops = mound_map_tops_at_(it->base_, it->index_);
    it->left_ =
        mound_map_visit_(mound_map_full_(tops), it->offset_) & MOUND_MAP_ALL_;
}

// look_at makes the slots of the present base bucket, alone, those to visit. In an
// old array nothing tells of a chain's end but its links.
static void look_at(struct mound_map_iter *it) {
    it->batch_ = (uint32_t)it->index_;
    it->chains_ = it->B_ > 0; // the bucket of B = 0 has no chain
    look_into(it);
}

// No array is here. NULL would not do: an emptied map has it for its array.
#define SLOW ((char *)1)

// go_fast lets next take the short way when the present bucket and those that follow
// are of the map's own array, with nothing left in older ones.
static void go_fast(struct mound_map_iter *it) {
    const struct mound_map *m = it->map_;
    bool plain = it->buckets_ == m->buckets_ && !map_growing(m) &&
                 !(it->state_ & MOUND_MAP_ITER_IN_OLD);
    it->fast_ = plain ? it->buckets_ : SLOW;
    it->seen_ = mound_map_state_(m);
}

static void begin(const struct mound_map_type *t, const struct mound_map *m,
                  struct mound_map_iter *it, uint32_t weight) {
    *it = (struct mound_map_iter){.type_ = t};
    if (m == NULL || m->count_ == 0)
        return;
    unsigned flags = mound_map_flags_(m);
    if (flags & MOUND_MAP_WRITING) {
        mound_map_misuse_(t, m, "concurrent map iteration and map write");
        return;
    }
    // The reader's two writes, both atomic: its count, and Go's flags the first time.
    struct mound_map *counted = (struct mound_map *)m;
    __atomic_fetch_add(&counted->niterators_, weight, __ATOMIC_RELAXED);
    unsigned both = MOUND_MAP_ITERATOR | MOUND_MAP_OLD_ITERATOR;
    if ((flags & both) != both)
        __atomic_fetch_or(&counted->flags_, (uint8_t)both, __ATOMIC_RELAXED);
    it->map_ = m;
    it->buckets_ = m->buckets_;
    it->oldbuckets_ = m->oldbuckets_;
    it->clearseq_ = mound_map_clearseq_(m);
    it->serial_ = m->extra_ == NULL ? 0 : m->extra_->noutgrown_;
    it->B_ = m->B_;
    uint64_t r = map_random();
    it->start_ = it->bucket_ = (uint32_t)(r & (((uint64_t)1 << m->B_) - 1));
    it->offset_ = (uint8_t)(r >> 61);
    enter(it);
    look_at(it);
    go_fast(it);
}

void mound_map_begin(const struct mound_map_type *t, const struct mound_map *m,
                     struct mound_map_iter *it) {
    begin(t, m, it, 1);
}

void mound_map_start_(const struct mound_map_type *t, const struct mound_map *m,
                      struct mound_map_iter *it) {
    begin(t, m, it, 1 + MOUND_MAP_PINNED);
    it->state_ |= MOUND_MAP_ITER_GOING | MOUND_MAP_ITER_PINNED;
}

// header_leave is the end of an iterator of foreach whose map was freed: the last one
// frees the header, unless it is the caller's.
static void header_leave(const struct mound_map_type *t, struct mound_map *m) {
    bool ours = m->hash0_ != 0;
    if (__atomic_sub_fetch(&m->niterators_, 1, __ATOMIC_ACQ_REL) == 0 && ours) {
#ifdef MOUND_DEBUG // it stays, to tell of later uses
        (void)t;
#else
        memory_free(t, m, sizeof *m);
#endif
    }
}

static void leave(struct mound_map_iter *it) {
    struct mound_map *m = (struct mound_map *)it->map_;
    bool pinned = it->state_ & MOUND_MAP_ITER_PINNED;
    uint32_t weight = pinned ? 1 + MOUND_MAP_PINNED : 1;
    it->map_ = NULL;
    if (MOUND_MAP_UNLIKELY_(mound_map_flags_(m) & MOUND_MAP_FREED)) {
        if (pinned)
            header_leave(it->type_, m);
    } else if (mound_map_clearseq_(m) != it->clearseq_) {
        // The counts began anew without it.
        if (m->extra_ != NULL)
            __atomic_fetch_sub(&m->extra_->nlost_, weight, __ATOMIC_RELEASE);
    } else if (it->buckets_ == m->buckets_ &&
               (it->oldbuckets_ == NULL || it->oldbuckets_ == m->oldbuckets_)) {
        // Release: what it read, it read before its arrays may go.
        __atomic_fetch_sub(&m->niterators_, weight, __ATOMIC_RELEASE);
    } else {
        old_leave(it->type_, m, it->buckets_, it->oldbuckets_, weight);
    }
}

static bool end_reached(struct mound_map_iter *it) {
    if (it->map_ != NULL)
        leave(it);
    it->left_ = 0;
    it->key = NULL;
    it->elem = NULL;
    return false;
}

void mound_map_end(struct mound_map_iter *it) {
#ifdef MOUND_DEBUG
    if (it->state_ & MOUND_MAP_ITER_ENDED) {
        static const struct mound_map empty;
        mound_map_misuse_(it->type_, &empty, "map iterator ended twice");
        return;
    }
    if (it->map_ != NULL && !(it->state_ & MOUND_MAP_ITER_PINNED) &&
        (mound_map_flags_(it->map_) & MOUND_MAP_FREED)) {
        mound_map_misuse_(it->type_, it->map_, "");
        return;
    }
#endif
    end_reached(it);
    it->state_ |= MOUND_MAP_ITER_ENDED;
}

// The array that the present bucket is of, with its B and overflow buckets.
static char *present(const struct mound_map_iter *it, unsigned *ret_B,
                     const struct mound_map_overflow **ret_overflow) {
    char *array =
        it->state_ & MOUND_MAP_ITER_IN_OLD ? it->oldbuckets_ : it->buckets_;
    if (array == it->map_->buckets_) {
        *ret_B = it->B_;
        *ret_overflow = mound_map_overflow_(it->map_);
    } else {
        const struct mound_map_old *old = old_find(it->map_, array);
        *ret_B = old->B_;
        *ret_overflow = &old->overflow_;
    }
    return array;
}

// deliver sets key and elem from a slot; false: its entry is not for this iterator,
// or is no more.
static bool deliver(struct mound_map_iter *it, size_t index, unsigned slot) {
    const struct mound_map *m = it->map_;
    const struct mound_map_type *t = it->type_;
    unsigned top = mound_map_top_(it->base_, index)[slot];
    if (top == MOUND_MAP_EMPTY || top == MOUND_MAP_EVACUATED_EMPTY)
        return false;
    const void *k = mound_map_keyat_(t, it->base_, index, slot);
    bool reflexive =
        !(t->flags & MOUND_MAP_KEY_IRREFLEXIVE) || t->equal(k, k, t->user);
    if (it->state_ & MOUND_MAP_ITER_CHECK) {
        // The growth was under way when this iterator began. The old bucket's
        // entries go to two buckets, of which this visit is for one.
        uint64_t bucket =
            reflexive ? mound_map_hash_(t, m, k) & (((uint64_t)1 << it->B_) - 1)
                      : (it->check_ & (((uint32_t)1 << (it->B_ - 1)) - 1)) |
                            (uint64_t)(top & 1) << (it->B_ - 1);
        if (bucket != it->check_)
            return false;
    }
    if ((top == MOUND_MAP_EVACUATED_X || top == MOUND_MAP_EVACUATED_Y) &&
        reflexive) {
        // A stale copy: what is there now?
        it->elem = mound_map_find_(t, m, k, &it->key);
        return it->elem != NULL;
    }
    it->key = k;
    it->elem = mound_map_elemat_(t, it->base_, index, slot);
    return true;
}

bool mound_map_next_slow_(struct mound_map_iter *it) {
    const struct mound_map *m = it->map_;
    if (m == NULL)
        return end_reached(it);
    unsigned flags = mound_map_flags_(m);
    if (flags & MOUND_MAP_WRITING) {
        mound_map_misuse_(it->type_, m,
                          "concurrent map iteration and map write");
        it->map_ = NULL;
        return end_reached(it);
    }
    if ((flags & MOUND_MAP_FREED) || mound_map_clearseq_(m) != it->clearseq_ ||
        old_ended(m, it->serial_))
        return end_reached(it);
    it->fast_ = SLOW;
    for (;;) {
        while (it->left_ != 0) {
            size_t bucket;
            size_t slot =
                mound_map_visit_next_(&it->left_, it->offset_, &bucket);
            if (deliver(it, it->index_ + bucket, (unsigned)slot)) {
                go_fast(it);
                return true;
            }
        }
        if (it->chains_ == 0 || !mound_map_next_link_(it)) {
            if (!enter(it))
                return end_reached(it);
            look_at(it);
        }
    }
}

bool mound_map_next_link_(struct mound_map_iter *it) {
    unsigned B;
    const struct mound_map_overflow *overflow;
    char *array = present(it, &B, &overflow);
    while (it->chains_ != 0) {
        if (!(it->chains_ & MOUND_MAP_ITER_LINK)) {
            it->base_ = array;
            it->index_ = it->batch_ + mound_map_slot_(it->chains_);
            it->chains_ &= (uint16_t)(it->chains_ - 1);
        }
        it->chains_ &= (uint16_t)~MOUND_MAP_ITER_LINK;
        if (mound_map_follow_(overflow, array, B, &it->base_, &it->index_)) {
            it->chains_ |= MOUND_MAP_ITER_LINK;
            look_into(it);
            return true;
        }
    }
    return false;
}

bool mound_map_next(struct mound_map_iter *it) {
    return it->type_ != NULL && mound_map_advance_(it->type_, it);
}
