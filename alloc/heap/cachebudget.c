// cachebudget.c: see cachebudget.h.
#include "heap/cachebudget.h"

#include "heap/mheap.h"

enum {
    OWN_BYTES = 64 << 10,
    SHARED_BYTES = 4 << 20,
    HEAP_SHARE = 8,
    THREAD_BYTES = 4 << 20,
    MAGAZINES_BYTES = THREAD_BYTES - (512 << 10),
    SMALL_BYTES = 2 << 20,
};

uint64_t cachebudget_limit(const struct mheap *h, uint64_t nthreads) {
    uint64_t inuse = __atomic_load_n(&h->stats->inuse_pages, __ATOMIC_RELAXED)
                     << PAGE_SHIFT;
    return SHARED_BYTES + inuse / HEAP_SHARE + nthreads * OWN_BYTES;
}

bool cachebudget_is_small(unsigned sizeclass) {
    return sizeclass_bytes[sizeclass] <= PAGE_SIZE;
}

uint64_t cachebudget_most(const struct mcache *c, unsigned sizeclass) {
    uint64_t most = SMALL_BYTES;
    if (!cachebudget_is_small(sizeclass))
        return MAGAZINES_BYTES;
    for (unsigned i = NUM_SIZECLASSES - 1; !cachebudget_is_small(i); i--)
        most += c->shapes[i].cap * (uint64_t)sizeclass_bytes[i];
    return min_size(most, MAGAZINES_BYTES);
}

static uint64_t shared_part(uint64_t cap_bytes) {
    return cap_bytes > OWN_BYTES ? cap_bytes - OWN_BYTES : 0;
}

// share changes a cache's part of the common budget from old to new bytes, if
// there is room. A smaller part is always allowed.
static bool share(struct mheap *h, uint64_t old, uint64_t new) {
    if (new > old) {
        if (atomic_load_explicit(&h->shared_cache_bytes, memory_order_relaxed) +
                (new - old) >
            cachebudget_limit(h, 0))
            return false; // the common refusal, without a locked instruction
        uint64_t shared = atomic_fetch_add_explicit(
            &h->shared_cache_bytes, new - old, memory_order_relaxed);
        if (shared + (new - old) > cachebudget_limit(h, 0)) {
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

bool cachebudget_set(struct mcache *c, struct mheap *h, uint64_t cap_bytes,
                     uint64_t most) {
    if (cap_bytes > c->cap_bytes &&
        (cap_bytes > most || cap_bytes + c->large.cap_bytes > THREAD_BYTES))
        return false;
    if (!share(h, shared_part(c->cap_bytes), shared_part(cap_bytes)))
        return false;
    c->cap_bytes = cap_bytes;
    return true;
}

bool cachebudget_set_large(struct mcache *c, struct mheap *h,
                           uint64_t cap_bytes) {
    if (cap_bytes > c->large.cap_bytes &&
        cap_bytes + c->cap_bytes > THREAD_BYTES)
        return false;
    if (!share(h, c->large.cap_bytes, cap_bytes))
        return false;
    c->large.cap_bytes = cap_bytes;
    return true;
}

void cachebudget_restore(struct mcache *c, struct mheap *h,
                         uint64_t cap_bytes) {
    uint64_t shared = shared_part(cap_bytes) - shared_part(c->cap_bytes);
    atomic_fetch_add_explicit(&h->shared_cache_bytes, shared,
                              memory_order_relaxed);
    c->cap_bytes = cap_bytes;
}

void cachebudget_book_only(struct mheap *h, const struct mcache *own) {
    atomic_store_explicit(
        &h->shared_cache_bytes,
        own != NULL ? shared_part(own->cap_bytes) + own->large.cap_bytes : 0,
        memory_order_relaxed);
}

void cachebudget_unbook(struct mcache *c) {
    c->cap_bytes = 0;
    c->large.cap_bytes = 0;
}
