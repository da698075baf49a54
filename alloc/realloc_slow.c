// realloc_slow.c: see realloc_slow.h. The first case that applies:
//
//   a large object whose number of pages does not change stays   realloc_slow
//   a live small object that no lock is needed for               realloc_small
//   a large object grows or shrinks in place, or its pages move  realloc_large
//   anything else stays or is copied                             realloc_whole
//
// With MOUND_HARDENED=2 every object moves and gets new marks: realloc_marked.
#include "realloc_slow.h"

#include <errno.h>
#include <string.h>

#include "block.h"
#include "heap/freecheck.h"
#include "heap/large.h"
#include "heap/largecache.h"
#include "largewait.h"
#include "malloc_slow.h"
#include "os/mem.h"
#include "runtime/mode.h"
#include "runtime/options.h"
#include "slowpath.h"
#include "usable.h"
#include "watch/guards.h"
#include "watch/sampled.h"

// resize_in_place resizes a large object where it is, or says how it may move.
enum resize { RESIZED, MOVE_PAGES, MOVE_BYTES };

static enum resize resize_in_place(struct mspan *s, size_t size) {
    size_t npages = large_pages(size);
    size_t old = s->npages;
    if (size <= MAX_SMALL_SIZE || npages == 0 || size > PTRDIFF_MAX)
        return MOVE_BYTES;
    if (npages == old)
        return RESIZED;
    if (mheap_resize_large(&mound_heap, s, npages)) {
        sampled_resized(s, (void *)mspan_start(s));
        return RESIZED;
    }
    // Taking a span that this thread freed lately touches no fresh memory.
    const struct mcache *c = thread_tls.own;
    bool fresh = c == NULL || !largecache_has(c, npages);
    return npages > old && large_moves(old, fresh) ? MOVE_PAGES : MOVE_BYTES;
}

// move_span moves a large object to other pages. Hardened mode makes the old pages
// inaccessible for a while.
static struct mspan *move_span(struct mspan *s, size_t npages) {
    bool kept;
    if (LIKELY(!largewait_takes(s->npages)))
        return large_move(&mound_heap, s, npages);
    struct mspan *new = large_move_kept(&mound_heap, s, npages, &kept);
    if (new != NULL && kept)
        largewait_put_kept(s);
    return new;
}

// move_pages moves a large object to other pages; NULL: copy it.
static void *move_pages(struct mspan *s, size_t size) {
    const void *old = (void *)mspan_start(s);
    struct mspan *new = move_span(s, large_pages(size));
    if (new == NULL)
        return NULL;
    sampled_resized(new, old);
    return (void *)mspan_start(new);
}

// realloc_large returns p, or the new address of its pages. NULL: copy it, or p is no
// live large object.
static void *realloc_large(void *p, const struct block *b, size_t size) {
    if (b->misuse != MISUSE_NONE || b->span == NULL || size == 0 ||
        mspan_state(b->span) != MSPAN_LARGE)
        return NULL;
    switch (resize_in_place(b->span, size)) {
    case RESIZED:
        return p;
    case MOVE_PAGES:
        return move_pages(b->span, size);
    default:
        return NULL;
    }
}

// fits_as_it_is says whether p is a live large object of as many pages as size
// bytes take. Only its owner changes that, so no lock is needed.
static bool fits_as_it_is(const void *p, size_t size) {
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    return s != NULL && mspan_state(s) == MSPAN_LARGE &&
           mspan_start(s) == (uintptr_t)p && size > MAX_SMALL_SIZE &&
           large_pages(size) == s->npages;
}

// copy copies the contents of an object. Pages of a large object that were never
// written to stay without memory, as when its pages are moved.
static void copy(void *new, const void *p, size_t nbytes) {
    const struct mspan *s =
        large_moves(nbytes >> PAGE_SHIFT, /* fresh= */ false) &&
                nbytes % PAGE_SIZE == 0
            ? pagemap_span(&mound_heap.pagemap, (uintptr_t) new)
            : NULL;
    if (s != NULL && mspan_state(s) == MSPAN_LARGE &&
        mspan_start(s) == (uintptr_t) new && !mem_release_is_told() &&
        (!s->needzero || mem_release((uintptr_t) new, s->npages << PAGE_SHIFT)))
        mem_copy_sparse(new, p, nbytes);
    else
        memcpy(new, p, nbytes);
}

// freed_lately says whether a small slot is among the last 16 that this thread freed.
static bool freed_lately(const struct block *b, const void *p) {
    struct mcache *c = thread_tls.own;
    return c != NULL && b->span != NULL && b->span->sizeclass != 0 &&
           freecheck_holds(c, b->span->sizeclass, p);
}

