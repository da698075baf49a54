// mcache.c: the slow half of mcache.h. See alloc/malloc.c for the tour.
//
// How large a magazine may be. It starts with room for a few slots and doubles
// when it runs dry and full in turn, which says that the program goes up and
// down by more than the magazine holds. Capacity is counted in bytes:
//
//   a magazine of slots of at most a page   512 KiB
//   all of those of a thread                64 KiB of their own, and at most 2 MiB
//   all magazines of a thread               3.5 MiB
//   with its large objects                  4 MiB
//   all threads                             beyond their own, together 4 MiB and 1/8 of
//                                           the heap in use
//
// So slots above a page may take what small ones and large objects leave: lists of 100
// objects of 32 KiB fit as well as those of small ones, and a thread holds no more than
// would of small and large ones. The rule when it is spent: a magazine that is to grow
// takes from this thread's large objects first, which cost little to find again for
// their size, and then from those of its classes that were not used since the clock
// hand last came by; large objects take from nobody. So what all caches hold is bounded
// by the sum above, with the heap in use as it was when capacity was last granted;
// threads that sleep for ever keep at most theirs.
//
// The budget is ample because it does not make the peak higher: when the heap is
// about to touch fresh memory, each thread gives back of each class what it has not
// asked for since it last did so (trim), and mheap takes back what the stores hold.
#include "heap/mcache.h"

#include <string.h>

#include "base/check.h"
#include "heap/mcentral.h"
#include "heap/mheap.h"
#include "heap/scavenger.h"

enum {
    OWN_BYTES = 64 << 10,
    SHARED_BYTES = 4 << 20,
    THREAD_BYTES = 4 << 20,
    MAGAZINES_BYTES = THREAD_BYTES - (512 << 10),
    SMALL_BYTES = 2 << 20, // those of slots of at most a page, and of
    CAP_BYTES = 512 << 10, // one of them
    HEAP_SHARE = 8,
    CAP_SLOTS = (1 << SLOTARRAY_MAX_LOG2) - 1, // the NULL takes one pointer
    REFILL_BYTES = 512 << 10,                  // at once
    FIRST_SLOTS = 7,
    FIRST_BYTES = 8 << 10,
    ONE_WAY_BYTES = 16 << 10,
    TRIM_SLOTS = CAP_SLOTS, // given back by one call: any magazine's at least
    HAND_STEPS = 8,         // classes asked for capacity by one that wants more
    LEAST_SHARE = 8,        // of what a magazine is to grow by
    ALIKE = 4,              // slow paths of one kind until a magazine grows
    CHECK_STEP = 16,        // checks until they become half as frequent
    CHECK_STEPS = 12,
    PATIENCE = 256, // slow paths until a class that was refused asks again
    // Arrays of so many pointers stay with the record of a thread that ended: its
    // next owner needs some too, and they would go back to no system. 34 KiB at
    // most, of a thread that has used every class; mostly 2.
    KEPT_ARRAY_LOG2 = 6,
};

// A NULL, and the bottom, top and limit behind it. Read-only, as mcache_none is
// once relocated: a write to either would reach every thread. There, limit is NULL:
// each address that stands there is one that every start has to relocate.
static void *const none[1];
#define NONE ((void **)none + 1)

const struct magazine mcache_none[NUM_SIZECLASSES] CACHELINE_ALIGNED = {
    [0 ... NUM_SIZECLASSES - 1] = {.top = NONE},
};

static void **load(void **_Atomic *field) {
    return atomic_load_explicit(field, memory_order_relaxed);
}

static void store(void **_Atomic *field, void **value) {
    atomic_store_explicit(field, value, memory_order_relaxed);
}

// set_limit says where frees go the slow way.
static void set_limit(struct magazine *m, const struct magazine_shape *shape) {
    store(&m->limit, load(&m->bottom) + (shape->check ? 0 : shape->cap));
}

static size_t depth_of(struct magazine *m) {
    return (size_t)(load(&m->top) - load(&m->bottom));
}

// detach_array makes a magazine one without room.
static void detach_array(struct magazine *m) {
    store(&m->top, NONE);
    store(&m->limit, NONE);
    store(&m->bottom, NONE);
}

void mcache_init(struct mcache *c, uintptr_t owner) {
    list_init(&c->link);
    c->owner = owner;
    c->owner_tls = NULL;
    c->cap_bytes = 0;
    c->hand = 1;
    c->nslow = 0;
    c->refused_until = 0;
    c->nfresh = 0;
    c->trim_at = 0;
    c->armed = false;
    memset(&c->large, 0, sizeof c->large);
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        if (c->shapes[i].array_log2 == 0)
            detach_array(&c->magazines[i]);
        atomic_store_explicit(&c->magazines[i].count, 0, memory_order_relaxed);
    }
}

