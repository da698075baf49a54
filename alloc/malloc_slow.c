// malloc_slow.c: see malloc_slow.h, and malloc.c for the tour.
//
// Every function here has the same shape: enter the slow path (or find that
// this is a signal handler which interrupted one, and serve it without locks),
// do the work, leave, and only then set errno.
#include "malloc_slow.h"

#include "mound.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "runtime/emergency.h"
#include "watch/guards.h"
#include "heap/large.h"
#include "heap/scavenger.h"
#include "os/mem.h"
#include "prof/canary.h"
#include "prof/quarantine.h"
#include "prof/report.h"
#include "watch/profile.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "runtime/zerosize.h"
#include "usable.h"

enum {
    // The scavenger's clock is read at every so many slow paths.
    TICK_EVERY = 64,
    TICK_LARGE = 8, // a free of a large object counts for more
    RECLAIM_PAGES = (1 << 20) / PAGE_SIZE,
};

// enter begins a slow path; false: serve this call without locks.
static bool enter(void) {
    profile_begin_pending();
    if (!thread_enter())
        return false;
    runtime_enter();
    return true;
}

// drain_orphan gives one cache back that a fork left here, once this child has
// needed some memory of its own.
static COLD void drain_orphan(void) {
    if (atomic_load_explicit(&mound_heap.quiet_pages, memory_order_relaxed) <=
        0)
        thread_drain_orphan();
}

static void leave(void) {
    struct thread_tls *t = &thread_tls;
    if (++t->nticks >= TICK_EVERY) {
        t->nticks = 0;
        scavenger_tick(&mound_heap);
        if (t->own != NULL && !profile_on())
            mcache_arm(t->own, &mound_heap);
    }
    if (UNLIKELY(thread_has_orphans()))
        drain_orphan();
    thread_leave();
}

// Freed objects of MOUND_HARDENED=2, filled; and large ones of both levels, which may
// not be touched.
static struct quarantine quarantine, large_quarantine;
enum {
    LARGE_WAITING = 64,              // objects
    LARGE_WAITING_BYTES = 256 << 20, // of address space; or
    LIMIT_SHARE = 16,                // 1/16 of RLIMIT_AS
};

static void *fail(int error) {
    errno = error;
    return NULL;
}

// struct block is what is known of a pointer that should be one of ours.
struct block {
    enum misuse misuse; // MISUSE_NONE: it is a live object's
    struct mspan
        *span;     // or NULL: of the emergency store, of no bytes, or guarded
    size_t usable; // bytes
    // With MOUND_HARDENED=2:
    void *base;      // the slot, or the first page, that it is in
    size_t nwritten; // see struct canary_object
};

// base_of returns where the slot or the large object that addr is in begins.
static uintptr_t base_of(const struct mspan *s, uintptr_t addr) {
    uintptr_t start = mspan_start(s);
    if (mspan_state(s) == MSPAN_LARGE)
        return start;
    uint64_t slot = (uint64_t)(addr - start) * s->magic >> 32;
    return start + slot * s->elemsize;
}

// look_up finds out about a pointer without trusting it. That a small slot is
// in a magazine, and so free, is not seen here.
static struct block look_up(const void *p) {
    uintptr_t addr = (uintptr_t)p;
    if (emergency_owns(p))
        return (struct block){.usable = emergency_usable_size(p)};
    if (UNLIKELY(zerosize_owns(p)))
        return (struct block){
            .misuse = zerosize_is_live(p) ? MISUSE_NONE : MISUSE_DOUBLE_FREE};
    if (UNLIKELY(guards_own(p))) {
        size_t usable = guard_usable_size(&guards_pool, p);
        return (struct block){.misuse =
                                  usable > 0 ? MISUSE_NONE : MISUSE_FREED_SPAN,
                              .usable = usable};
    }
    struct mspan *s = pagemap_span(&mound_heap.pagemap, addr);
    if (s == NULL)
        return (struct block){.misuse = MISUSE_FOREIGN};
    enum mspan_state state = mspan_state(s);
    size_t offset = addr - mspan_start(s);
    size_t npages = s->npages;
    if (state == MSPAN_DEAD || state == MSPAN_KEPT ||
        offset >= npages << PAGE_SHIFT)
        return (struct block){.misuse = MISUSE_FREED_SPAN};
    // Objects with marks begin behind the beginning of their slot.
    uintptr_t base = options->hardened > 1 ? base_of(s, addr) : addr;
    struct block b = {MISUSE_NONE, s, .base = (void *)base};
    if (state == MSPAN_LARGE) {
        if (base != mspan_start(s))
            b.misuse = MISUSE_INTERIOR;
        b.usable = npages << PAGE_SHIFT;
        return b;
    }
    unsigned slot = mspan_slot_of(s, base);
    if (slot == SLOT_NONE)
        b.misuse = MISUSE_INTERIOR;
    else if (mspan_is_free(s, slot))
        b.misuse = MISUSE_DOUBLE_FREE;
    b.usable = s->elemsize;
    return b;
}

