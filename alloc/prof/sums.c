// sums.c: see sums.h.
#include "prof/sums.h"

#include "heap/mcache.h"

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static bool lock(struct mcentral *mc, bool wait) {
    if (!wait)
        return mutex_trylock(&mc->lock);
    mutex_lock(&mc->lock);
    return true;
}

static void add_store_locked(struct sums *sums, const struct classstats *st) {
    sums->nslots += st->nslots;
    sums->nfree += st->nfree;
    sums->ntransfer += st->ntransfer;
    sums->nmallocs += st->nretired;
    sums->nspans += st->nspans;
    sums->hole_bytes += st->hole_bytes;
}

static void add_magazines_locked(struct sums *sums, struct list *caches,
                                 unsigned sizeclass) {
    for (struct list *l = caches->next; l != caches; l = l->next) {
        struct magazine *m =
            &list_entry(l, struct mcache, link)->magazines[sizeclass];
        sums->nmallocs += load(&m->count);
        sums->ncached +=
            (uint64_t)(magazine_load(&m->top) - magazine_load(&m->bottom));
    }
}

bool sums_read(struct mheap *h, struct list *caches, unsigned sizeclass,
               bool wait, struct sums *ret) {
    if (mheap_is_used(h, sizeclass)) {
        struct mcentral *mc = &h->central[sizeclass];
        if (!lock(mc, wait))
            return false;
        add_store_locked(ret, mc->stats);
        add_magazines_locked(ret, caches, sizeclass);
        mutex_unlock(&mc->lock);
    }
    if (mheap_sampled(h) != NULL) {
        struct mcentral *mc = &mheap_sampled(h)[sizeclass];
        if (!lock(mc, wait))
            return false;
        add_store_locked(ret, mc->stats);
        mutex_unlock(&mc->lock);
    }
    return true;
}

struct sums_large sums_read_large(struct list *caches) {
    struct sums_large sums = {0};
    for (struct list *l = caches->next; l != caches; l = l->next) {
        struct largecache *c = &list_entry(l, struct mcache, link)->large;
        sums.nhits += load(&c->nhits);
        sums.hit_bytes += load(&c->hit_bytes);
        sums.nheld += load(&c->nheld);
        sums.held_bytes += load(&c->held_bytes);
    }
    return sums;
}

struct sums_beside sums_read_beside(const struct heapstats *st) {
    return (struct sums_beside){
        .nmallocs = __atomic_load_n(&st->emergency_mallocs, __ATOMIC_RELAXED),
        .nfrees = __atomic_load_n(&st->emergency_frees, __ATOMIC_RELAXED),
        .bytes = __atomic_load_n(&st->emergency_bytes, __ATOMIC_RELAXED),
        .total_bytes =
            __atomic_load_n(&st->emergency_total_bytes, __ATOMIC_RELAXED),
    };
}