uint64_t mcache_cap_limit(const struct mheap *h, uint64_t nthreads) {
    uint64_t inuse = __atomic_load_n(&h->stats->inuse_pages, __ATOMIC_RELAXED)
                     << PAGE_SHIFT;
    return SHARED_BYTES + inuse / HEAP_SHARE + nthreads * OWN_BYTES;
}

static bool is_small(unsigned sizeclass) {
    return sizeclass_bytes[sizeclass] <= PAGE_SIZE;
}

static size_t cap_max(unsigned sizeclass) {
    if (!is_small(sizeclass))
        return CAP_SLOTS;
    return min_size(CAP_BYTES / sizeclass_bytes[sizeclass], CAP_SLOTS);
}

// most_bytes returns what the magazines of a cache may hold for a class to grow.
static uint64_t most_bytes(const struct mcache *c, unsigned sizeclass) {
    uint64_t most = SMALL_BYTES;
    if (!is_small(sizeclass))
        return MAGAZINES_BYTES;
    for (unsigned i = NUM_SIZECLASSES - 1; !is_small(i); i--)
        most += c->shapes[i].cap * (uint64_t)sizeclass_bytes[i];
    return min_size(most, MAGAZINES_BYTES);
}

static size_t cap_first(unsigned sizeclass) {
    size_t elemsize = sizeclass_bytes[sizeclass];
    // Room for whole cache lines, or two threads would write to one.
    if (elemsize < LINE_BYTES)
        return 2 * LINE_SLOTS - 1;
    return clamp_size(FIRST_BYTES / elemsize, 1, FIRST_SLOTS);
}

static uint64_t shared_part(uint64_t cap_bytes) {
    return cap_bytes > OWN_BYTES ? cap_bytes - OWN_BYTES : 0;
}

// share changes what a cache takes of the budget of all from old to new bytes, if
// there is as much. Less is always allowed.
static bool share(struct mheap *h, uint64_t old, uint64_t new) {
    if (new > old) {
        if (atomic_load_explicit(&h->shared_cache_bytes, memory_order_relaxed) +
                (new - old) >
            mcache_cap_limit(h, 0))
            return false; // the usual no, without a locked instruction
        uint64_t shared = atomic_fetch_add_explicit(
            &h->shared_cache_bytes, new - old, memory_order_relaxed);
        if (shared + (new - old) > mcache_cap_limit(h, 0)) {
            atomic_fetch_sub_explicit(&h->shared_cache_bytes, new - old,
                                      memory_order_relaxed);
            return false;
        }
    } else if (new < old) {
        atomic_fetch_sub_explicit(&h->shared_cache_bytes, old - new,
                                  memory_order_relaxed);
    }
    return true;
}

// budget_set changes what the magazines of a cache may hold to cap_bytes, if the
// budget allows, and most if it rises; large_budget_set the same of its large objects.
static bool budget_set(struct mcache *c, struct mheap *h, uint64_t cap_bytes,
                       uint64_t most) {
    if (cap_bytes > c->cap_bytes &&
        (cap_bytes > most || cap_bytes + c->large.cap_bytes > THREAD_BYTES))
        return false;
    if (!share(h, shared_part(c->cap_bytes), shared_part(cap_bytes)))
        return false;
    c->cap_bytes = cap_bytes;
    return true;
}

static bool large_budget_set(struct mcache *c, struct mheap *h,
                             uint64_t cap_bytes) {
    if (cap_bytes > c->large.cap_bytes &&
        cap_bytes + c->cap_bytes > THREAD_BYTES)
        return false;
    if (!share(h, c->large.cap_bytes, cap_bytes))
        return false;
    c->large.cap_bytes = cap_bytes;
    return true;
}

// are_aligned says whether all of n slots are aligned as those of a class are.
static bool are_aligned(void *const *slots, size_t n, unsigned sizeclass) {
    uintptr_t elemsize = sizeclass_bytes[sizeclass];
    uintptr_t bits = 0;
    for (size_t i = 0; i < n; i++)
        bits |= (uintptr_t)slots[i];
    return (bits & ((elemsize & -elemsize) - 1)) == 0;
}

// drop_oldest_locked takes the n oldest slots out of a magazine.
static void drop_oldest_locked(struct magazine *m, size_t n) {
    void **bottom = load(&m->bottom);
    size_t depth = depth_of(m) - n;
    memmove(bottom, bottom + n, depth * sizeof *bottom);
    store(&m->top, bottom + depth);
}

