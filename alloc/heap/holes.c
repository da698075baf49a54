// holes.c: see holes.h.
#include "heap/holes.h"

#include "heap/hugepages.h"
#include "heap/mcentral_hold.h"
#include "heap/mcentral_store.h"
#include "os/mem.h"
#include "os/sys.h"

enum {
    // Size of one release: 20 to 40 us. If a page in it is refused (locked in
    // memory, say), the whole range stays.
    RANGE_BYTES = 128 << 10,
    // Most ranges of a span: every other page, and one more if the last is
    // full.
    HOLES_OF_SPAN = MAX_CLASS_PAGES + 1,
    LOOK_SPANS = 256,    // in one batch
    LOOK_LOCKED = 64,    // of them under one lock of a class
    SLACK_MIN = 1 << 20, // no walk if the slack is less,
    SLACK_SHARE = 32,    // or less than 1/32 of what is in use
    VAIN_SHARE = 64,     // a walk that gave back less of the slack was in vain
    SLOWER_MAX = 2,      // walks are then up to 4 times as far apart
    REGAINED_SHARE = 16, // releases do not pay off if more than 1/16 and
    REGAINED_MIN = 1 << 20, // more than this was used again
    VAIN_MAX = 6,           // after so many, no walk is announced
};

// slack returns the bytes of free slots on pages with memory.
static uint64_t slack(struct mheap *h) {
    uint64_t sum = 0;
    for (unsigned c = mheap_next_used(h, 1); c < NUM_SIZECLASSES;
         c = mheap_next_used(h, c + 1)) {
        struct mcentral *mc = &h->central[c];
        mutex_lock(&mc->lock);
        sum += mcentral_slack_locked(mc);
        mutex_unlock(&mc->lock);
    }
    return sum;
}

// halve halves a count, so that old releases and uses count less.
static void halve(_Atomic uint64_t *count) {
    uint64_t n = atomic_load_explicit(count, memory_order_relaxed);
    atomic_fetch_sub_explicit(count, n - n / 2, memory_order_relaxed);
}

static void begin(struct mheap *h) {
    struct holes *o = &h->holes;
    o->at = 1; // below any span
    o->nwarm = 0;
    o->nbytes = 0;
}

static bool can_be(const struct holes *o) {
    return !o->off && sys_page_size() <= PAGE_SIZE;
}

bool holes_restart(struct mheap *h) {
    begin(h);
    return can_be(&h->holes);
}

bool holes_begin(struct mheap *h, uint64_t now_ns) {
    struct holes *o = &h->holes;
    if (!can_be(o))
        return false;
    if (o->at != 0)
        return true;
    // The first walk after a burst of frees skips those spans, so one walk in
    // vain does not count.
    unsigned slower = o->nvain > 1 ? o->nvain - 1 : 0;
    if (slower > SLOWER_MAX)
        slower = SLOWER_MAX;
    if (now_ns - o->begin_ns < (uint64_t)HOLES_WALK_NS << slower)
        return false;
    uint64_t inuse = __atomic_load_n(&h->stats->inuse_pages, __ATOMIC_RELAXED)
                     << PAGE_SHIFT;
    o->begin_ns = now_ns;
    halve(&h->holes_given);
    halve(&h->holes_regained);
    o->slack = slack(h);
    if (o->slack < max_size(SLACK_MIN, inuse / SLACK_SHARE)) {
        o->nwarm = 0;
        return false;
    }
    begin(h);
    return true;
}

static void end(struct holes *o) {
    o->at = 0;
    o->nvain = o->nbytes < o->slack / VAIN_SHARE ? o->nvain + 1 : 0;
}

enum holes_left holes_left(const struct mheap *h) {
    const struct holes *o = &h->holes;
    if (o->at != 0)
        return HOLES_NOW;
    return o->nwarm > 0 && o->nvain < VAIN_MAX ? HOLES_LATER : HOLES_NONE;
}

// struct walk is the state of one batch.
struct walk {
    struct mheap *h;
    struct holes *o;
    struct mcentral *locked; // the class whose lock is held, or NULL
    unsigned nlocked;        // spans examined under it
    unsigned nlooked;
    enum mcentral_hold kind;
    uintptr_t *at;
};