// look_up_locked is look_up with the bit of a small slot read under its lock.
static struct block look_up_locked(const void *p) {
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    struct mcentral *home = s != NULL ? mspan_home(s) : NULL;
    if (home == NULL)
        return look_up(p);
    mutex_lock(&home->lock);
    struct block b = look_up(p);
    mutex_unlock(&home->lock);
    return b;
}

// with_marks adds to what look_up says what the marks do, in the second level of
// hardened mode: usable is then the size that was asked for.
static size_t front_of(const struct block *b, const void *p) {
    return (size_t)((const char *)p - (const char *)b->base);
}

// report_found reports what look_up found.
static COLD void report_found(const char *call, const struct block *b,
                              const void *p, size_t given) {
    report_block(&mound_heap, &(struct report){call, b->misuse, p, b->base,
                                               given, b->usable, b->nwritten});
    // Said once.
    if (b->misuse == MISUSE_OVERFLOW || b->misuse == MISUSE_UNDERFLOW)
        canary_set(b->base, look_up(p).usable, front_of(b, p), b->usable);
}

// forget keeps the memory of an object that was overwritten from being used again.
static COLD void forget(const struct block *b, const void *p) {
    if (b->misuse == MISUSE_OVERFLOW || b->misuse == MISUSE_UNDERFLOW)
        canary_free(b->base, look_up(p).usable, front_of(b, p), b->usable);
}

static COLD struct block with_marks(const void *p, struct block b) {
    struct canary_object o = {.size = 0};
    size_t room = b.usable;
    switch (canary_look(b.base, room, p, &o)) {
    case CANARY_LIVE:
        break;
    case CANARY_FREED:
        b.misuse = MISUSE_DOUBLE_FREE;
        break;
    case CANARY_OVER:
        b.misuse = MISUSE_OVERFLOW;
        break;
    case CANARY_UNDER:
        b.misuse = MISUSE_UNDERFLOW;
        break;
    case CANARY_BROKEN:
        b.misuse = MISUSE_BROKEN;
        break;
    case CANARY_NONE:
        b.misuse = canary_find(b.base, room, &o) == CANARY_NONE
                       ? MISUSE_DOUBLE_FREE // or nothing was there ever
                       : MISUSE_INTERIOR;
        break;
    }
    b.usable = o.size;
    b.nwritten = o.nbytes;
    return b;
}

static struct block with_size(const void *p, struct block b) {
    if (LIKELY(options->hardened < 2) || b.misuse != MISUSE_NONE ||
        b.span == NULL) // of the emergency store, or guarded
        return b;
    return with_marks(p, b);
}

static struct block look_up_size(const void *p) {
    return with_size(p, look_up_locked(p));
}

// freed_lately says whether a small slot is among those that this thread freed last.
static bool freed_lately(const struct block *b, const void *p) {
    struct mcache *c = thread_tls.own;
    return c != NULL && b->span != NULL && b->span->sizeclass != 0 &&
           mcache_holds(c, b->span->sizeclass, p);
}

// marks_bytes is what alloc_marked adds to an object; asked_size takes it off: guards
// need no marks.
static size_t marks_bytes(size_t align) {
    return canary_front(align) + CANARY_END_BYTES;
}

static COLD size_t asked_size(size_t size, size_t align) {
    return options->hardened > 1 ? size - marks_bytes(align) : size;
}

// small_due does what a due malloc is for. NULL: allocate as always.
static void *small_due(struct mcache *c, unsigned sizeclass, size_t size,
                       size_t align) {
    if (profile_on()) {
        mcache_check_next(c, sizeclass);
        return profile_small_due(c, sizeclass, asked_size(size, align), align);
    }
    if (mcache_come_by(c, &mound_heap, sizeclass))
        thread_tls.nticks = TICK_EVERY;
    return NULL;
}