// store_oldest passes on as many of the n oldest slots of a magazine as the store has
// room for, and returns how many. What is no slot is not passed on: looked at one by
// one, it is reported.
static size_t store_oldest(struct magazine *m, struct magazine_shape *shape,
                           struct mcentral *mc, size_t n) {
    mutex_lock(&mc->lock);
    void **bottom = load(&m->bottom);
    size_t most = min_size(n, mcentral_room_locked(mc));
    if (most == 0 || !are_aligned(bottom, most, mc->sizeclass) ||
        !mcentral_store_locked(mc, bottom, most))
        most = 0;
    drop_oldest_locked(m, most);
    shape->no_room = most < n;
    mutex_unlock(&mc->lock);
    return most;
}

static void reverse(void **slots, size_t n) {
    for (size_t i = 0; i + 1 < n - i; i++) {
        void *slot = slots[i];
        slots[i] = slots[n - 1 - i];
        slots[n - 1 - i] = slot;
    }
}

// turn makes the n oldest slots of a magazine the newest, each half in its order.
static NOINLINE void turn(struct magazine *m, struct mcentral *mc, size_t n) {
    mutex_lock(&mc->lock);
    void **bottom = load(&m->bottom);
    size_t depth = depth_of(m);
    reverse(bottom, n);
    reverse(bottom + n, depth - n);
    reverse(bottom, depth);
    mutex_unlock(&mc->lock);
}

// put_some does so under the lock: see mcentral_put_locked. The slots are the first of
// the n that begin at from.
static NOINLINE size_t put_some(struct magazine *m,
                                struct magazine_shape *shape,
                                struct mcentral *mc, void **from, size_t n,
                                struct giveback *ret) {
    struct apart apart;
    size_t found = mcentral_find(mc, from, n, &apart);
    mutex_lock(&mc->lock);
    n = mcentral_put_locked(mc, from, &apart, ret);
    void **top = load(&m->top) - n;
    memmove(from, from + n, (size_t)(top - from) * sizeof *from);
    store(&m->top, top);
    shape->no_room = mcentral_room_locked(mc) < found;
    mutex_unlock(&mc->lock);
    return n;
}

// put_from gives some of n slots of a magazine, from one on, back to their spans, and
// returns how many.
static size_t put_from(struct magazine *m, struct magazine_shape *shape,
                       struct mcentral *mc, void **from, size_t n) {
    struct giveback rest;
    n = put_some(m, shape, mc, from, n, &rest);
    mcentral_put_rest(mc, &rest);
    return n;
}

// give_older moves the n oldest slots of a magazine to mcentral: all at once, if
// the store has room, so that larger magazines come by less often. One lock mostly,
// and another for each 32 slots or more that go to their spans. Of very many, those
// that stay go to the bottom first: else they would move up at each of these.
static void give_older(struct mcache *c, struct mheap *h, unsigned sizeclass,
                       size_t n) {
    enum { MANY = 256 };
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    if (n > 0 && !shape->no_room)
        n -= store_oldest(m, shape, mc, n);
    if (n > MANY)
        for (turn(m, mc, n); n > 0;) {
            size_t some = min_size(n, MANY);
            n -= put_from(m, shape, mc, load(&m->top) - some, some);
        }
    while (n > 0)
        n -= put_from(m, shape, mc, load(&m->bottom), n);
}

// set_array gives a magazine an array of 1 << log2 pointers, moving what it
// holds. Returns false when there is no memory.
static bool set_array(struct mcache *c, struct mheap *h, unsigned sizeclass,
                      unsigned log2) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    void **array = mheap_alloc_slotarray(h, log2);
    if (array == NULL)
        return false;
    array[0] = NULL;
    mutex_lock(&mc->lock);
    void **old = load(&m->bottom) - 1;
    size_t depth = depth_of(m);
    memcpy(array + 1, old + 1, depth * sizeof *array);
    store(&m->bottom, array + 1);
    store(&m->top, array + 1 + depth);
    set_limit(m, shape);
    // Under the lock as well: a child of fork flushes what it finds.
    unsigned old_log2 = shape->array_log2;
    shape->array_log2 = log2 & 15;
    mutex_unlock(&mc->lock);
    if (old_log2 != 0)
        mheap_free_slotarray(h, old, old_log2);
    return true;
}

// drop_array returns the array of an empty magazine.
static void drop_array(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    if (shape->array_log2 == 0)
        return;
    mutex_lock(&mc->lock);
    void **array = load(&m->bottom) - 1;
    unsigned log2 = shape->array_log2;
    detach_array(m);
    *shape = (struct magazine_shape){0};
    mutex_unlock(&mc->lock);
    mheap_free_slotarray(h, array, log2);
}

// checks_all says whether every free is checked still.
static bool checks_all(const struct mheap *h) {
    return atomic_load_explicit(&h->nchecked, memory_order_relaxed) <
           CHECKED_FREES;
}