static void lock_class(struct walk *w, struct mcentral *mc) {
    if (w->locked == mc)
        return;
    if (w->locked != NULL)
        mutex_unlock(&w->locked->lock);
    if (mc != NULL)
        mutex_lock(&mc->lock);
    w->locked = mc;
    w->nlocked = 0;
}

// add_ranges adds the holes of a span to the ranges to release.
static void add_ranges(struct holes *o, uintptr_t start, uint32_t holes) {
    size_t page = sys_page_size();
    for (; holes != 0; holes &= holes - 1) {
        uintptr_t addr = start + (unsigned)__builtin_ctz(holes) * page;
        struct holes_range *last =
            o->nranges > 0 ? &o->ranges[o->nranges - 1] : NULL;
        if (last != NULL && last->addr + last->nbytes == addr &&
            last->nbytes < RANGE_BYTES)
            last->nbytes += page;
        else
            o->ranges[o->nranges++] =
                (struct holes_range){.addr = addr, .nbytes = page};
    }
}

// look_at examines the small span that begins at addr, if there is one. Returns
// the address after it.
static uintptr_t look_at(struct walk *w, struct arena *a, uintptr_t addr) {
    struct holes *o = w->o;
    // acquire: sees the span's fields; partner: release in pagemap_set
    struct mspan *s = atomic_load_explicit(&a->span_of_page[arena_page(addr)],
                                           memory_order_acquire);
    struct mcentral *mc = s == NULL ? NULL : mspan_home(s);
    if (mc == NULL)
        return addr + PAGE_SIZE;
    lock_class(w, mc);
    // A span stays in its class while the lock is held.
    if (mspan_home(s) != mc || mspan_state(s) != MSPAN_SMALL ||
        addr != mspan_start(s))
        return addr + PAGE_SIZE;
    uint32_t holes = mcentral_hold_locked(mc, s, w->kind);
    if (holes == MCENTRAL_WARM) {
        o->nwarm++;
    } else if (holes != 0) {
        add_ranges(o, addr, holes);
        o->held[o->nheld].span = s;
        o->held[o->nheld++].holes =
            holes; // before the lock is released: for fork
    }
    w->nlooked++;
    if (++w->nlocked == LOOK_LOCKED)
        lock_class(w, NULL);
    return addr + (s->npages << PAGE_SHIFT);
}

// look continues the walk in one arena until the batch is full; false: there
// are no more arenas.
static bool look(struct walk *w) {
    struct holes *o = w->o;
    mutex_lock(&w->h->lock);
    struct arena *a = pagealloc_arena_from(&w->h->pages, *w->at);
    mutex_unlock(&w->h->lock);
    if (a == NULL)
        return false;
    uintptr_t addr = max_size(align_down(*w->at, PAGE_SIZE), a->base);
    while (addr - a->base < ARENA_BYTES && w->nlooked < LOOK_SPANS &&
           o->nheld < HOLES_SPANS &&
           o->nranges <= HOLES_RANGES - HOLES_OF_SPAN) {
        // relaxed: only a hint; the span is examined under its lock
        if (atomic_load_explicit(&a->class_of_page[arena_page(addr)],
                                 memory_order_relaxed) != 0) {
            addr = look_at(w, a, addr);
            continue;
        }
        lock_class(w, NULL);
        addr += PAGE_SIZE;
    }
    lock_class(w, NULL);
    *w->at = addr;
    return true;
}

static bool late(const struct holes_visit *v) {
    return v->budget_ticks != 0 &&
           sys_ticks() - v->begin_ticks > v->budget_ticks;
}

// forbid_huge withdraws the advice to use huge pages where there are holes.
static void forbid_huge(struct mheap *h) {
    struct holes *o = &h->holes;
    struct hugepages_range forbid[HOLES_RANGES];
    unsigned n = 0;
    mutex_lock(&h->lock);
    for (unsigned i = 0; i < o->nranges; i++) {
        uintptr_t addr = align_down(o->ranges[i].addr, PAGE_SIZE);
        uintptr_t end = o->ranges[i].addr + o->ranges[i].nbytes;
        size_t npages = (end - addr + PAGE_SIZE - 1) >> PAGE_SHIFT;
        forbid[n] = hugepages_released_locked(h, addr, npages);
        n += forbid[n].nbytes > 0;
    }
    mutex_unlock(&h->lock);
    for (unsigned i = 0; i < n; i++)
        hugepages_forbid(forbid[i]);
}