static void *small_alloc(unsigned sizeclass, size_t size, size_t align) {
    struct mcache *c = thread_mcache();
    void *p = NULL;
    if (c == NULL) {
        if (UNLIKELY(profile_wants(sizeclass_bytes[sizeclass])))
            p = profile_small(sizeclass, asked_size(size, align), align);
        return p != NULL
                   ? p
                   : mcentral_alloc_one(mheap_class(&mound_heap, sizeclass));
    }
    // A cache that was made just now, or a start that was not seen yet.
    if (UNLIKELY(atomic_load_explicit(&profile_epoch, memory_order_relaxed) !=
                 thread_tls.epoch))
        profile_prepare_thread();
    if (UNLIKELY(mcache_sample_due(c, sizeclass)))
        p = small_due(c, sizeclass, size, align);
    // Aligned requests and realloc come here without having tried a hit.
    if (p == NULL)
        p = mcache_alloc(c, sizeclass);
    return p != NULL ? p : mcache_refill(c, &mound_heap, sizeclass);
}

// let_in makes a large object that waited free pages. Without the memory that takes
// (at a limit) it stays what it is for good.
static void let_in(const struct quarantined *o) {
    uintptr_t start = (uintptr_t)o->p;
    struct mspan *s = pagemap_span(&mound_heap.pagemap, start);
    if (mem_commit(start, o->room))
        mheap_free_kept(&mound_heap, s, /* scavenged= */ true);
}

// release_large says whether there was anything to release.
static bool release_large(bool all) {
    struct quarantined o;
    bool any = false;
    while (options->hardened > 0 &&
           quarantine_take(&large_quarantine, all, &o)) {
        let_in(&o);
        any = true;
    }
    return any;
}

// reclaim empties this thread's cache and the shared stores.
static void reclaim(void) {
    struct mcache *c = thread_tls.own;
    if (c != NULL)
        mcache_flush(c, &mound_heap);
    runtime_reclaim();
}

static struct mspan *large_alloc(size_t size, size_t align) {
    size_t npages = large_pages(size);
    if (npages == 0 || size > PTRDIFF_MAX)
        return NULL;
    size_t align_pages = max_size(align >> PAGE_SHIFT, 1);
    if (npages >= RECLAIM_PAGES && mheap_may_find(&mound_heap, npages)) {
        // Before address space is taken for this, slots that only wait in
        // caches go back: their spans may stand between free runs.
        struct mspan *s = mheap_alloc_large(&mound_heap, npages, align_pages,
                                            /* may_reserve= */ false);
        if (s != NULL)
            return s;
        reclaim();
    }
    return mheap_alloc_large(&mound_heap, npages, align_pages,
                             /* may_reserve= */ true);
}

// reclaim_more does what can still be done for a request that found no memory, and
// says whether that is worth another attempt: a large request has reclaimed
// already, or nothing that is held could serve it.
static COLD bool reclaim_more(size_t size) {
    bool more = release_large(/* all= */ true); // in hardened mode
    more |= large_pages(size) < RECLAIM_PAGES;
    if (!more && !mheap_may_find(&mound_heap, large_pages(size)))
        return false;
    while (thread_drain_orphan())
        more = true;
    if (more)
        reclaim();
    return more;
}

// alloc_once returns a block and whether it is known to be zero.
static void *alloc_once(size_t size, size_t align, bool *ret_zero) {
    *ret_zero = false;
    unsigned sizeclass = sizeclass_for_aligned(size, align);
    if (sizeclass != 0)
        return small_alloc(sizeclass, size, align);
    struct mspan *s = large_alloc(max_size(size, 1), align);
    if (s == NULL)
        return NULL;
    struct mcache *c = thread_mcache();
    if (c != NULL)
        mcache_trim(c, &mound_heap);
    *ret_zero = !s->needzero;
    if (UNLIKELY(profile_on()))
        profile_large(s);
    return (void *)mspan_start(s);
}

static void *alloc_inside(size_t size, size_t align, bool *ret_zero) {
    void *p = alloc_once(size, align, ret_zero);
    if (LIKELY(p != NULL) || size > PTRDIFF_MAX)
        return p;
    // At a limit: what caches and the shared stores hold may be what is missing.
    return reclaim_more(size) ? alloc_once(size, align, ret_zero) : NULL;
}