// check_after says which malloc of a class, from a check on, makes the next free
// one to be checked; 0: the next free is one.
static uint64_t check_after(const struct mheap *h) {
    enum { STEP = CHECK_STEP, STEPS = CHECK_STEPS };
    _Static_assert(CHECK_MOST == 1 << STEPS, "it doubles with each step");
    uint32_t n = atomic_load_explicit(&h->nchecked, memory_order_relaxed);
    if (n < CHECKED_FREES)
        return 0;
    uint32_t step = (n - CHECKED_FREES) / STEP;
    return (uint64_t)1 << (step < STEPS ? step : STEPS);
}

static void count_check(struct mheap *h) {
    uint32_t n = atomic_load_explicit(&h->nchecked, memory_order_relaxed);
    // Off by a few when threads meet here: that is no matter.
    if (n < CHECKED_FREES + CHECK_STEP * CHECK_STEPS)
        atomic_store_explicit(&h->nchecked, n + 1, memory_order_relaxed);
}

// set_cap changes the slots a magazine may hold to cap, which is no less than
// it holds. Returns false, with nothing changed, when budget or memory say no.
static bool set_cap(struct mcache *c, struct mheap *h, unsigned sizeclass,
                    size_t cap) {
    struct magazine_shape *shape = &c->shapes[sizeclass];
    uint64_t elemsize = sizeclass_bytes[sizeclass];
    uint64_t old_bytes = c->cap_bytes;
    size_t old_cap = shape->cap;
    uint64_t bytes = old_bytes + cap * elemsize - old_cap * elemsize;
    if (!budget_set(c, h, bytes, most_bytes(c, sizeclass)))
        return false;
    unsigned log2 = ceil_log2(cap + 1);
    if (log2 < SLOTARRAY_MIN_LOG2)
        log2 = SLOTARRAY_MIN_LOG2;
    shape->cap = (uint16_t)cap;
    shape->check |= old_cap == 0 && checks_all(h);
    // What another thread left with the record may be larger than is needed.
    if (shape->array_log2 == log2 ||
        (shape->array_log2 > log2 && cap > old_cap)) {
        set_limit(&c->magazines[sizeclass], shape);
        return true;
    }
    if (set_array(c, h, sizeclass, log2))
        return true;
    // As it was; the budget is not asked for what was granted before.
    shape->cap = (uint16_t)old_cap;
    uint64_t shared = shared_part(old_bytes) - shared_part(c->cap_bytes);
    atomic_fetch_add_explicit(&h->shared_cache_bytes, shared,
                              memory_order_relaxed);
    c->cap_bytes = old_bytes;
    return false;
}

// asked returns how many mallocs a class had since it was last looked at, modulo 2^32.
static uint32_t asked(struct mcache *c, unsigned sizeclass) {
    struct magazine_shape *shape = &c->shapes[sizeclass];
    uint32_t count = (uint32_t)atomic_load_explicit(
        &c->magazines[sizeclass].count, memory_order_relaxed);
    uint32_t n = count - shape->count_seen;
    shape->count_seen = count;
    return n;
}

static uint64_t add(_Atomic uint64_t *counter, uint64_t n) {
    uint64_t sum = atomic_load_explicit(counter, memory_order_relaxed) + n;
    atomic_store_explicit(counter, sum, memory_order_relaxed);
    return sum;
}

static void drop_large(struct mcache *c, struct mheap *h, unsigned at) {
    struct largecache *large = &c->large;
    struct mspan *s = large->spans[at];
    if (s == NULL)
        return;
    large->spans[at] = NULL;
    add(&large->nheld, (uint64_t)-1);
    add(&large->held_bytes, 0 - (uint64_t)(s->npages << PAGE_SHIFT));
    mheap_free_kept(h, s, /* scavenged= */ false);
}

static void drop_all_large(struct mcache *c, struct mheap *h) {
    for (unsigned i = 0; i < LARGECACHE_SPANS; i++)
        drop_large(c, h, i);
    large_budget_set(c, h, 0);
}

// large_room sees to it that so many bytes more may be held.
static bool large_room(struct mcache *c, struct mheap *h, uint64_t nbytes) {
    struct largecache *large = &c->large;
    uint64_t want =
        atomic_load_explicit(&large->held_bytes, memory_order_relaxed) + nbytes;
    return want <= large->cap_bytes || large_budget_set(c, h, want);
}

