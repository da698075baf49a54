// old.c: see old.h.
#include "old.h"

#include "array.h"
#include "memory.h"

#include <sched.h>
#include <stdlib.h>

// Why pages are released in steps above the 33 that are flushed one by one, and populated
// in pieces, of which smaller ones cost no more and bound the write that waits for one.
// Larger steps of release cost less, but what waits for one counts at the peak. Medians of
// 256 MiB in pieces, on a virtual machine with Linux 6.18: a page touched 11.6 us, 64 KiB
// populated 11 us, 1 MiB 190 us; released, 64 KiB 47 us (a flush for each page), 1 MiB
// 28 us.
enum {
    RELEASE_BLOCK = 4 << 20,  // blocks below this are freed in one go
    RELEASE_STEP = 256 << 10, // bytes given back in one step
    // A step is never fewer buckets: they have 2 KiB at most.
    RELEASE_BUCKETS = 512,
    POPULATE_ARRAY = 128 << 10, // arrays below this fault in page by page
    POPULATE_STEP = 256 << 10,  // bytes made ready in one step
    POPULATE_PIECE = 64 << 10,  // the same in order, twice where it doubles
    POPULATE_AHEAD = 64,        // old buckets
};

struct mound_map_extra *map_extra(const struct mound_map_type *t,
                                  struct mound_map *m) {
    if (m->extra_ == NULL)
        m->extra_ =
            (struct mound_map_extra *)memory_zeroed(t, sizeof *m->extra_);
    return m->extra_;
}

// extra_tidy forgets extra when nothing is in it. What iterators compare with what they
// found when they began stays: it would be 0 for them.
static void extra_tidy(const struct mound_map_type *t, struct mound_map *m) {
    struct mound_map_extra *extra = m->extra_;
    if (extra->old_ != NULL || extra->gone_ != NULL || extra->dead_ != NULL ||
        extra->clearseq_ != 0 || extra->nended_ != 0 ||
        extra->overflow_.next_ != 0 ||
        __atomic_load_n(&m->niterators_, __ATOMIC_RELAXED) != 0)
        return;
    memory_free(t, extra, sizeof *extra);
    m->extra_ = NULL;
}

static void old_free(const struct mound_map_type *t,
                     struct mound_map_old *old) {
    array_free(t, old->buckets_, old->B_, old->lent_, &old->overflow_);
    memory_free(t, old, sizeof *old);
}

void old_release(const struct mound_map_type *t, struct mound_map *m) {
    struct mound_map_old *old = m->extra_->old_;
    size_t n = m->nevacuate_ - old->nreleased_;
    if (n < RELEASE_BUCKETS || old->kept_)
        return;
    size_t size = mound_map_datasize_(t);
    if ((size << old->B_) < RELEASE_BLOCK) {
        old->kept_ = true;
        return;
    }
    if (n * size < RELEASE_STEP)
        return;
    if (t->memory != NULL || old_waiting(old) ||
        __atomic_load_n(&m->niterators_, __ATOMIC_RELAXED) != 0)
        return;
    struct array_block b = array_block_layout(t, old->B_, true);
    if (!array_block_mapped(array_block_start(&b, old->buckets_))) {
        old->kept_ = true;
        return;
    }
    array_pages_release(old->buckets_ + old->nreleased_ * size,
                        old->buckets_ + m->nevacuate_ * size);
    old->nreleased_ = m->nevacuate_;
}

// populate_places makes the places ready that n old buckets from first on will move to.
static void populate_places(const struct mound_map_type *t, struct mound_map *m,
                            size_t first, size_t n) {
    size_t size = mound_map_datasize_(t);
    char *base = m->buckets_;
    array_pages_populate(base + first * size, base + (first + n) * size);
    size_t last = first + n - 1;
    array_pages_populate((char *)mound_map_top_(base, last),
                         (char *)mound_map_top_(base, first));
    array_pages_populate((char *)mound_map_filter_(base, m->B_, last),
                         (char *)mound_map_filter_(base, m->B_, first));
    array_pages_populate((char *)mound_map_link_(base, last, m->B_, true),
                         (char *)mound_map_link_(base, first, m->B_, true));
}

