// swiss_iter.c: iteration, across growth. Who may free which table is in
// mound_swiss_table.h.
#include "map_hash.h"
#include "memory.h"
#include "swiss_grow.h"

// enter_table goes to the table of hashes from prefix on, and pins it: the reader's write,
// which is atomic.
static void enter_table(struct mound_swiss_iter *it, uint64_t prefix) {
    const struct mound_map_type *t = it->type_;
    const struct mound_swiss *m = it->map_;
    struct mound_swiss_ref_ ref = *dir_ref(m, prefix);
    struct mound_swiss_table *table = table_of(t, ref);
    __atomic_fetch_add(&table->npins_, 1, __ATOMIC_RELAXED);
    it->base_ = ref.base;
    it->mask_ = ref.mask;
    it->pos_ = table_end(table);
    it->start_ = (uint64_t)it->chance_ * MOUND_SWISS_GROUP & ref.mask;
    it->next_ = it->start_ + MOUND_SWISS_GROUP;
    it->slot_ = (uint8_t)((it->chance_ >> 16) % table->nslots_);
    it->state_ &=
        (uint8_t) ~(unsigned)(MOUND_SWISS_ITER_WRAPPED | MOUND_SWISS_ITER_LAST);
    mound_swiss_batch_(t, it, it->start_,
                       mound_swiss_full_(mound_swiss_tags_at_(
                           mound_swiss_group_(t, ref.base, it->start_))) >>
                           it->slot_ << it->slot_);
}

static void leave_table(struct mound_swiss_iter *it) {
    // Release: what was read of the table was read before it may go.
    __atomic_fetch_sub(&mound_swiss_table_(it->type_, it->base_)->npins_, 1,
                       __ATOMIC_RELEASE);
}

static void begin(const struct mound_map_type *t, const struct mound_swiss *m,
                  struct mound_swiss_iter *it, bool pinned) {
    *it = (struct mound_swiss_iter){.type_ = t};
    if (m == NULL || m->count_ == 0)
        return;
    if (mound_swiss_flags_(m) & MOUND_SWISS_WRITING) {
        mound_swiss_misuse_(t, m, "concurrent map iteration and map write");
        return;
    }
    if (pinned) {
        __atomic_fetch_add(&((struct mound_swiss *)m)->npinned_, 1,
                           __ATOMIC_RELAXED);
        it->state_ |= MOUND_SWISS_ITER_PINNED;
    }
    uint64_t r = map_random();
    it->map_ = m;
    it->epoch_ = m->epoch_;
    it->hash0_ = m->hash0_;
    it->clearseq_ = m->clearseq_;
    it->chance_ = (uint32_t)r;
    it->first_ = swiss_table_of(t, m, r)->prefix_;
    enter_table(it, r);
}

void mound_swiss_begin(const struct mound_map_type *t,
                       const struct mound_swiss *m,
                       struct mound_swiss_iter *it) {
    begin(t, m, it, false);
}

void mound_swiss_start_(const struct mound_map_type *t,
                        const struct mound_swiss *m,
                        struct mound_swiss_iter *it) {
    begin(t, m, it, true);
    it->state_ |= MOUND_SWISS_ITER_GOING;
}

// header_leave is the end of an iterator of foreach: after free the last one frees the
// header, unless it is the caller's.
static void header_leave(const struct mound_map_type *t,
                         struct mound_swiss *m) {
    bool freed = mound_swiss_flags_(m) & MOUND_SWISS_FREED;
    bool ours = freed && m->hash0_ != 0;
    if (__atomic_sub_fetch(&m->npinned_, 1, __ATOMIC_ACQ_REL) == 0 && ours) {
#ifdef MOUND_DEBUG // it stays, to tell of later uses
        (void)t;
#else
        memory_free(t, m, sizeof *m);
#endif
    }
}