bool mcache_keep_large(struct mcache *c, struct mheap *h, struct mspan *s) {
    struct largecache *large = &c->large;
    size_t npages = s->npages;
    unsigned at = npages % LARGECACHE_SPANS;
    if (large->spans[at] != NULL) {
        if (large->spans[at]->npages == npages)
            return false;
        drop_large(c, h, at); // nobody asked for it in between
    }
    if (!large_room(c, h, npages << PAGE_SHIFT))
        return false;
    uint8_t state = MSPAN_LARGE;
    if (sys_single_threaded())
        atomic_store_explicit(&s->state, MSPAN_KEPT, memory_order_relaxed);
    else if (!atomic_compare_exchange_strong_explicit(
                 &s->state, &state, MSPAN_KEPT, memory_order_relaxed,
                 memory_order_relaxed))
        return false; // another thread frees it at the same time
    s->needzero = true;
    large->spans[at] = s;
    add(&large->nheld, 1);
    add(&large->held_bytes, npages << PAGE_SHIFT);
    return true;
}

bool mcache_has_large(const struct mcache *c, size_t npages) {
    const struct mspan *s = c->large.spans[npages % LARGECACHE_SPANS];
    return s != NULL && s->npages == npages;
}

struct mspan *mcache_use_large(struct mcache *c, size_t npages) {
    struct largecache *large = &c->large;
    struct mspan **at = &large->spans[npages % LARGECACHE_SPANS];
    struct mspan *s = *at;
    if (s == NULL || s->npages != npages)
        return NULL;
    *at = NULL;
    uint64_t nbytes = npages << PAGE_SHIFT;
    add(&large->nheld, (uint64_t)-1);
    add(&large->held_bytes, 0 - nbytes);
    add(&large->nhits, 1);
    add(&large->hit_bytes, nbytes);
    // release: partner in mspan_state
    atomic_store_explicit(&s->state, MSPAN_LARGE, memory_order_release);
    return s;
}

void mcache_trim(struct mcache *c, struct mheap *h) {
    uint32_t nfresh = atomic_load_explicit(&h->nfresh, memory_order_relaxed);
    if (nfresh == c->nfresh && c->trim_at == 0)
        return;
    size_t left = TRIM_SLOTS;
    if (c->trim_at == 0) {
        c->nfresh = nfresh;
        c->trim_at = 1;
    }
    for (; c->trim_at < NUM_SIZECLASSES; c->trim_at++) {
        unsigned i = c->trim_at;
        size_t depth = depth_of(&c->magazines[i]);
        if (depth > left)
            return;
        uint32_t keep = c->shapes[i].cap > 0 ? asked(c, i) : 0;
        if (keep >= depth)
            continue;
        give_older(c, h, i, depth - keep);
        left -= depth - keep;
    }
    c->trim_at = 0;
    uint64_t nhits =
        atomic_load_explicit(&c->large.nhits, memory_order_relaxed);
    if (nhits == c->large.nhits_seen)
        drop_all_large(c, h);
    c->large.nhits_seen = nhits;
}

// take_from_large gives what large objects may hold back to the budget of all. It
// returns false if that is of no use to a class that is to grow by nbytes.
static bool take_from_large(struct mcache *c, struct mheap *h,
                            unsigned sizeclass, uint64_t nbytes) {
    if (c->large.cap_bytes == 0 ||
        c->cap_bytes + nbytes > most_bytes(c, sizeclass))
        return false;
    drop_all_large(c, h);
    return true;
}

// steal takes capacity from classes that were idle since the hand last passed.
static void steal(struct mcache *c, struct mheap *h, unsigned for_class) {
    for (int i = 0; i < HAND_STEPS; i++) {
        unsigned sizeclass = c->hand;
        c->hand = sizeclass + 1 < NUM_SIZECLASSES ? sizeclass + 1 : 1;
        struct magazine_shape *shape = &c->shapes[sizeclass];
        if (shape->cap == 0 || sizeclass == for_class)
            continue;
        if (asked(c, sizeclass) > 0)
            continue;
        size_t keep = shape->cap / 2;
        size_t depth = depth_of(&c->magazines[sizeclass]);
        if (depth > keep)
            give_older(c, h, sizeclass, depth - keep);
        if (keep == 0) {
            budget_set(c, h,
                       c->cap_bytes -
                           sizeclass_bytes[sizeclass] * (uint64_t)shape->cap,
                       0);
            drop_array(c, h, sizeclass);
        } else {
            set_cap(c, h, sizeclass, keep);
        }
    }
}

