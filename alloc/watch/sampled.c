// sampled.c: see sampled.h.
#include "watch/sampled.h"

#include <stdatomic.h>

#include "base/fastrand.h"
#include "heap/duemalloc.h"
#include "heap/mcentral_grow.h"
#include "heap/mcentral_sample.h"
#include "os/unwind.h"
#include "prof/peak.h"
#include "prof/probes.h"
#include "prof/sample.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/sampling.h"
#include "runtime/thread.h"
#include "watch/guards.h"
#include "watch/origin.h"
#include "watch/profile.h"
#include "watch/profilefile.h"

enum { FREED_PCS = 16 }; // frames kept of the stack that freed an object

static uint64_t rate(void) {
    return atomic_load_explicit(&profile_table.rate, memory_order_relaxed);
}

// capture takes the stack outside of the slow path: libunwind may allocate.
static unsigned capture(uintptr_t *ret_pcs) {
    struct thread_tls *t = &thread_tls;
    t->unwinding = true;
    thread_leave();
    unsigned n = unwind_stack(ret_pcs, UNWIND_MAX);
    if (!thread_enter())
        return n; // impossible: the slow path was left above
    t->unwinding = false;
    return n;
}

// Buffers for stacks that are being taken. They are not on the thread's stack, which may
// be a coroutine's of a few KiB. If all are in use, each by another thread, a sample gets
// no stack. A handler that jumps out of malloc makes one unusable for ever.
enum { STACKS = 64 };
static struct {
    _Atomic bool used;
    uintptr_t pcs[UNWIND_MAX];
} stacks[STACKS];

// stack_begin claims a buffer for this thread and returns its number, or STACKS.
static unsigned stack_begin(void) {
    unsigned first = (unsigned)(sys_self() * 0x9e3779b97f4a7c15u >> 58);
    for (unsigned i = 0; i < STACKS; i++) {
        unsigned at = (first + i) % STACKS;
        // acquire: its last user has finished; partner: release in bucket_here
        if (!atomic_load_explicit(&stacks[at].used, memory_order_relaxed) &&
            !atomic_exchange_explicit(&stacks[at].used, true,
                                      memory_order_acquire))
            return at;
    }
    return STACKS;
}

void sampled_forked(void) {
    for (unsigned i = 0; i < STACKS; i++)
        atomic_store_explicit(&stacks[i].used, false, memory_order_relaxed);
}

static struct mbucket *bucket_here(size_t size) {
    unsigned at = stack_begin();
    if (at == STACKS)
        return mprof_bucket(&profile_table, size, NULL, 0);
    unsigned n = capture(stacks[at].pcs);
    struct mbucket *b = mprof_bucket(&profile_table, size, stacks[at].pcs, n);
    atomic_store_explicit(&stacks[at].used, false, memory_order_release);
    return b;
}

// count_in counts a sampled object in its bucket and fires the tracers' probe.
static void count_in(struct mbucket *b, void *p, double chance) {
    if (peak_is_kept(&profile_table))
        peak_count_in(&profile_table, b);
    else
        atomic_fetch_add_explicit(&b->nallocs, 1, memory_order_relaxed);
    probe_alloc(p, b->size, (uint64_t)((double)b->size / chance));
    profilefile_look_at_growth();
}

// guarded_sample returns a guarded object, for one in MOUND_GUARD samples, or NULL.
static void *guarded_sample(struct mbucket *b, unsigned sizeclass, size_t size,
                            size_t align) {
    if (options->guard == 0 || fastrand(thread_random()) % options->guard != 0)
        return NULL;
    void *p = guards_alloc(size, align, b->pcs, b->npcs, b);
    if (p != NULL)
        count_in(b, p, sampling_class_chance(sizeclass));
    return p;
}

void *sampled_small(unsigned sizeclass, size_t size, size_t align) {
    if (thread_tls.unwinding)
        return NULL;
    struct mbucket *b = bucket_here(sizeclass_bytes[sizeclass]);
    if (b == NULL)
        return NULL;
    void *guarded = guarded_sample(b, sizeclass, size, align);
    if (guarded != NULL)
        return guarded;
    struct mcentral *mc = &mheap_sampled(&mound_heap)[sizeclass];
    void *p = mcentral_alloc_one(mc);
    if (p == NULL)
        return NULL;
    mcentral_sample_put(mc, p, b);
    count_in(b, p, sampling_class_chance(sizeclass));
    return p;
}

void *sampled_small_due(struct mcache *c, unsigned sizeclass, size_t size,
                        size_t align) {
    struct mheap *h = &mound_heap;
    duemalloc_after(
        c, h, sizeclass,
        sample_gap(thread_random(), sampling_class_chance(sizeclass)));
    void *p = sampled_small(sizeclass, size, align);
    if (p == NULL && mcache_sample_due(c, sizeclass))
        duemalloc_after(c, h, sizeclass, 2); // 2: this malloc is the first
    return p;
}

bool sampled_wants(size_t nbytes) {
    struct thread_tls *t = &thread_tls;
    if (!sampling_on() || t->unwinding)
        return false;
    if (t->epoch != sampling_epoch_now())
        thread_see_epoch();
    return sampler_wants(&t->sampler, thread_random(),
                         sample_chance(nbytes, rate()));
}

void sampled_large(struct mspan *s) {
    size_t nbytes = s->npages << PAGE_SHIFT;
    if (!sampled_wants(nbytes))
        return;
    struct mbucket *b = bucket_here(nbytes);
    if (b == NULL)
        return;
    atomic_store_explicit(&s->sample, b, memory_order_relaxed);
    count_in(b, (void *)mspan_start(s), sample_chance(nbytes, rate()));
}

// count_out is count_in for the free of a sampled object.
static void count_out(struct mbucket *b, const void *p) {
    if (peak_is_kept(&profile_table))
        peak_count_out(&profile_table, b);
    else
        atomic_fetch_add_explicit(&b->nfrees, 1, memory_order_relaxed);
    probe_free(p);
    profilefile_look_at_fall();
}

void sampled_resized(struct mspan *s, const void *old) {
    struct mbucket *b = atomic_load_explicit(&s->sample, memory_order_relaxed);
    atomic_store_explicit(&s->sample, NULL, memory_order_relaxed);
    if (b != NULL && old != (void *)mspan_start(s))
        sampled_freed(old, b);
    else if (b != NULL) // p is still live: reports must not call it freed
        count_out(b, old);
    sampled_large(s);
}

void sampled_freed(const void *p, void *sample) {
    struct mbucket *b = sample;
    count_out(b, p);
    uintptr_t pcs[FREED_PCS];
    unsigned n = unwind_here(pcs, FREED_PCS);
    origin_freed(p, b, mprof_bucket(&profile_table, 0, pcs, n));
}