// alloc_marked is alloc_inside with marks round the object, or a guard.
static void *alloc_marked(size_t size, size_t align, bool *ret_zero) {
    if (size > CANARY_SIZE_MAX)
        return NULL;
    void *base = alloc_inside(size + marks_bytes(align), align, ret_zero);
    if (base == NULL || guards_own(base))
        return base;
    const struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)base);
    size_t room =
        mspan_state(s) == MSPAN_LARGE ? s->npages << PAGE_SHIFT : s->elemsize;
    return canary_set(base, room, canary_front(align), size);
}

// alloc_hardened allocates in either level of hardened mode.
static COLD void *alloc_hardened(size_t size, size_t align, bool *ret_zero) {
    void *p = NULL;
    if (size == 0 && align == MIN_ALIGN)
        p = zerosize_alloc();
    if (p != NULL)
        return p;
    return options->hardened > 1 ? alloc_marked(size, align, ret_zero)
                                 : alloc_inside(size, align, ret_zero);
}

static void *alloc(size_t size, size_t align, bool *ret_zero) {
    void *p;
    *ret_zero = false;
    if (UNLIKELY(!enter())) {
        p = emergency_alloc(size, align);
    } else {
        p = UNLIKELY(options->hardened > 0)
                ? alloc_hardened(size, align, ret_zero)
                : alloc_inside(size, align, ret_zero);
        leave();
    }
    return p != NULL ? p : fail(ENOMEM);
}

// large_hit returns a large object that this thread freed before, or NULL. It and
// large_keep are slow paths that need no lock; but they come to the scavenger, for a
// program may make no others.
static void *large_hit(size_t size) {
    size_t npages = large_pages(size);
    if (thread_cache() == MCACHE_NONE || npages > KEPT_PAGES_MAX ||
        profile_on() || !thread_enter())
        return NULL;
    runtime_enter();
    struct mspan *s = mcache_use_large(thread_tls.own, npages);
    leave();
    return s != NULL ? (void *)mspan_start(s) : NULL;
}

// large_keep frees a large object into this thread's cache, or returns false.
static bool large_keep(void *p) {
    if (thread_cache() == MCACHE_NONE)
        return false;
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    if (s == NULL || mspan_state(s) != MSPAN_LARGE ||
        mspan_start(s) != (uintptr_t)p || s->npages > KEPT_PAGES_MAX ||
        atomic_load_explicit(&s->sample, memory_order_relaxed) != NULL ||
        !thread_enter())
        return false;
    runtime_enter();
    bool kept = mcache_keep_large(thread_tls.own, &mound_heap, s);
    if (kept)
        thread_tls.nticks += TICK_LARGE;
    leave();
    return kept;
}

void *malloc_slow(size_t size) {
    bool zero;
    if (runtime_passes_on(NAME_MALLOC))
        return runtime_next.malloc(size);
    if (size > MAX_SMALL_SIZE) {
        void *p = large_hit(size);
        if (p != NULL)
            return p;
    }
    return alloc(size, MIN_ALIGN, &zero);
}

void *memalign_slow(size_t align, size_t size) {
    bool zero;
    if (UNLIKELY(runtime_passive()))
        return runtime_next.memalign(align, size);
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX)
        return fail(ENOMEM);
    return alloc(size, max_size(align, MIN_ALIGN), &zero);
}

void *calloc_slow(size_t nmemb, size_t size) {
    size_t nbytes;
    bool zero;
    if (runtime_passes_on(NAME_CALLOC))
        return runtime_next.calloc(nmemb, size);
    if (__builtin_mul_overflow(nmemb, size, &nbytes))
        return fail(ENOMEM);
    if (nbytes > MAX_SMALL_SIZE) {
        void *p = large_hit(nbytes);
        if (p != NULL)
            return memset(p, 0, nbytes);
    }
    void *p = alloc(nbytes, MIN_ALIGN, &zero);
    if (p != NULL && !zero)
        memset(p, 0, nbytes);
    return p;
}

void slow_misuse(struct mheap *h, void *p) {
    struct block b = look_up_locked(p);
    // The heap found it wrong when the slot came back a second time, so the
    // bit that is set now was set by the first.
    if (b.misuse == MISUSE_NONE)
        b.misuse = MISUSE_DOUBLE_FREE;
    report_misuse(h, "free", b.misuse, p, 0);
}

// class_of is the class byte for any pointer; 0 also where no slot can be.
static unsigned class_of(const void *p) {
    size_t arena = pagemap_slot_arena((uintptr_t)p);
    return arena < PAGEMAP_ENTRIES
               ? pagemap_class_in(&mound_heap.pagemap, arena, (uintptr_t)p)
               : 0;
}