// In order, a piece is made ready when evacuation comes near its end: npopulated counts
// old buckets.
static void populate_in_order(const struct mound_map_type *t,
                              struct mound_map *m) {
    struct mound_map_old *old = m->extra_->old_;
    size_t nold = (size_t)1 << old->B_, first = old->npopulated_;
    if (first == nold || m->nevacuate_ + POPULATE_AHEAD < first)
        return;
    size_t n = POPULATE_PIECE / mound_map_datasize_(t);
    if (n < POPULATE_AHEAD)
        n = POPULATE_AHEAD;
    if (n > nold - first)
        n = nold - first;
    populate_places(t, m, first, n);
    if (m->B_ > old->B_)
        populate_places(t, m, first + nold, n);
    old->npopulated_ = first + n;
}

// In Go's order, all of the array in the first writes, as these go everywhere: npopulated
// counts bytes, and is SIZE_MAX at last.
void old_populate(const struct mound_map_type *t, struct mound_map *m) {
    struct mound_map_old *old = m->extra_->old_;
    if (old->npopulated_ == SIZE_MAX || t->memory != NULL)
        return;
    if (old->B_ >= MAP_IN_ORDER_B) {
        populate_in_order(t, m);
        return;
    }
    size_t data = mound_map_datasize_(t) << m->B_;
    char *from = m->buckets_ - array_front(t, m->B_, true) + old->npopulated_;
    size_t left = (size_t)(m->buckets_ + data - from);
    if (data < POPULATE_ARRAY) {
        old->npopulated_ = SIZE_MAX;
    } else if (left <= POPULATE_STEP) {
        array_pages_populate(from, from + left);
        old->npopulated_ = SIZE_MAX;
    } else {
        array_pages_populate(from, from + POPULATE_STEP);
        old->npopulated_ += POPULATE_STEP;
    }
}

// old_shrink frees a bit of an old array and returns whether it is gone. From the
// end of its growth on, nsteps counts steps through one block after the other, the
// array's own as the last.
static bool old_shrink(const struct mound_map_type *t,
                       struct mound_map_old *old) {
    struct mound_map_overflow *overflow = &old->overflow_;
    bool own = overflow->nchunks_ == 0;
    size_t n = own ? mound_map_nbuckets_(old->B_)
                   : (size_t)1 << mound_map_chunkshift_(old->B_);
    char *base =
        own ? old->buckets_ : overflow_chunk(overflow, overflow->nchunks_ - 1);
    struct array_block b = array_block_layout(t, old->B_, own);
    // From the front on: the word before it says where the block came from.
    char *front = base - b.front;
    size_t bytes = b.front + n * mound_map_datasize_(t);
    size_t done = (size_t)old->nsteps_++ * RELEASE_STEP;
    char *start = array_block_start(&b, base);
    if (bytes >= RELEASE_BLOCK && done < bytes && array_block_mapped(start)) {
        size_t step = bytes - done < RELEASE_STEP ? bytes - done : RELEASE_STEP;
        array_pages_release(front + done, front + done + step);
        return false;
    }
    old->nsteps_ = 0;
    if (own) {
        if (!old->lent_)
            memory_free(t, start, b.bytes);
        memory_free(t, old, sizeof *old);
        return true;
    }
    memory_free(t, start, b.bytes);
    if (overflow->nchunks_ == 2) {
        char *one = overflow->u_.many_[0];
        overflow_table_free(t, overflow);
        overflow->u_.one_ = one;
    }
    overflow->nchunks_--;
    return false;
}

// The link to the first outgrown array that is not being evacuated.
static struct mound_map_old **old_outgrown(struct mound_map *m) {
    return m->oldbuckets_ != NULL ? &m->extra_->old_->next_ : &m->extra_->old_;
}