// grow makes a magazine larger, if it may be.
static void grow(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine_shape *shape = &c->shapes[sizeclass];
    size_t cap = shape->cap == 0
                     ? cap_first(sizeclass)
                     : min_size(shape->cap * 2 + 1, cap_max(sizeclass));
    if (cap <= shape->cap)
        return;
    if ((int32_t)(c->nslow - c->refused_until) < 0)
        return; // somebody asked in vain a moment ago
    if (set_cap(c, h, sizeclass, cap))
        return;
    uint64_t more = (cap - shape->cap) * sizeclass_bytes[sizeclass];
    if (take_from_large(c, h, sizeclass, more) && set_cap(c, h, sizeclass, cap))
        return;
    steal(c, h, sizeclass);
    // Less than all may be left, but a few slots are not worth it.
    size_t least = (cap - shape->cap + LEAST_SHARE - 1) / LEAST_SHARE;
    for (size_t n = cap - shape->cap; n >= least; n /= 2)
        if (set_cap(c, h, sizeclass, shape->cap + n))
            return;
    c->refused_until = c->nslow + PATIENCE;
}

// alloc_counted takes one slot for a class without a magazine, and counts it there
// all the same: the next sample is counted down to.
static void *alloc_counted(struct mcache *c, struct mcentral *mc,
                           unsigned sizeclass) {
    void *p = mcentral_alloc_one(mc);
    if (p == NULL)
        return NULL;
    struct magazine *m = &c->magazines[sizeclass];
    mutex_lock(&mc->lock);
    uint64_t count = atomic_load_explicit(&m->count, memory_order_relaxed);
    atomic_store_explicit(&m->count, count + 1, memory_order_relaxed);
    mc->stats->nretired--;
    mutex_unlock(&mc->lock);
    return p;
}

// set_count_locked changes a magazine's count, and neither the sum of the class nor
// what was asked of it since it was last looked at.
static void set_count_locked(struct mcentral *mc, struct magazine *m,
                             struct magazine_shape *shape, uint64_t count) {
    uint64_t less =
        atomic_load_explicit(&m->count, memory_order_relaxed) - count;
    mc->stats->nretired += less;
    shape->count_seen -= (uint32_t)less;
    atomic_store_explicit(&m->count, count, memory_order_relaxed);
}

// was_used says whether a class has to be looked at when the cache is emptied.
static bool was_used(const struct mcache *c, unsigned sizeclass) {
    return c->shapes[sizeclass].array_log2 != 0 ||
           atomic_load_explicit(&c->magazines[sizeclass].count,
                                memory_order_relaxed) != 0;
}

void mcache_sample_after(struct mcache *c, struct mheap *h, unsigned sizeclass,
                         uint64_t n) {
    struct mcentral *mc = mheap_class(h, sizeclass);
    mutex_lock(&mc->lock);
    set_count_locked(mc, &c->magazines[sizeclass], &c->shapes[sizeclass],
                     0 - n);
    mutex_unlock(&mc->lock);
}

// Hits of a class until the scavenger is to be asked; and while a walk over holes is
// not at its end.
enum { HITS_BETWEEN = 64, HITS_SOON = 16 };

static bool restless(struct mheap *h) {
    return atomic_load_explicit(&h->restless, memory_order_relaxed);
}

void mcache_arm(struct mcache *c, struct mheap *h) {
    if (c->armed || !restless(h))
        return;
    c->armed = true;
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        if (was_used(c, i))
            mcache_sample_after(c, h, i, HITS_BETWEEN);
}

// arm_first is for a class that gets its first magazine after mcache_arm: its count
// was never set back.
static void arm_first(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    uint64_t count = atomic_load_explicit(&c->magazines[sizeclass].count,
                                          memory_order_relaxed);
    if (c->armed && (int64_t)count >= 0)
        mcache_sample_after(c, h, sizeclass, HITS_BETWEEN);
}

bool mcache_come_by(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    c->armed = restless(h);
    if (!c->armed || c->nslow++ % HITS_BETWEEN == 0)
        mcache_check_next(c, sizeclass);
    uint64_t after = (uint64_t)1 << MCACHE_SAMPLE_NEVER_LOG2;
    if (c->armed)
        after = scavenger_walking(h) ? HITS_SOON : HITS_BETWEEN;
    mcache_sample_after(c, h, sizeclass, after);
    return c->armed;
}

// wants_more says whether a magazine is to grow, given what its slow path is for
// now. The tides of its class were higher than it is, if it was the other kind last;
// or it goes one way all the time, for a thread that only makes or only frees, and
// is to come by less often: so it grows as well, slowly, and not beyond ONE_WAY_BYTES.
static bool wants_more(struct magazine_shape *shape, unsigned sizeclass,
                       unsigned now) {
    bool other = shape->last != MAGAZINE_WAS_NOTHING && shape->last != now;
    shape->last = now & 3;
    if (!other && ++shape->nalike < ALIKE)
        return shape->cap == 0;
    shape->nalike = 0;
    return other ||
           shape->cap * 2u * sizeclass_bytes[sizeclass] <= ONE_WAY_BYTES;
}