static enum misuse free_large(struct mspan *s, void *p) {
    void *sample;
    size_t npages = s->npages;
    bool freed = UNLIKELY(large_is_crowding(&mound_heap, s))
                     ? large_renew(&mound_heap, s, (uintptr_t)p, &sample)
                     : mheap_free_large(&mound_heap, s, (uintptr_t)p,
                                        /* scavenged= */ false, &sample);
    if (!freed)
        return MISUSE_FREED_SPAN;
    // After the last of a few huge ones there may be no other slow path.
    const struct mcache *c = thread_tls.own;
    thread_tls.nticks += c != NULL && !c->armed && npages >= RECLAIM_PAGES
                             ? TICK_EVERY
                             : TICK_LARGE;
    if (sample != NULL)
        profile_freed(p, sample);
    return MISUSE_NONE;
}

// free_sampled frees a slot of a span for sampled objects.
static enum misuse free_sampled(struct mcentral *home, void *p) {
    void *sample = home != NULL ? mcentral_sample_take(home, p) : NULL;
    if (sample == NULL)
        return MISUSE_DOUBLE_FREE;
    profile_freed(p, sample);
    mcentral_free_one(home, p);
    return MISUSE_NONE;
}

// free_inside gives one block back. The class byte said that no magazine takes
// it, or the magazine is full.
static void free_inside(void *p, const char *call) {
    struct mheap *h = &mound_heap;
    unsigned sizeclass = class_of(p);
    if (LIKELY(sizeclass != 0)) {
        struct mcache *c = thread_mcache();
        if (LIKELY(c != NULL)) {
            if (!mcache_free(c, sizeclass, p)) // sized frees have not tried
                mcache_overflow(c, h, sizeclass, p, !profile_on());
            return;
        }
        mcentral_free_one(mheap_class(h, sizeclass), p);
        return;
    }
    // The page map knows nothing of the two stores that are asked next.
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    if (LIKELY(s != NULL) && mspan_state(s) == MSPAN_LARGE &&
        mspan_start(s) == (uintptr_t)p && free_large(s, p) == MISUSE_NONE)
        return;
    if (emergency_owns(p)) {
        if (!emergency_free(p))
            report_misuse(h, call, MISUSE_DOUBLE_FREE, p, 0);
        return;
    }
    if (UNLIKELY(zerosize_owns(p))) {
        if (!zerosize_free(p))
            report_misuse(h, call, MISUSE_DOUBLE_FREE, p, 0);
        return;
    }
    if (UNLIKELY(guards_own(p))) {
        void *sample = guards_free(p, call);
        if (sample != NULL)
            profile_freed(p, sample);
        return;
    }
    struct block b = look_up(p);
    if (b.misuse == MISUSE_NONE)
        b.misuse = mspan_state(b.span) == MSPAN_LARGE
                       ? free_large(b.span, p)
                       : free_sampled(mspan_home(b.span), p);
    if (b.misuse != MISUSE_NONE)
        report_misuse(h, call, b.misuse, p, 0);
}

// canary_front_at returns where the object in a block of the quarantine begins.
static size_t canary_front_at(const struct quarantined *o) {
    size_t offset = (size_t)((char *)o->keep - (char *)o->p);
    return offset == o->room - CANARY_END_BYTES ? 0
                                                : offset + CANARY_HEAD_BYTES;
}

// release frees what leaves the quarantine, or does not go there. What is handed out
// again is zero.
static void release(const struct quarantined *o) {
    size_t offset;
    if (quarantine_intact(o, &offset)) {
        memset(o->p, 0, o->room);
        free_inside(o->p, "free");
        return;
    }
    // Its memory is not handed out again: somebody still uses it.
    size_t front = canary_front_at(o);
    struct canary_object found = {.size = 0};
    canary_look(o->p, o->room, (char *)o->p + front, &found);
    report_block(&mound_heap, &(struct report){.call = "free",
                                               .misuse = MISUSE_WRITTEN,
                                               .p = (char *)o->p + front,
                                               .block = o->p,
                                               .given = offset - front,
                                               .size = found.size});
}