// flag_outgrown tells writes whether there is something for them to do.
static void flag_outgrown(const struct mound_map_type *t, struct mound_map *m) {
    unsigned flags = mound_map_flags_(m) & ~(unsigned)MOUND_MAP_OUTGROWN;
    if (m->extra_ != NULL &&
        (m->extra_->gone_ != NULL ||
         (!mound_map_key_plain_(t) && *old_outgrown(m) != NULL)))
        flags |= MOUND_MAP_OUTGROWN;
    mound_map_setflags_(m, flags);
}

void old_bound(const struct mound_map_type *t, struct mound_map *m) {
    if (mound_map_key_plain_(t))
        return;
    size_t n = 0;
    struct mound_map_old **last = NULL;
    for (struct mound_map_old **link = old_outgrown(m); *link != NULL;
         link = &(*link)->next_) {
        last = link;
        n++;
    }
    if (n <= MOUND_MAP_WAITING_MAX)
        return;
    struct mound_map_old *oldest = *last;
    // Iterators over the next array look into this one.
    m->extra_->nended_ = oldest->serial_ + 1 + (oldest->nsuccessor_ != 0);
    *last = NULL;
    oldest->next_ = m->extra_->dead_;
    m->extra_->dead_ = oldest;
}

void old_retire(const struct mound_map_type *t, struct mound_map *m) {
    struct mound_map_old *old = m->extra_->old_;
    old->nsuccessor_ = __atomic_load_n(&m->niterators_, __ATOMIC_ACQUIRE);
    m->oldbuckets_ = NULL;
    mound_map_setflags_(m,
                        mound_map_flags_(m) & ~(unsigned)(MOUND_MAP_SAME_SIZE |
                                                          MOUND_MAP_GROWING));
    if (old_waiting(old)) {
        old_bound(t, m);
    } else {
        m->extra_->old_ = old->next_;
        // What another allocator takes for a release is not ours to divide.
        if ((mound_map_datasize_(t) << old->B_) < RELEASE_BLOCK ||
            t->memory != NULL) {
            old_free(t, old);
        } else {
            old->next_ = m->extra_->gone_;
            m->extra_->gone_ = old;
        }
    }
    flag_outgrown(t, m);
    extra_tidy(t, m);
}

void old_step(const struct mound_map_type *t, struct mound_map *m, bool whole) {
    if (m->extra_ == NULL)
        return;
    struct mound_map_old *old;
    while ((old = m->extra_->gone_) != NULL) {
        struct mound_map_old *next = old->next_;
        if (whole)
            old_free(t, old);
        else if (!old_shrink(t, old))
            break;
        m->extra_->gone_ = next;
        if (!whole)
            break;
    }
    flag_outgrown(t, m);
    extra_tidy(t, m);
}

static void old_free_list(const struct mound_map_type *t,
                          struct mound_map_old **list) {
    for (struct mound_map_old *old = *list, *next; old; old = next) {
        next = old->next_;
        old_free(t, old);
    }
    *list = NULL;
}

void old_free_all(const struct mound_map_type *t, struct mound_map *m) {
    if (m->extra_ == NULL)
        return;
    old_free_list(t, &m->extra_->old_);
    old_free_list(t, &m->extra_->gone_);
    old_free_list(t, &m->extra_->dead_);
    m->oldbuckets_ = NULL;
    mound_map_setflags_(m,
                        mound_map_flags_(m) & ~(unsigned)(MOUND_MAP_SAME_SIZE |
                                                          MOUND_MAP_GROWING |
                                                          MOUND_MAP_OUTGROWN));
}

uint32_t old_count(const struct mound_map *m) {
    uint32_t count = m->niterators_;
    if (m->extra_ == NULL)
        return count;
    count += m->extra_->nlost_;
    for (const struct mound_map_old *old = m->extra_->old_; old;
         old = old->next_)
        count += old->niterators_;
    for (const struct mound_map_old *old = m->extra_->dead_; old;
         old = old->next_)
        count += old->niterators_;
    return count;
}

