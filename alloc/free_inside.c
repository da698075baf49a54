// free_inside.c: see free_inside.h.
#include "free_inside.h"

#include "block.h"
#include "heap/large.h"
#include "heap/mcache_slow.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_sample.h"
#include "runtime/emergency.h"
#include "runtime/sampling.h"
#include "runtime/zerosize.h"
#include "slowpath.h"
#include "watch/guards.h"
#include "watch/sampled.h"

static enum misuse free_large(struct mspan *s, void *p) {
    void *sample;
    size_t npages = s->npages;
    bool freed = UNLIKELY(large_is_crowding(&mound_heap, s))
                     ? large_renew(&mound_heap, s, (uintptr_t)p, &sample)
                     : mheap_free_large(&mound_heap, s, (uintptr_t)p,
                                        /* scavenged= */ false, &sample);
    if (!freed)
        return MISUSE_FREED_SPAN;
    // If the program frees a few huge objects, their frees may be its last slow paths.
    const struct mcache *c = thread_tls.own;
    thread_tls.nticks +=
        c != NULL && !c->armed && npages >= SLOWPATH_PAGES_LARGE
            ? SLOWPATH_TICKS
            : SLOWPATH_TICKS_LARGE;
    if (sample != NULL)
        sampled_freed(p, sample);
    return MISUSE_NONE;
}

// free_sampled frees a slot of a span for sampled objects.
static enum misuse free_sampled(struct mcentral *home, void *p) {
    void *sample = home != NULL ? mcentral_sample_take(home, p) : NULL;
    if (sample == NULL)
        return MISUSE_DOUBLE_FREE;
    sampled_freed(p, sample);
    mcentral_free_one(home, p);
    return MISUSE_NONE;
}

static void free_small(void *p, unsigned sizeclass) {
    struct mheap *h = &mound_heap;
    struct mcache *c = thread_mcache();
    if (UNLIKELY(c == NULL))
        mcentral_free_one(mheap_class(h, sizeclass), p);
    else if (!mcache_free(c, sizeclass, p)) // sized frees have not tried
        mcache_overflow(c, h, sizeclass, p, !sampling_on());
}

// free_beside frees a block of the stores outside the heap, which the page map does not
// know; false: p is in none of them.
static bool free_beside(void *p, const char *call) {
    bool freed = true;
    if (emergency_owns(p)) {
        freed = emergency_free(p);
    } else if (UNLIKELY(zerosize_owns(p))) {
        freed = zerosize_free(p);
    } else if (UNLIKELY(guards_own(p))) {
        void *sample = guards_free(p, call);
        if (sample != NULL)
            sampled_freed(p, sample);
    } else {
        return false;
    }
    if (!freed)
        report_misuse(&mound_heap, call, MISUSE_DOUBLE_FREE, p, 0);
    return true;
}

void free_inside(void *p, const char *call) {
    unsigned sizeclass = block_class(p);
    if (LIKELY(sizeclass != 0)) {
        free_small(p, sizeclass);
        return;
    }
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    if (LIKELY(s != NULL) && mspan_state(s) == MSPAN_LARGE &&
        mspan_start(s) == (uintptr_t)p && free_large(s, p) == MISUSE_NONE)
        return;
    if (free_beside(p, call))
        return;
    struct block b = block_find(p);
    if (b.misuse == MISUSE_NONE)
        b.misuse = mspan_state(b.span) == MSPAN_LARGE
                       ? free_large(b.span, p)
                       : free_sampled(mspan_home(b.span), p);
    if (b.misuse != MISUSE_NONE)
        report_misuse(&mound_heap, call, b.misuse, p, 0);
}