// release releases the ranges until the budget is used up.
static void release(struct mheap *h, struct holes_visit *v) {
    struct holes *o = &h->holes;
    if (o->nranges > 0)
        forbid_huge(h);
    for (unsigned i = 0; i < o->nranges && v->nbytes < v->most && !late(v);
         i++) {
        struct holes_range *r = &o->ranges[i];
        r->tried = true;
        r->gone = mem_release(r->addr, r->nbytes);
        v->nrefused += !r->gone;
        v->nbytes += r->gone ? r->nbytes : 0;
    }
}

// put_back returns the held spans to their classes.
static void put_back(struct walk *w) {
    struct holes *o = w->o;
    size_t page = sys_page_size();
    const struct holes_range *r = o->ranges;
    for (unsigned i = 0; i < o->nheld; i++) {
        struct mspan *s = o->held[i].span;
        uint32_t released = 0;
        bool refused = false;
        for (uint32_t left = o->held[i].holes; left != 0; left &= left - 1) {
            uintptr_t addr =
                mspan_start(s) + (unsigned)__builtin_ctz(left) * page;
            while (addr - r->addr >= r->nbytes)
                r++;
            released |= r->gone ? left & -left : 0;
            refused |= r->tried && !r->gone;
            // The walk continues at the first range that was not tried.
            if (!r->tried && mspan_start(s) < *w->at)
                *w->at = mspan_start(s);
        }
        lock_class(w, mspan_home(s));
        mcentral_unhold_locked(w->locked, s, released, refused);
        if (++w->nlocked == LOOK_LOCKED)
            lock_class(w, NULL);
    }
    lock_class(w, NULL);
    o->nheld = 0;
}

bool holes_batch(struct mheap *h, struct holes_visit *v) {
    struct holes *o = &h->holes;
    bool trades = v->kind == HOLD_UNUSED;
    struct walk w = {
        .h = h,
        .o = o,
        .kind = v->kind,
        .at = trades ? &o->trade_at : &o->at,
    };
    size_t before = v->nbytes;
    if (*w.at == 0)
        return false;
    o->nranges = 0;
    if (!look(&w)) {
        if (trades)
            o->trade_at = 0;
        else
            end(o);
        return false;
    }
    release(h, v);
    put_back(&w);
    atomic_fetch_add_explicit(&h->holes_given, v->nbytes - before,
                              memory_order_relaxed);
    *(trades ? &o->trade_bytes : &o->nbytes) += v->nbytes - before;
    return true;
}

bool holes_pay(const struct mheap *h) {
    uint64_t given =
        atomic_load_explicit(&h->holes_given, memory_order_relaxed);
    uint64_t regained =
        atomic_load_explicit(&h->holes_regained, memory_order_relaxed);
    return regained <= given / REGAINED_SHARE + REGAINED_MIN;
}

bool holes_trade(struct mheap *h) {
    struct holes *o = &h->holes;
    if (!can_be(o))
        return false;
    if (o->trade_at == 0) {
        o->trade_at = 1;
        o->trade_bytes = 0;
    }
    return true;
}

bool holes_traded(struct mheap *h) {
    struct holes *o = &h->holes;
    uint64_t inuse = __atomic_load_n(&h->stats->inuse_pages, __ATOMIC_RELAXED)
                     << PAGE_SHIFT;
    if (o->trade_at != 0 || o->trade_bytes > inuse / VAIN_SHARE)
        return true;
    slack(h); // what is free by now no longer counts as newly free
    return false;
}

void holes_forked(struct mheap *h) {
    struct holes *o = &h->holes;
    for (unsigned i = 0; i < o->nheld; i++) {
        struct mcentral *mc = mspan_home(o->held[i].span);
        if (mc == NULL)
            continue;
        mutex_lock(&mc->lock);
        mcentral_unhold_locked(mc, o->held[i].span, 0, /* refused= */ false);
        mutex_unlock(&mc->lock);
    }
    o->nheld = 0;
}