static void forget_in(const struct mound_map_type *t,
                      const struct mound_map_old *old, uint64_t hash,
                      const void *key, const void *replacement) {
    char *base = old->buckets_;
    size_t index = hash & (((size_t)1 << old->B_) - 1);
    // What was not moved is no copy. What was given back, no iterator looks at: there
    // was none then, and those that began later take it for moved.
    if (index < old->nreleased_ || !mound_map_is_evacuated_(base, index))
        return;
    do {
        uint8_t *tops = mound_map_top_(base, index);
        for (unsigned slot = 0; slot < MOUND_MAP_SLOTS; slot++) {
            if (tops[slot] != MOUND_MAP_EVACUATED_X &&
                tops[slot] != MOUND_MAP_EVACUATED_Y)
                continue;
            void *k = mound_map_keyat_(t, base, index, slot);
            if (!t->equal(key, k, t->user))
                continue;
            if (replacement == NULL)
                tops[slot] = MOUND_MAP_EVACUATED_EMPTY;
            else if (!mound_map_key_apart_(t))
                memcpy(k, replacement, t->key_size);
            return;
        }
    } while (mound_map_follow_(&old->overflow_, old->buckets_, old->B_, &base,
                               &index));
}

void old_forget(const struct mound_map_type *t, struct mound_map *m,
                uint64_t hash, const void *key, const void *replacement) {
    if (m->extra_ == NULL || mound_map_key_plain_(t))
        return;
    for (struct mound_map_old *old = m->extra_->old_; old; old = old->next_) {
        // Of the array being left, what iterators that have ended saw, others may
        // come to see: it is always kept true.
        if (old->buckets_ == m->oldbuckets_ || old_waiting(old))
            forget_in(t, old, hash, key, replacement);
    }
}

// Readers walk and change the list under this lock. It is held for a few steps, when an
// iterator over an outgrown array ends. A writer does not need it.
static void old_lock(struct mound_map_extra *extra) {
    while (__atomic_exchange_n(&extra->lock_, 1, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
}

static void old_unlock(struct mound_map_extra *extra) {
    __atomic_store_n(&extra->lock_, 0, __ATOMIC_RELEASE);
}

static struct mound_map_old *old_find_locked(const struct mound_map *m,
                                             const char *array) {
    struct mound_map_old *old = m->extra_->old_;
    while (old != NULL && old->buckets_ != array)
        old = old->next_;
    if (old == NULL && m->extra_->dead_ != NULL)
        for (old = m->extra_->dead_; old != NULL && old->buckets_ != array;)
            old = old->next_;
    return old;
}

struct mound_map_old *old_find(const struct mound_map *m, const char *array) {
    if (m->extra_ == NULL)
        return NULL;
    old_lock(m->extra_);
    struct mound_map_old *old = old_find_locked(m, array);
    old_unlock(m->extra_);
    return old;
}

static void old_free_left(const struct mound_map_type *t,
                          struct mound_map_old **link) {
    struct mound_map_old *old;
    while ((old = *link) != NULL) {
        if (old_waiting(old)) {
            link = &old->next_;
            continue;
        }
        *link = old->next_;
        old_free(t, old);
    }
}

void old_leave(const struct mound_map_type *t, struct mound_map *m, char *array,
               char *oldarray, uint32_t weight) {
    if (m->extra_ == NULL)
        return; // the caller's header, made a map anew meanwhile
    old_lock(m->extra_);
    bool freed = false;
    struct mound_map_old *old;
    if (array == m->buckets_)
        // Release: what this iterator read, it read before the array goes.
        __atomic_fetch_sub(&m->niterators_, weight, __ATOMIC_RELEASE);
    else if ((old = old_find_locked(m, array)) != NULL)
        freed |= __atomic_sub_fetch(&old->niterators_, weight,
                                    __ATOMIC_ACQ_REL) == 0;
    if (oldarray != NULL && oldarray != m->oldbuckets_ &&
        (old = old_find_locked(m, oldarray)) != NULL)
        freed |= __atomic_sub_fetch(&old->nsuccessor_, weight,
                                    __ATOMIC_ACQ_REL) == 0;
    if (freed) {
        old_free_left(t, old_outgrown(m));
        old_free_left(t, &m->extra_->dead_);
    }
    old_unlock(m->extra_);
}
