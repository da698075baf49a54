// cachepolicy.c: see cachepolicy.h.
#include "heap/cachepolicy.h"

#include "heap/cachebudget.h"
#include "heap/freecheck.h"
#include "heap/handback.h"
#include "heap/largecache.h"
#include "heap/mheap.h"

enum {
    PRESSURE = 4,               // at which a magazine grows; what a turn adds
    ONE_WAY_BYTES = 16 << 10,   // growth limit without a turn
    MAGAZINE_BYTES = 512 << 10, // of slots of at most a page
    FIRST_SLOTS = 7,
    FIRST_BYTES = 8 << 10,
    HAND_STEPS = 8,  // classes that the hand visits
    LEAST_SHARE = 8, // smallest part of the growth
    PATIENCE = 256,  // slow paths of a thread after a refusal
};

static size_t most_slots(unsigned sizeclass) {
    if (!cachebudget_is_small(sizeclass))
        return MAGAZINE_SLOTS;
    return min_size(MAGAZINE_BYTES / sizeclass_bytes[sizeclass],
                    MAGAZINE_SLOTS);
}

static size_t first_slots(unsigned sizeclass) {
    size_t elemsize = sizeclass_bytes[sizeclass];
    // A multiple of cache lines, or two threads would write to one line.
    if (elemsize < LINE_BYTES)
        return 2 * LINE_SLOTS - 1;
    return clamp_size(FIRST_BYTES / elemsize, 1, FIRST_SLOTS);
}

// next is cachepolicy_next. Usually nothing changes.
static inline size_t next(struct magazine_shape *shape, unsigned sizeclass,
                          unsigned now) {
    size_t cap = shape->cap;
    bool turn = shape->last != MAGAZINE_WAS_NOTHING && shape->last != now;
    unsigned pressure = shape->pressure + (turn ? PRESSURE : 1u);
    shape->last = now & 3;
    shape->pressure = pressure < PRESSURE ? pressure & 15 : 0;
    if (UNLIKELY(cap == 0))
        return first_slots(sizeclass);
    if (pressure < PRESSURE ||
        (!turn && cap * 2 * sizeclass_bytes[sizeclass] > (size_t)ONE_WAY_BYTES))
        return cap;
    return max_size(cap, min_size(cap * 2 + 1, most_slots(sizeclass)));
}

size_t cachepolicy_next(struct magazine_shape *shape, unsigned sizeclass,
                        unsigned now) {
    return next(shape, sizeclass, now);
}

// set_cap changes the capacity of a magazine to cap, which is at least its
// depth. Returns false, with nothing changed, if the budget or memory does not
// allow it.
static bool set_cap(struct mcache *c, struct mheap *h, unsigned sizeclass,
                    size_t cap) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    uint64_t elemsize = sizeclass_bytes[sizeclass];
    uint64_t old_bytes = c->cap_bytes;
    size_t old_cap = shape->cap;
    uint64_t bytes = old_bytes + cap * elemsize - old_cap * elemsize;
    if (!cachebudget_set(c, h, bytes, cachebudget_most(c, sizeclass)))
        return false;
    unsigned log2 = ceil_log2(cap + 1);
    if (log2 < SLOTARRAY_MIN_LOG2)
        log2 = SLOTARRAY_MIN_LOG2;
    shape->cap = (uint16_t)cap;
    shape->check |= old_cap == 0 && freecheck_all(h);
    // A record taken over from another thread may have a larger array than
    // needed.
    if (shape->array_log2 == log2 ||
        (shape->array_log2 > log2 && cap > old_cap)) {
        magazine_set_limit(m, shape);
        return true;
    }
    if (magazine_set_array(m, shape, mheap_class(h, sizeclass), log2))
        return true;
    shape->cap = (uint16_t)old_cap;
    cachebudget_restore(c, h, old_bytes);
    return false;
}

// take_from_large gives the capacity of large objects back to the budget. It
// returns false if that would not let a class grow by nbytes.
static bool take_from_large(struct mcache *c, struct mheap *h,
                            unsigned sizeclass, uint64_t nbytes) {
    if (c->large.cap_bytes == 0 ||
        c->cap_bytes + nbytes > cachebudget_most(c, sizeclass))
        return false;
    largecache_drop(c, h);
    return true;
}

// halve halves the capacity of a class; with one slot, it drops the array.
static void halve(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    uint64_t nbytes = sizeclass_bytes[sizeclass] * (uint64_t)shape->cap;
    size_t keep = shape->cap / 2;
    size_t depth = magazine_depth(m);
    if (depth > keep)
        handback_older(m, shape, mc, depth - keep);
    if (keep > 0) {
        set_cap(c, h, sizeclass, keep);
        return;
    }
    cachebudget_set(c, h, c->cap_bytes - nbytes, 0);
    magazine_drop_array(m, shape, mc);
}

// take_from_idle moves the clock hand on and halves the classes that were not
// used.
static void take_from_idle(struct mcache *c, struct mheap *h,
                           unsigned for_class) {
    for (int i = 0; i < HAND_STEPS; i++) {
        unsigned sizeclass = c->hand;
        c->hand = sizeclass + 1 < NUM_SIZECLASSES ? sizeclass + 1 : 1;
        struct magazine_shape *shape = &c->shapes[sizeclass];
        if (shape->cap > 0 && sizeclass != for_class &&
            magazine_asked(&c->magazines[sizeclass], shape) == 0)
            halve(c, h, sizeclass);
    }
}

// make_room shrinks other magazines so that this one can have cap slots.
static NOINLINE void make_room(struct mcache *c, struct mheap *h,
                               unsigned sizeclass, size_t cap) {
    struct magazine_shape *shape = &c->shapes[sizeclass];
    if ((int32_t)(c->nslow - c->refused_until) < 0 ||
        set_cap(c, h, sizeclass, cap))
        return;
    size_t more = cap - shape->cap;
    if (take_from_large(c, h, sizeclass, more * sizeclass_bytes[sizeclass]) &&
        set_cap(c, h, sizeclass, cap))
        return;
    take_from_idle(c, h, sizeclass);
    size_t least = (more + LEAST_SHARE - 1) / LEAST_SHARE;
    for (size_t n = more; n >= least; n /= 2)
        if (set_cap(c, h, sizeclass, shape->cap + n))
            return;
    c->refused_until = c->nslow + PATIENCE;
}

void cachepolicy_adapt(struct mcache *c, struct mheap *h, unsigned sizeclass,
                       unsigned now) {
    size_t cap = next(&c->shapes[sizeclass], sizeclass, now);
    if (cap != c->shapes[sizeclass].cap)
        make_room(c, h, sizeclass, cap);
}
