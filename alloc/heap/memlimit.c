// memlimit.c: see memlimit.h.
#include "heap/memlimit.h"

#include "os/sys.h"

enum {
    NEAR_PCT = 90,
    ROOM_PCT = 95,
    GUESS_SHARE = 32,
    WINDOW_STEPS = 16, // of SYS_TICKS_STEP: a fifth of a second
    GRACE_STEPS = 1,   // at the beginning of a window
    // A page's first touch: two faults, 1 to 5 us in all.
    TOUCH_SHARE = 1 << 12, // of SYS_TICKS_STEP
};

COLD void memlimit_set(struct mheap *h, uint64_t nbytes) {
    h->memlimit.pages = nbytes >> PAGE_SHIFT;
    h->noted |= h->memlimit.pages != 0;
}

void memlimit_watch(struct mheap *h, void (*changed)(struct mheap *h)) {
    mutex_lock(&h->lock);
    // At the start there is one. In the child of a fork, the parent has noted
    // it.
    if (h->changed == NULL && h->reserved_end > 0)
        reservations_add(&h->reservations, h->reserved_low, h->reserved_end);
    h->changed = changed;
    h->noted = true;
    changed(h);
    mutex_unlock(&h->lock);
}

static uint64_t load(const _Atomic uint64_t *nbytes) {
    return atomic_load_explicit(nbytes, memory_order_relaxed);
}

// record_bytes is slightly more than the records use: some are not touched yet.
static uint64_t record_bytes(const struct mheap *h) {
    return load(&h->small_spans.sys_bytes) + load(&h->large_spans.sys_bytes) +
           load(&h->caches.sys_bytes) + load(&h->pages.sys_bytes) +
           load(&h->slotarray_sys) + load(&h->other_sys) +
           mheap_profile_bytes(h);
}

static uint64_t footprint_locked(const struct mheap *h) {
    return h->stats->inuse_pages + h->pages.nbacked + h->kept_pages +
           h->first_pages.n + (record_bytes(h) >> PAGE_SHIFT);
}

static void note_limit_locked(struct mheap *h) {
    struct memlimit *m = &h->memlimit;
    bool above = footprint_locked(h) > m->pages;
    m->nexceeded += above && !m->above;
    // Staying just below the limit does not count as coming back under it.
    if (above || !memlimit_near_locked(h))
        m->above = above;
}

void memlimit_note_locked(struct mheap *h) {
    if (LIKELY(!h->noted))
        return;
    if (h->memlimit.pages != 0)
        note_limit_locked(h);
    if (h->changed != NULL)
        h->changed(h);
}

bool memlimit_near_locked(const struct mheap *h) {
    return memlimit_above_locked(h, NEAR_PCT);
}

bool memlimit_above_locked(const struct mheap *h, unsigned percent) {
    uint64_t pages = h->memlimit.pages;
    return UNLIKELY(pages != 0) && footprint_locked(h) > pages / 100 * percent;
}

size_t memlimit_idle_locked(const struct mheap *h) {
    uint64_t idle = h->pages.nbacked + h->kept_pages + h->first_pages.n;
    uint64_t used = footprint_locked(h) - idle;
    uint64_t most = h->memlimit.pages / 100 * ROOM_PCT;
    return most > used ? most - used : 0;
}

bool memlimit_has_room_locked(const struct mheap *h, size_t npages) {
    uint64_t pages = h->memlimit.pages;
    return pages == 0 ||
           (npages <= pages / GUESS_SHARE && !memlimit_near_locked(h));
}

bool memlimit_may_spend(struct mheap *h) {
    struct memlimit *m = &h->memlimit;
    uint64_t now = sys_ticks();
    uint64_t past = now - __atomic_load_n(&m->since_ticks, __ATOMIC_RELAXED);
    if (past > WINDOW_STEPS * (uint64_t)SYS_TICKS_STEP) {
        __atomic_store_n(&m->since_ticks, now, __ATOMIC_RELAXED);
        __atomic_store_n(&m->spent_ticks, 0, __ATOMIC_RELAXED);
        return true;
    }
    return 2 * __atomic_load_n(&m->spent_ticks, __ATOMIC_RELAXED) <=
           past + GRACE_STEPS * (uint64_t)SYS_TICKS_STEP;
}

void memlimit_spent(struct mheap *h, uint64_t ticks, size_t npages) {
    struct memlimit *m = &h->memlimit;
    ticks += npages * (SYS_TICKS_STEP / TOUCH_SHARE);
    __atomic_store_n(&m->spent_ticks,
                     __atomic_load_n(&m->spent_ticks, __ATOMIC_RELAXED) + ticks,
                     __ATOMIC_RELAXED);
}