// adapt makes a magazine larger if what its slow path is for now says so.
static void adapt(struct mcache *c, struct mheap *h, unsigned sizeclass,
                  unsigned now) {
    struct magazine_shape *shape = &c->shapes[sizeclass];
    bool first = shape->cap == 0;
    if (wants_more(shape, sizeclass, now))
        grow(c, h, sizeclass);
    if (first && shape->cap > 0)
        arm_first(c, h, sizeclass);
}

void *mcache_refill(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    check(depth_of(m) == 0, "mcache: refill of a magazine that holds slots");
    debug_check(!mcache_sample_due(c, sizeclass), "mcache: a sample is due");
    c->nslow++;
    mcache_trim(c, h);
    bool again = shape->last == MAGAZINE_WAS_DRY;
    adapt(c, h, sizeclass, MAGAZINE_WAS_DRY);
    if (shape->cap == 0)
        return alloc_counted(c, mc, sizeclass);
    // A program that only grows wants all there is room for; one that goes up
    // and down wants room for its next frees as well.
    size_t want = again ? shape->cap : (shape->cap + 1) / 2;
    want = clamp_size(want, 1, REFILL_BYTES / sizeclass_bytes[sizeclass]);
    bool first = !shape->had_lines && shape->cap >= LINE_SLOTS;
    shape->had_lines = true;
    for (;;) {
        mutex_lock(&mc->lock);
        void **bottom = load(&m->bottom);
        size_t n = 0;
        if (first)
            n = mcentral_take_lines_locked(mc, bottom);
        if (n == 0)
            n = mcentral_take_locked(mc, bottom, want);
        void *p = NULL;
        if (n > 0) {
            p = bottom[n - 1];
            store(&m->top, bottom + n - 1);
            uint64_t count =
                atomic_load_explicit(&m->count, memory_order_relaxed);
            // Never set: nobody counts to a sample, so to the first check.
            if (count == 0)
                set_count_locked(mc, m, shape, count = 0 - 2 * check_after(h));
            atomic_store_explicit(&m->count, count + 1, memory_order_relaxed);
        }
        mutex_unlock(&mc->lock);
        if (n > 0)
            return p;
        if (!mcentral_grow(mc))
            return NULL;
    }
}

void mcache_check_next(struct mcache *c, unsigned sizeclass) {
    struct magazine_shape *shape = &c->shapes[sizeclass];
    shape->check = true;
    if (shape->cap > 0)
        set_limit(&c->magazines[sizeclass], shape);
}

// holds looks for p among the newest few slots of a magazine.
static bool holds(struct magazine *m, const void *p, size_t few) {
    void **top = load(&m->top);
    few = min_size(few, depth_of(m));
    for (size_t i = 1; i <= few; i++)
        if (top[-(ptrdiff_t)i] == p)
            return true;
    return false;
}

bool mcache_holds(struct mcache *c, unsigned sizeclass, const void *p) {
    enum { FEW = 16 };
    return holds(&c->magazines[sizeclass], p, FEW);
}

// may_come_back says whether p is a live slot of its class, as far as this thread
// can tell: that it is not in the magazine of another is not known.
static bool may_come_back(struct magazine *m, struct mcentral *mc, void *p) {
    bool live = mcentral_is_live(mc, p);
    return live && !holds(m, p, CAP_SLOTS);
}

// check_free checks a free that is to be, and says when the next one is.
static bool check_free(struct mcache *c, struct mheap *h, unsigned sizeclass,
                       void *p, bool counting) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    if (!may_come_back(m, mheap_class(h, sizeclass), p))
        return false;
    count_check(h);
    uint64_t after = check_after(h);
    shape->check = after == 0;
    if (shape->cap > 0)
        set_limit(m, shape);
    // Where the scavenger makes mallocs due, they come often enough.
    if (after > 0 && counting && !c->armed)
        mcache_sample_after(c, h, sizeclass, after);
    return true;
}

// push is mcache_free for a magazine that has room.
static void push(struct magazine *m, void *p) {
    void **top = load(&m->top);
    *top = p;
    store(&m->top, top + 1);
}

