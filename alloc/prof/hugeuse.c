// hugeuse.c: see hugeuse.h.
#include "prof/hugeuse.h"

#include "heap/hugepages.h"

enum { STEPS_LOCKED = 512 }; // spans or free pages under one lock

// struct walk is the position of the walk and its results.
struct walk {
    struct mheap *h;
    uintptr_t at;
    uintptr_t large_end; // of the large object that at is in; or lower
    bool large_live;     // and whether that is in use
    uintptr_t region;    // the last region examined
    bool region_is_huge;
    struct hugeuse use;
};

// has_released says whether a page of the region at start was released, moved
// away or never touched: it cannot be a huge page then.
static bool has_released(const struct arena *a, uintptr_t start) {
    size_t page = arena_page(start);
    const uint64_t *bits = a->chunks[page / CHUNK_PAGES].scavenged;
    return pallocbits_count(bits, (unsigned)(page % CHUNK_PAGES),
                            REGION_PAGES) > 0;
}

static bool is_huge(struct walk *w, uintptr_t addr) {
    uintptr_t start = align_down(addr, HUGE_BYTES);
    if (start == w->region)
        return w->region_is_huge;
    const struct arena *a = pagemap_arena(&w->h->pagemap, addr);
    size_t region = start % ARENA_BYTES / HUGE_BYTES;
    w->region = start;
    w->region_is_huge =
        a != NULL && a->huge[region / WORD_BITS] >> (region % WORD_BITS) & 1 &&
        !has_released(a, start);
    return w->region_is_huge;
}

// add counts [w->at, to), which is within one region and has live bytes of live
// objects.
static void add(struct walk *w, uintptr_t to, size_t live) {
    if (is_huge(w, w->at)) {
        w->use.bytes += to - w->at;
        w->use.unused += to - w->at - live;
    }
    w->at = to;
}

// live_between returns the bytes in [from, to) of slots that are not free.
static size_t live_between(const struct mspan *s, uintptr_t from,
                           uintptr_t to) {
    size_t live = 0;
    for (unsigned i = 0; i < s->nelems; i++) {
        uintptr_t start = mspan_start(s) + (uintptr_t)i * s->elemsize;
        uintptr_t end = start + s->elemsize;
        if (start < to && end > from && !mspan_peek_free(s, i))
            live += min_size(end, to) - max_size(start, from);
    }
    return live;
}

// live_of is live_between for the whole span, by its count, which other threads
// may be changing under the lock of the class.
__attribute__((no_sanitize("thread"))) static size_t
live_of(const struct mspan *s) {
    unsigned nfree = *(const volatile uint16_t *)&s->nfree;
    return nfree > s->nelems ? 0 : (s->nelems - nfree) * (size_t)s->elemsize;
}

// region_end returns where the region that addr is in ends, or limit.
static uintptr_t region_end(uintptr_t addr, uintptr_t limit) {
    return min_size(limit, align_down(addr, HUGE_BYTES) + HUGE_BYTES);
}

static void add_small(struct walk *w, const struct mspan *s) {
    uintptr_t end = w->at + (s->npages << PAGE_SHIFT);
    if (region_end(w->at, end) == end) {
        add(w, end, live_of(s));
        return;
    }
    while (w->at < end) {
        uintptr_t to = region_end(w->at, end);
        add(w, to, live_between(s, w->at, to));
    }
}

// step counts one span, one region of a large object, or one page of neither.
static void step(struct walk *w, const struct arena *a) {
    if (w->at < w->large_end) {
        uintptr_t to = region_end(w->at, w->large_end);
        add(w, to, w->large_live ? to - w->at : 0);
        return;
    }
    // acquire: sees the span's fields; partner: release in pagemap_set
    const struct mspan *s = atomic_load_explicit(
        &a->span_of_page[arena_page(w->at)], memory_order_acquire);
    enum mspan_state state = s == NULL ? MSPAN_DEAD : mspan_state(s);
    if (state == MSPAN_DEAD || mspan_start(s) != w->at) {
        add(w, w->at + PAGE_SIZE, 0);
    } else if (state == MSPAN_SMALL) {
        add_small(w, s);
    } else {
        w->large_end = w->at + (s->npages << PAGE_SHIFT);
        w->large_live = state == MSPAN_LARGE;
    }
}

static bool any_huge_locked(const struct mheap *h) {
    for (size_t i = 0; i < h->pages.narenas; i++)
        for (unsigned word = 0; word < ARENA_REGIONS / WORD_BITS; word++)
            if (h->pages.arenas[i]->huge[word] != 0)
                return true;
    return false;
}

// steps_locked continues at w->at, and returns false at the end of the heap.
static bool steps_locked(struct walk *w) {
    for (unsigned n = 0; n < STEPS_LOCKED; n++) {
        const struct arena *a = pagealloc_arena_from(&w->h->pages, w->at);
        if (a == NULL)
            return false;
        w->at = max_size(w->at, a->base);
        step(w, a);
    }
    return true;
}

struct hugeuse hugeuse_read(struct mheap *h) {
    struct walk w = {.h = h};
    mutex_lock(&h->lock);
    bool more = any_huge_locked(h);
    mutex_unlock(&h->lock);
    while (more) {
        mutex_lock(&h->lock);
        more = steps_locked(&w);
        mutex_unlock(&h->lock);
    }
    return w.use;
}
