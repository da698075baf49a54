// malloc_slow.c: see malloc_slow.h, malloc.c for the tour, and slowpath.h for the
// shape of each function here.
#include "malloc_slow.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "alloc_inside.h"
#include "block.h"
#include "free_inside.h"
#include "hardened.h"
#include "heap/large.h"
#include "heap/largecache.h"
#include "heap/mcentral_giveback.h"
#include "runtime/emergency.h"
#include "runtime/mode.h"
#include "runtime/options.h"
#include "runtime/sampling.h"
#include "slowpath.h"
#include "watch/later.h"

static void *fail(int error) {
    errno = error;
    return NULL;
}

static void *alloc(size_t size, size_t align, bool *ret_zero) {
    void *p;
    *ret_zero = false;
    if (UNLIKELY(!slowpath_enter())) {
        p = emergency_alloc(size, align);
    } else {
        p = UNLIKELY(options->hardened > 0)
                ? hardened_alloc(size, align, ret_zero)
                : alloc_inside(size, align, ret_zero);
        slowpath_leave();
    }
    return p != NULL ? p : fail(ENOMEM);
}

// large_hit returns a large object that this thread freed before, or NULL. large_hit
// and large_keep are slow paths without a lock. They end with slowpath_leave like all
// slow paths: a program may make no other call that runs the scavenger.
static void *large_hit(size_t size) {
    size_t npages = large_pages(size);
    if (thread_cache() == MCACHE_NONE || npages > KEPT_PAGES_MAX ||
        sampling_on() || !thread_enter())
        return NULL;
    runtime_enter();
    struct mspan *s = largecache_use(thread_tls.own, npages);
    slowpath_leave();
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
    bool kept = largecache_keep(thread_tls.own, &mound_heap, s);
    if (kept)
        thread_tls.nticks += SLOWPATH_TICKS_LARGE;
    slowpath_leave();
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
    struct block b = block_find_locked(p);
    // The heap reports a slot that was freed twice, and its bit is set by now: by the
    // first of the two frees, or by this one.
    if (b.misuse == MISUSE_NONE)
        b.misuse = MISUSE_DOUBLE_FREE;
    report_misuse(h, "free", b.misuse, p, 0);
}

void slow_free_inside(void *p) {
    if (UNLIKELY(p == &later_mark)) {
        later_run();
        return;
    }
    if (UNLIKELY(options->hardened > 0)) {
        hardened_free(p, "free");
        return;
    }
    unsigned sizeclass = block_class(p);
    if (sizeclass != 0)
        mcentral_free_one(mheap_class(&mound_heap, sizeclass), p);
    else
        free_inside(p, "free");
}

void free_slow(void *p) {
    if (p == NULL)
        return;
    if (UNLIKELY(runtime_mixed()) && !block_owns(p)) {
        runtime_next.free(p);
        return;
    }
    if (large_keep(p))
        return;
    if (UNLIKELY(!slowpath_enter())) {
        if (!emergency_owns(p) || !emergency_free(p))
            thread_defer_free(p);
        return;
    }
    if (UNLIKELY(options->hardened > 0))
        hardened_free(p, "free");
    else
        free_inside(p, "free");
    slowpath_leave();
}

size_t usable_size_slow(void *p) {
    if (p == NULL)
        return 0;
    if (UNLIKELY(runtime_mixed()) && !block_owns(p))
        return runtime_next.malloc_usable_size(p);
    bool inside = slowpath_enter();
    struct block b =
        inside ? block_find_size(p) : block_with_size(p, block_find(p));
    if (inside)
        slowpath_leave();
    if (UNLIKELY(b.misuse != MISUSE_NONE)) {
        block_report("malloc_usable_size", &b, p, 0);
        return 0;
    }
    return b.usable;
}

// size_fits says whether an object of size bytes may be in this block: malloc
// puts it there, or realloc leaves it there (see realloc_slow.c).
static bool size_fits(const struct block *b, size_t align, size_t size) {
    if (size > b->usable)
        return false;
    // A guarded object: a request of 0 bytes may have 1 usable byte.
    if (b->span == NULL)
        return size == b->usable || max_size(size, 1) == b->usable;
    if (options->hardened > 1)
        return size == b->usable; // read from the canary's header
    if (size > b->usable / 2 && b->usable <= MAX_SMALL_SIZE)
        return true;
    if (b->span->sizeclass == 0)
        return large_pages(max_size(size, 1)) == b->span->npages;
    return sizeclass_for_aligned(size, max_size(align, 1)) ==
           b->span->sizeclass;
}

// report_size reports a size that does not fit the block.
static void report_size(const char *call, const struct block *b, const void *p,
                        size_t size, bool goes_on) {
    static _Atomic bool told;
    // relaxed: it orders nothing
    if (goes_on && atomic_exchange_explicit(&told, true, memory_order_relaxed))
        return;
    report_block(&mound_heap, &(struct report){.call = call,
                                               .misuse = MISUSE_SIZE,
                                               .p = p,
                                               .block = b->base,
                                               .given = size,
                                               .size = b->usable,
                                               .goes_on = goes_on});
}

static void free_with_size(void *p, size_t align, size_t size, const char *call,
                           bool tolerant) {
    if (p == NULL)
        return;
    if (UNLIKELY(runtime_mixed()) && !block_owns(p)) {
        runtime_next.free(p);
        return;
    }
    // If the class matches, the size is right: free checks the rest.
    bool known = options->hardened == 0 && align == 0 &&
                 size <= MAX_SMALL_SIZE &&
                 block_class(p) == sizeclass_for(size);
    if (!known && !emergency_owns(p) && slowpath_enter()) {
        struct block b = block_find_size(p);
        slowpath_leave();
        if (b.misuse != MISUSE_NONE) {
            block_report(call, &b, p, size);
            block_forget(&b, p);
            return;
        }
        if (!size_fits(&b, align, size) ||
            (is_pow2(align) && (uintptr_t)p % align != 0))
            report_size(call, &b, p, size, tolerant && size <= b.usable);
    }
    free_slow(p);
}

void free_sized_slow(void *p, size_t align, size_t size, const char *call) {
    free_with_size(p, align, size, call, /* tolerant= */ false);
}

void delete_sized_slow(void *p, size_t align, size_t size) {
    free_with_size(p, align, size, "operator delete", options->hardened == 0);
}