// keep_out lets a large object wait where it cannot be touched, or returns false. It
// takes no memory meanwhile.
static bool keep_out(struct mspan *s, void *p) {
    uintptr_t start = mspan_start(s);
    size_t nbytes = s->npages << PAGE_SHIFT;
    void *sample;
    if (PAGE_SIZE % sys_page_size() != 0 ||
        nbytes > large_quarantine.most_bytes ||
        !mheap_keep_large(&mound_heap, s, (uintptr_t)p, &sample))
        return false;
    if (sample != NULL)
        profile_freed(p, sample);
    if (!mem_protect(start, nbytes)) {
        bool scavenged = mem_release(start, nbytes);
        if (!scavenged && options->hardened > 1)
            memset((void *)start, 0, nbytes);
        mheap_free_kept(&mound_heap, s, scavenged);
        return true;
    }
    const struct quarantined o = {p, nbytes, NULL};
    if (!quarantine_put(&large_quarantine, &o))
        let_in(&o);
    release_large(/* all= */ false);
    return true;
}

void slow_init(void) {
    if (options->hardened == 0)
        return;
    quarantine_init(&quarantine, QUARANTINE_SLOTS, QUARANTINE_BYTES);
    size_t most =
        min_size(LARGE_WAITING_BYTES,
                 align_down(sys_address_limit() / LIMIT_SHARE, PAGE_SIZE));
    quarantine_init(&large_quarantine, LARGE_WAITING, most);
}

void slow_release_quarantine(bool all) {
    struct quarantined o;
    while (quarantine_take(&quarantine, all, &o))
        release(&o);
}

void slow_lock_quarantine(void) {
    if (options->hardened == 0)
        return;
    mutex_lock(&quarantine.lock);
    mutex_lock(&large_quarantine.lock);
}

void slow_unlock_quarantine(void) {
    if (options->hardened == 0)
        return;
    mutex_unlock(&large_quarantine.lock);
    mutex_unlock(&quarantine.lock);
}

void slow_reset_quarantine(void) {
    quarantine_reset(&quarantine);
    quarantine_reset(&large_quarantine);
}

// free_marked frees an object that has marks.
static void free_marked(void *p, const char *call) {
    struct block b = look_up_size(p);
    if (b.span == NULL && (b.misuse == MISUSE_NONE || guards_own(p))) {
        // Of the emergency store; or guarded, which is better than to wait.
        free_inside(p, call);
        return;
    }
    if (b.misuse != MISUSE_NONE) {
        report_found(call, &b, p, 0);
        forget(&b, p);
        return;
    }
    bool large = mspan_state(b.span) == MSPAN_LARGE;
    if (large && keep_out(b.span, b.base))
        return;
    size_t front = front_of(&b, p);
    size_t room = look_up(p).usable;
    if (!canary_free(b.base, room, front, b.usable)) { // another thread did
        report_misuse(&mound_heap, call, MISUSE_DOUBLE_FREE, p, 0);
        return;
    }
    const struct quarantined o = {b.base, room,
                                  canary_state_at(b.base, room, front)};
    if (room <= QUARANTINE_OBJECT_MAX) {
        quarantine_fill(&o);
        if (!quarantine_put(&quarantine, &o))
            release(&o);
        slow_release_quarantine(/* all= */ false);
        return;
    }
    if (PAGE_SIZE % sys_page_size() != 0 ||
        !mem_release((uintptr_t)b.base, room))
        memset(b.base, 0, room);
    free_inside(b.base, call);
}

// free_hardened frees in either level of hardened mode.
static COLD void free_hardened(void *p, const char *call) {
    if (options->hardened > 1) {
        free_marked(p, call);
        return;
    }
    // The bit of a live object is nobody else's: no lock to read it.
    struct block b = look_up(p);
    if (b.misuse == MISUSE_NONE && b.span != NULL) {
        if (mspan_state(b.span) == MSPAN_SMALL)
            memset(p, 0, b.usable);
        else if (keep_out(b.span, p))
            return;
    }
    free_inside(p, call);
}

void slow_free_inside(void *p) {
    if (UNLIKELY(options->hardened > 0)) {
        free_hardened(p, "free");
        return;
    }
    unsigned sizeclass = class_of(p);
    if (sizeclass != 0)
        mcentral_free_one(mheap_class(&mound_heap, sizeclass), p);
    else
        free_inside(p, "free");
}

bool slow_owns(const void *p) {
    return emergency_owns(p) || guards_own(p) || zerosize_owns(p) ||
           pagemap_span(&mound_heap.pagemap, (uintptr_t)p) != NULL;
}

void free_slow(void *p) {
    if (p == NULL)
        return;
    if (UNLIKELY(runtime_mixed()) && !slow_owns(p)) {
        runtime_next.free(p);
        return;
    }
    if (large_keep(p))
        return;
    if (UNLIKELY(!enter())) {
        if (!emergency_owns(p) || !emergency_free(p))
            thread_defer_free(p);
        return;
    }
    if (UNLIKELY(options->hardened > 0))
        free_hardened(p, "free");
    else
        free_inside(p, "free");
    leave();
}