// slot_serves says whether a slot of usable bytes serves an object of size bytes: it
// wastes less than half, or no smaller one would do.
static bool slot_serves(size_t usable, size_t size) {
    return size <= usable && (size > usable / 2 ||
                              sizeclass_bytes[sizeclass_for(size)] == usable);
}

// stays says whether the object may stay in its block. A guarded object is followed by
// its guard page, so it stays only if its size does not change.
static bool stays(const struct block *b, const void *p, size_t size) {
    return b->usable <= MAX_SMALL_SIZE && slot_serves(b->usable, size) &&
           (!guards_own(p) || size == b->usable);
}

static SLOW void *realloc_whole(void *p, size_t size) {
    struct block b;
    void *new = NULL;
    if (slowpath_enter()) {
        b = block_find_locked(p);
        if (b.misuse == MISUSE_NONE && UNLIKELY(freed_lately(&b, p)))
            b.misuse = MISUSE_DOUBLE_FREE;
        new = realloc_large(p, &b, size);
        slowpath_leave();
    } else {
        b = block_find(p);
    }
    if (new != NULL)
        return new;
    if (UNLIKELY(b.misuse != MISUSE_NONE)) {
        block_report("realloc", &b, p, size);
        errno = EINVAL;
        return NULL;
    }
    if (size == 0) { // as glibc: the block is freed and NULL returned
        free_slow(p);
        return NULL;
    }
    if (stays(&b, p, size))
        return p;
    new = malloc_slow(size);
    if (new == NULL) // shrinking must not fail
        return size <= b.usable ? p : NULL;
    copy(new, p, min_size(size, b.usable));
    free_slow(p);
    return new;
}

// realloc_marked is realloc_whole with MOUND_HARDENED=2.
static COLD void *realloc_marked(void *p, size_t size) {
    bool inside = slowpath_enter();
    struct block b =
        inside ? block_find_size(p) : block_with_size(p, block_find(p));
    if (inside)
        slowpath_leave();
    if (b.misuse != MISUSE_NONE)
        block_report("realloc", &b, p, size);
    // An object with overwritten marks moves too; its memory is not used again.
    bool overwritten = block_is_overwritten(&b);
    if (b.misuse != MISUSE_NONE && !overwritten) {
        errno = EINVAL;
        return NULL;
    }
    void *new = size != 0 ? malloc_slow(size) : NULL;
    if (new != NULL)
        copy(new, p, min_size(size, b.usable));
    else if (size != 0)
        return NULL;
    if (overwritten)
        block_forget(&b, p);
    else
        free_slow(p);
    return new;
}

static void *realloc_any(void *p, size_t size) {
    return UNLIKELY(options->hardened > 1) ? realloc_marked(p, size)
                                           : realloc_whole(p, size);
}

// realloc_mixed is realloc where blocks of two heaps exist. A block of the other
// heap stays in that; in passive mode, our blocks move to the next heap.
static COLD void *realloc_mixed(void *p, size_t size) {
    if (p != NULL && !block_owns(p))
        return runtime_next.realloc(p, size);
    if (!runtime_passes_on(NAME_REALLOC))
        return p == NULL ? malloc_slow(size) : realloc_any(p, size);
    if (p == NULL)
        return runtime_next.realloc(NULL, size);
    void *new = runtime_next.malloc(size);
    if (new != NULL) {
        memcpy(new, p, min_size(size, block_find(p).usable));
        free_slow(p);
    }
    return new;
}

// realloc_small is realloc_slow for a live small object: by hits of malloc and free
// where possible, so without a lock.
static SLOW void *realloc_small(void *p, size_t size, size_t usable) {
    if (slot_serves(usable, size))
        return p;
    void *new = size <= MAX_SMALL_SIZE
                    ? mcache_alloc(thread_cache(), sizeclass_for(size))
                    : NULL;
    if (new == NULL)
        new = malloc_slow(size);
    if (new == NULL) // shrinking must not fail
        return size <= usable ? p : NULL;
    memcpy(new, p, min_size(size, usable));
    if (!mcache_free(thread_cache(), block_class(p), p))
        free_slow(p);
    return new;
}

// A buffer that grows in small steps stays in place nearly every time: that takes no
// more than a look at the page map, and saves no registers.
void *realloc_slow(void *p, size_t size) {
    if (UNLIKELY(runtime_mixed()))
        return realloc_mixed(p, size);
    if (p == NULL)
        return malloc_slow(size);
    if (UNLIKELY(options->hardened > 1))
        return realloc_marked(p, size);
    if (fits_as_it_is(p, size))
        return p;
    size_t usable = usable_hit(p);
    if (usable - 1 < MAX_SMALL_SIZE && size != 0 &&
        !freecheck_holds(thread_cache(), sizeclass_for(usable), p))
        return realloc_small(p, size, usable);
    return realloc_whole(p, size);
}