void mcache_overflow(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     void *p, bool counting) {
    enum { CHECK_EVERY = 16 };
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    c->nslow++;
    bool twice = load(&m->top)[-1] == p;
    bool check = shape->check || shape->cap == 0 || c->nslow % CHECK_EVERY == 0;
    if (twice || (check && !check_free(c, h, sizeclass, p, counting))) {
        mheap_report_misuse(h, p);
        return;
    }
    if (depth_of(m) < shape->cap) {
        push(m, p);
        return;
    }
    bool again = shape->last == MAGAZINE_WAS_FULL;
    adapt(c, h, sizeclass, MAGAZINE_WAS_FULL);
    size_t depth = depth_of(m);
    // A program that only frees has no use for much of it.
    if (depth > 0 && depth == shape->cap)
        give_older(c, h, sizeclass, depth - depth / (again ? 4 : 2));
    // A first slot may be one of a line that another thread writes to: it is not
    // to be the next that is handed out here.
    if (shape->cap == 0 ||
        (!shape->had_lines && sizeclass_bytes[sizeclass] < LINE_BYTES)) {
        mcentral_free_one(mheap_class(h, sizeclass), p);
        return;
    }
    push(m, p);
}

// strip_locked takes capacity and array from an empty magazine.
static void strip_locked(struct magazine *m, struct magazine_shape *shape,
                         struct slotarrays *arrays, unsigned keep_log2) {
    unsigned log2 = shape->array_log2;
    *shape = (struct magazine_shape){0};
    if (log2 != 0 && log2 <= keep_log2) {
        shape->array_log2 = log2 & 15;
        store(&m->limit, load(&m->bottom));
        return;
    }
    if (log2 != 0)
        slotarrays_add(arrays, load(&m->bottom) - 1, log2);
    detach_array(m);
}

// empty_class empties the magazine of a class. ends says that nobody will use the
// cache again.
static void empty_class(struct mcache *c, struct mheap *h, unsigned sizeclass,
                        bool ends, struct slotarrays *arrays) {
    struct magazine *m = &c->magazines[sizeclass];
    struct magazine_shape *shape = &c->shapes[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    size_t depth = depth_of(m);
    if (!ends)
        while (depth > 0)
            depth -= put_from(m, shape, mc, load(&m->bottom), depth);
    for (bool empty = false; !empty;) {
        mutex_lock(&mc->lock);
        void **bottom = load(&m->bottom);
        // A store is not made for this: it would take more than is stored.
        if (depth > 0 && mc->transfer != NULL &&
            are_aligned(bottom, depth, sizeclass) &&
            mcentral_store_locked(mc, bottom, depth))
            drop_oldest_locked(m, depth);
        depth = depth_of(m);
        empty = depth == 0;
        if (empty && ends)
            set_count_locked(mc, m, shape, 0);
        if (empty)
            strip_locked(m, shape, arrays, ends ? KEPT_ARRAY_LOG2 : 0);
        mutex_unlock(&mc->lock);
        while (depth > 0)
            depth -= put_from(m, shape, mc, load(&m->bottom), depth);
    }
}

static void empty_all(struct mcache *c, struct mheap *h, bool ends) {
    struct slotarrays arrays = {.any = false};
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        if (was_used(c, i))
            empty_class(c, h, i, ends, &arrays);
    if (arrays.any)
        mheap_free_slotarrays(h, &arrays);
    drop_all_large(c, h);
    budget_set(c, h, 0, 0);
}

void mcache_flush(struct mcache *c, struct mheap *h) {
    empty_all(c, h, /* ends= */ false);
}

static void fold_large(struct mcache *c, struct mheap *h) {
    struct largecache *large = &c->large;
    struct largestats *stats = &h->stats->large;
    uint64_t nhits = atomic_load_explicit(&large->nhits, memory_order_relaxed);
    if (nhits == 0)
        return;
    mutex_lock(&h->lock);
    stats->nmallocs += nhits;
    stats->nfrees += nhits;
    stats->total_alloc_bytes +=
        atomic_load_explicit(&large->hit_bytes, memory_order_relaxed);
    atomic_store_explicit(&large->nhits, 0, memory_order_relaxed);
    atomic_store_explicit(&large->hit_bytes, 0, memory_order_relaxed);
    large->nhits_seen = 0;
    mutex_unlock(&h->lock);
}

void mcache_end(struct mcache *c, struct mheap *h) {
    empty_all(c, h, /* ends= */ true);
    fold_large(c, h);
}

void mcache_abandon(struct mcache *c, struct mheap *h, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    struct mcentral *mc = mheap_class(h, sizeclass);
    mutex_lock(&mc->lock);
    set_count_locked(mc, m, &c->shapes[sizeclass], 0);
    detach_array(m);
    c->shapes[sizeclass] = (struct magazine_shape){0};
    mutex_unlock(&mc->lock);
}

void mcache_book_only(struct mheap *h, const struct mcache *own) {
    atomic_store_explicit(
        &h->shared_cache_bytes,
        own != NULL ? shared_part(own->cap_bytes) + own->large.cap_bytes : 0,
        memory_order_relaxed);
}

void mcache_unbook(struct mcache *c) {
    c->cap_bytes = 0;
    c->large.cap_bytes = 0;
}