size_t usable_size_slow(void *p) {
    if (p == NULL)
        return 0;
    if (UNLIKELY(runtime_mixed()) && !slow_owns(p))
        return runtime_next.malloc_usable_size(p);
    bool inside = enter();
    struct block b = inside ? look_up_size(p) : with_size(p, look_up(p));
    if (inside)
        leave();
    if (UNLIKELY(b.misuse != MISUSE_NONE)) {
        report_found("malloc_usable_size", &b, p, 0);
        return 0;
    }
    return b.usable;
}

// size_fits says whether an object of size bytes may be in this block: malloc
// would have put it there, or realloc left it there (see realloc_slow).
static bool size_fits(const struct block *b, size_t align, size_t size) {
    if (size > b->usable)
        return false;
    if (b->span == NULL) // guarded, which knows; of no bytes may have one
        return size == b->usable || max_size(size, 1) == b->usable;
    if (options->hardened > 1)
        return size == b->usable; // the canary knows
    if (size > b->usable / 2 && b->usable <= MAX_SMALL_SIZE)
        return true;
    if (b->span->sizeclass == 0)
        return large_pages(max_size(size, 1)) == b->span->npages;
    return sizeclass_for_aligned(size, max_size(align, 1)) ==
           b->span->sizeclass;
}

void free_sized_slow(void *p, size_t align, size_t size, const char *call) {
    if (p == NULL)
        return;
    if (UNLIKELY(runtime_mixed()) && !slow_owns(p)) {
        runtime_next.free(p);
        return;
    }
    // Mostly the class tells, and what is wrong otherwise free finds out.
    bool told = options->hardened == 0 && align == 0 &&
                size <= MAX_SMALL_SIZE && class_of(p) == sizeclass_for(size);
    if (!told && !emergency_owns(p) && enter()) {
        struct block b = look_up_size(p);
        leave();
        if (b.misuse == MISUSE_NONE &&
            (!size_fits(&b, align, size) ||
             (is_pow2(align) && (uintptr_t)p % align != 0)))
            b.misuse = MISUSE_SIZE;
        if (b.misuse != MISUSE_NONE) {
            report_found(call, &b, p, size);
            forget(&b, p);
            return;
        }
    }
    free_slow(p);
}

// resize_in_place does what a large object can do where it is; and tells how
// the object may move otherwise.
enum resize { RESIZED, MOVE_PAGES, MOVE_BYTES };

static enum resize resize_in_place(struct mspan *s, size_t size) {
    size_t npages = large_pages(size);
    size_t old = s->npages;
    if (size <= MAX_SMALL_SIZE || npages == 0 || size > PTRDIFF_MAX)
        return MOVE_BYTES;
    if (npages == old)
        return RESIZED;
    if (mheap_resize_large(&mound_heap, s, npages)) {
        profile_resized(s, (void *)mspan_start(s));
        return RESIZED;
    }
    return npages > old && large_moves(old) ? MOVE_PAGES : MOVE_BYTES;
}

// move_pages moves a very large object by mremap; NULL: copy it.
static void *move_pages(struct mspan *s, size_t size) {
    const void *old = (void *)mspan_start(s);
    struct mspan *new = large_move(&mound_heap, s, large_pages(size));
    if (new == NULL)
        return NULL;
    profile_resized(new, old);
    return (void *)mspan_start(new);
}

// realloc_large returns p where it is or moved, or NULL: copy it.
static void *realloc_large(void *p, struct mspan *s, size_t size) {
    switch (resize_in_place(s, size)) {
    case RESIZED:
        return p;
    case MOVE_PAGES:
        return move_pages(s, size);
    default:
        return NULL;
    }
}

// fits_as_it_is says whether p is a live large object of as many pages as size
// bytes take. Its owner alone changes that, so no lock is needed.
static bool fits_as_it_is(const void *p, size_t size) {
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    return s != NULL && mspan_state(s) == MSPAN_LARGE &&
           mspan_start(s) == (uintptr_t)p && size > MAX_SMALL_SIZE &&
           large_pages(size) == s->npages;
}