static bool end_reached(struct mound_swiss_iter *it) {
    struct mound_swiss *m = (struct mound_swiss *)it->map_;
    it->map_ = NULL;
    it->left_ = 0;
    it->key = NULL;
    it->elem = NULL;
    if (m == NULL)
        return false;
    // Of a freed or cleared map the table is gone, or its count began anew.
    if (!(mound_swiss_flags_(m) & MOUND_SWISS_FREED) &&
        m->clearseq_ == it->clearseq_)
        leave_table(it);
    if (it->state_ & MOUND_SWISS_ITER_PINNED)
        header_leave(it->type_, m);
    return false;
}

void mound_swiss_end(struct mound_swiss_iter *it) {
#ifdef MOUND_DEBUG
    if (it->state_ & MOUND_SWISS_ITER_ENDED) {
        static const struct mound_swiss empty;
        mound_swiss_misuse_(it->type_, &empty, "map iterator ended twice");
        return;
    }
    if (it->map_ != NULL && !(it->state_ & MOUND_SWISS_ITER_PINNED) &&
        (mound_swiss_flags_(it->map_) & MOUND_SWISS_FREED)) {
        mound_swiss_misuse_(it->type_, it->map_, "");
        return;
    }
#endif
    end_reached(it);
    it->state_ |= MOUND_SWISS_ITER_ENDED;
}

// deliver sets key and elem from a slot's place; false: its entry is no more.
static bool deliver(struct mound_swiss_iter *it, char *place, bool stale) {
    const struct mound_map_type *t = it->type_;
    const void *k = mound_swiss_key_(t, place);
    if (stale &&
        (!(t->flags & MOUND_MAP_KEY_IRREFLEXIVE) || t->equal(k, k, t->user))) {
        it->elem = mound_swiss_get_key(t, it->map_, k, &it->key);
        return it->elem != NULL;
    }
    it->key = k;
    it->elem = mound_swiss_elem_(t, place);
    return true;
}

bool mound_swiss_next_slow_(struct mound_swiss_iter *it) {
    const struct mound_swiss *m = it->map_;
    if (m == NULL)
        return end_reached(it);
    unsigned flags = mound_swiss_flags_(m);
    if (flags & MOUND_SWISS_FREED) {
#ifdef MOUND_DEBUG
        if (!(it->state_ & MOUND_SWISS_ITER_PINNED))
            mound_swiss_misuse_(it->type_, m, "");
#endif
        return end_reached(it);
    }
    if (flags & MOUND_SWISS_WRITING) {
        mound_swiss_misuse_(it->type_, m,
                            "concurrent map iteration and map write");
        return end_reached(it);
    }
    // With another seed, the map has been empty: what the iterator began with is gone.
    if (m->clearseq_ != it->clearseq_ || m->hash0_ != it->hash0_)
        return end_reached(it);
    for (;;) {
        unsigned state = mound_swiss_table_(it->type_, it->base_)->flags_;
        if (state & MOUND_SWISS_ENDED)
            return end_reached(it);
        bool stale = state & MOUND_SWISS_STALE;
        it->epoch_ = stale ? MOUND_SWISS_ITER_SLOW_ : m->epoch_;
        do {
            while (it->left_ != 0) {
                char *place;
                if (mound_swiss_visit_(it->type_, it->slots_, it->tags_,
                                       &it->left_, &place) &&
                    deliver(it, place, stale))
                    return true;
            }
        } while (mound_swiss_enter_groups_(it->type_, it));
        if (it->pos_ == it->first_)
            return end_reached(it);
        leave_table(it);
        enter_table(it, it->pos_);
    }
}

bool mound_swiss_next(struct mound_swiss_iter *it) {
    if (it->type_ == NULL)
        return false;
    // Each call looks, not only the one that begins a batch.
    if (it->map_ != NULL &&
        (mound_swiss_flags_(it->map_) & MOUND_SWISS_WRITING))
        return mound_swiss_next_slow_(it);
    return mound_swiss_advance_(it->type_, it);
}
