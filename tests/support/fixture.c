// fixture.c: see fixture.h.
#include "fixture.h"
#include "heap/duemalloc.h"
#include "heap/keptspans.h"
#include "heap/largespans.h"
#include "heap/mcache_slow.h"
#include "heap/mcentral_drain.h"
#include "heap/mcentral_grow.h"
#include "heap/scavenger.h"
#include "heap/verify.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>

static void *misused[FIXTURE_MISUSED];
static size_t nmisused;

static void note_misuse(struct mheap *h, void *p) {
    (void)h;
    if (nmisused < FIXTURE_MISUSED)
        misused[nmisused] = p;
    nmisused++;
}

size_t fixture_misused(void) {
    return nmisused;
}

void fixture_forget_misused(void) {
    nmisused = 0;
}

void *fixture_misused_at(size_t i) {
    return misused[i];
}

static void *fresh(size_t nbytes) {
    void *p = mmap(NULL, nbytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert(p != MAP_FAILED, "the fixture itself found no memory");
    return p;
}

struct fixture fixture_start(void) {
    struct fixture f = {.ncaches = 0};
    f.heap = fresh(sizeof *f.heap);
    f.stats = fresh(sizeof *f.stats);
    mheap_init(f.heap, f.stats, sizeof(struct mcache));
    scavenger_init(f.heap);
    f.heap->misuse = note_misuse;
    f.heap->pages.now =
        0; // so that pages taken before the first tick count as old
    return f;
}

struct mcache *fixture_cache(struct fixture *f) {
    cr_assert(f->ncaches < FIXTURE_CACHES, "too many caches for the fixture");
    mutex_lock(&f->heap->lock);
    struct mcache *c = fixalloc_alloc(&f->heap->caches);
    mutex_unlock(&f->heap->lock);
    if (c == NULL)
        return NULL;
    mcache_init(c, f->ncaches + 1);
    f->caches[f->ncaches++] = c;
    return c;
}

void *fixture_malloc(struct fixture *f, struct mcache *c, size_t size) {
    unsigned sizeclass = sizeclass_for(size);
    if (mcache_sample_due(c, sizeclass))
        duemalloc_come_by(c, f->heap, sizeclass);
    void *p = mcache_alloc(c, sizeclass);
    return p != NULL ? p : mcache_refill(c, f->heap, sizeclass);
}

void fixture_free(struct fixture *f, struct mcache *c, void *p) {
    unsigned sizeclass = pagemap_class(&f->heap->pagemap, (uintptr_t)p);
    if (!mcache_free(c, sizeclass, p))
        mcache_overflow(c, f->heap, sizeclass, p, /* counting= */ true);
}

struct mspan *fixture_full_span(struct fixture *f, unsigned sizeclass) {
    struct mcentral *mc = mheap_class(f->heap, sizeclass);
    struct mspan *s = fixture_span_of(f, mcentral_alloc_one(mc));
    for (unsigned i = 1; i < s->nelems; i++)
        mcentral_alloc_one(mc);
    cr_assert(s->nfree == 0, "the fixture's span is not full");
    return s;
}

struct mspan *fixture_large(struct fixture *f, size_t npages, size_t align) {
    return mheap_alloc_large(f->heap, npages, align, /* may_reserve= */ true);
}

void fixture_free_large(struct fixture *f, struct mspan *s) {
    bool freed = mheap_free_large(f->heap, s, mspan_start(s),
                                  /* scavenged= */ false, NULL);
    cr_assert(freed, "the fixture freed what is no large object");
    mheap_drop_held(f->heap);
}

void *fixture_slot(const struct mspan *s, unsigned i) {
    return (void *)(mspan_start(s) + (uintptr_t)i * s->elemsize);
}

struct mspan *fixture_span_of(struct fixture *f, const void *p) {
    return pagemap_span(&f->heap->pagemap, (uintptr_t)p);
}

static size_t depth_of(struct magazine *m) {
    return (size_t)(atomic_load_explicit(&m->top, memory_order_relaxed) -
                    atomic_load_explicit(&m->bottom, memory_order_relaxed));
}

struct fixture_count fixture_count(struct fixture *f, unsigned sizeclass) {
    const struct classstats *st = &f->stats->classes[sizeclass];
    struct fixture_count n = {.mallocs = st->nretired};
    for (size_t i = 0; i < f->ncaches; i++) {
        struct magazine *m = &f->caches[i]->magazines[sizeclass];
        n.mallocs += atomic_load_explicit(&m->count, memory_order_relaxed);
        n.cached += depth_of(m);
    }
    n.live = st->nslots - st->nfree - st->ntransfer - n.cached;
    return n;
}

static uint64_t cap_bytes_of(const struct mcache *c) {
    uint64_t nbytes = 0;
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        nbytes += (uint64_t)c->shapes[i].cap * sizeclass_bytes[i];
    return nbytes;
}

uint64_t fixture_cap_bytes(struct fixture *f) {
    uint64_t nbytes = 0;
    for (size_t i = 0; i < f->ncaches; i++)
        nbytes += cap_bytes_of(f->caches[i]) + f->caches[i]->large.cap_bytes;
    return nbytes;
}

static void verify_cache(const struct mcache *c) {
    enum { THREAD_MOST = 4 << 20 };
    cr_assert(c->cap_bytes == cap_bytes_of(c),
              "a cache counts %lu bytes of capacity and has %lu",
              (unsigned long)c->cap_bytes, (unsigned long)cap_bytes_of(c));
    cr_assert(c->cap_bytes + c->large.cap_bytes <= THREAD_MOST,
              "a cache may hold %lu bytes, and %lu of large objects",
              (unsigned long)c->cap_bytes, (unsigned long)c->large.cap_bytes);
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        struct magazine *m = (struct magazine *)&c->magazines[i];
        size_t room =
            (size_t)(atomic_load_explicit(&m->limit, memory_order_relaxed) -
                     atomic_load_explicit(&m->bottom, memory_order_relaxed));
        size_t cap = c->shapes[i].cap;
        cr_assert(depth_of(m) <= cap && room == (c->shapes[i].check ? 0 : cap),
                  "class %u: depth %zu, room %zu, cap %zu", i, depth_of(m),
                  room, cap);
        cr_assert(atomic_load_explicit(&m->bottom, memory_order_relaxed)[-1] ==
                      NULL,
                  "class %u: no NULL under the bottom", i);
    }
}

void fixture_reuses(struct fixture *f) {
    sys_stop_ticks(true);
    f->heap->reuse_seen = sys_ticks();
}

void fixture_verify(struct fixture *f) {
    unsigned nwrong = mheap_verify(f->heap);
    cr_assert(nwrong == 0, "mheap_verify found %u contradictions", nwrong);
    for (size_t i = 0; i < f->ncaches; i++)
        verify_cache(f->caches[i]);
}

void fixture_drain(struct fixture *f) {
    for (size_t i = 0; i < f->ncaches; i++)
        mcache_flush(f->caches[i], f->heap);
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++)
        mcentral_drain(mheap_class(f->heap, c));
    mheap_drop_held(f->heap);
}

struct random random_from(uint64_t seed) {
    fprintf(stderr, "# seed %lu\n", (unsigned long)seed);
    return (struct random){seed};
}

// random_next is splitmix64 (Steele, Lea, Flood 2014).
uint64_t random_next(struct random *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