// copy copies the contents of an object. What nobody has written to of a large one
// stays without memory, as when it is moved.
static void copy(void *new, const void *p, size_t nbytes) {
    const struct mspan *s =
        large_moves(nbytes >> PAGE_SHIFT) && nbytes % PAGE_SIZE == 0
            ? pagemap_span(&mound_heap.pagemap, (uintptr_t) new)
            : NULL;
    if (s != NULL && mspan_state(s) == MSPAN_LARGE &&
        mspan_start(s) == (uintptr_t) new && !mem_release_is_told() &&
        (!s->needzero || mem_release((uintptr_t) new, s->npages << PAGE_SHIFT)))
        mem_copy_sparse(new, p, nbytes);
    else
        memcpy(new, p, nbytes);
}

// realloc_whole is realloc_slow where more is to be done than to look.
static SLOW void *realloc_whole(void *p, size_t size) {
    struct block b;
    void *new = NULL;
    if (enter()) {
        b = look_up_size(p);
        if (b.misuse == MISUSE_NONE && UNLIKELY(freed_lately(&b, p)))
            b.misuse = MISUSE_DOUBLE_FREE;
        if (b.misuse == MISUSE_NONE && b.span != NULL && size != 0 &&
            options->hardened < 2 && mspan_state(b.span) == MSPAN_LARGE)
            new = realloc_large(p, b.span, size);
        leave();
    } else {
        b = with_size(p, look_up(p));
    }
    if (new != NULL)
        return new;
    if (UNLIKELY(b.misuse != MISUSE_NONE)) {
        report_found("realloc", &b, p, size);
        if (b.misuse != MISUSE_OVERFLOW && b.misuse != MISUSE_UNDERFLOW)
            return fail(EINVAL);
    }
    // What ran over its ends moves, too; as in free_marked its memory is not
    // handed out again.
    bool overwritten = b.misuse != MISUSE_NONE;
    if (size == 0) { // as glibc: the block is freed and NULL comes back
        if (!overwritten)
            free_slow(p);
        else
            forget(&b, p);
        return NULL;
    }
    // The slot it is in serves again if it wastes less than half, or if no
    // smaller one would do. Right behind a guarded object stands its guard.
    if (options->hardened < 2 && size <= b.usable &&
        b.usable <= MAX_SMALL_SIZE && (!guards_own(p) || size == b.usable) &&
        (size > b.usable / 2 ||
         sizeclass_bytes[sizeclass_for(size)] == b.usable))
        return p;
    new = malloc_slow(size);
    if (new == NULL) // shrinking cannot fail, but where the canary would move
        return size <= b.usable && options->hardened < 2 ? p : NULL;
    copy(new, p, min_size(size, b.usable));
    if (!overwritten)
        free_slow(p);
    else
        forget(&b, p);
    return new;
}

// realloc_mixed is realloc where there may be blocks of either heap. One that is
// not ours stays where it is; while we are passive, ours move to the next heap.
static COLD void *realloc_mixed(void *p, size_t size) {
    if (p != NULL && !slow_owns(p))
        return runtime_next.realloc(p, size);
    if (!runtime_passes_on(NAME_REALLOC))
        return p == NULL ? malloc_slow(size) : realloc_whole(p, size);
    if (p == NULL)
        return runtime_next.realloc(NULL, size);
    void *new = runtime_next.malloc(size);
    if (new != NULL) {
        memcpy(new, p, min_size(size, look_up(p).usable));
        free_slow(p);
    }
    return new;
}

// realloc_small is realloc_slow for a live small object: by the hits of malloc and
// free, and so without a lock.
static SLOW void *realloc_small(void *p, size_t size, size_t usable) {
    if (size <= usable &&
        (size > usable / 2 || sizeclass_bytes[sizeclass_for(size)] == usable))
        return p;
    void *new = mound_malloc(size);
    if (new == NULL) // shrinking cannot fail
        return size <= usable ? p : NULL;
    memcpy(new, p, min_size(size, usable));
    mound_free(p);
    return new;
}

// A buffer that grows by little stays where it is nearly always: that takes no
// more than the page map, and no register to be saved.
void *realloc_slow(void *p, size_t size) {
    if (UNLIKELY(runtime_mixed()))
        return realloc_mixed(p, size);
    if (p == NULL)
        return malloc_slow(size);
    if (options->hardened < 2 && fits_as_it_is(p, size))
        return p;
    size_t usable = usable_hit(p);
    if (usable - 1 < MAX_SMALL_SIZE && size != 0 &&
        !mcache_holds(thread_cache(), sizeclass_for(usable), p))
        return realloc_small(p, size, usable);
    return realloc_whole(p, size);
}
