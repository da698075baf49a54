// verify.c: see verify.h.
#include "heap/verify.h"

#include <string.h>

#include "heap/mcentral.h"
#include "heap/mcentral_rebuild.h"
#include "heap/spanrecord.h"

// struct recount is what a walk over all spans finds.
struct recount {
    struct mheap *h;
    struct classstats classes[2 * NUM_SIZECLASSES]; // as mheap_central
    uint64_t inuse_pages;
    uint64_t large_bytes;
    uint64_t nlarge;
    unsigned nwrong;
};

static void recount_span(struct mspan *s, void *arg) {
    struct recount *r = arg;
    uintptr_t start = mspan_start(s);
    r->inuse_pages += s->npages;
    for (size_t i = 0; i < s->npages; i++)
        r->nwrong += pagealloc_is_free(&r->h->pages, start + (i << PAGE_SHIFT));
    r->nwrong += pagemap_span(&r->h->pagemap, start) != s;
    r->nwrong += pagemap_class(&r->h->pagemap, start) != mspan_class_byte(s);
    if (mspan_state(s) != MSPAN_SMALL) {
        r->nlarge++;
        r->large_bytes += s->npages << PAGE_SHIFT;
        return;
    }
    bool sampled = s->samples != NULL;
    struct classstats *c =
        &r->classes[s->sizeclass + (sampled ? NUM_SIZECLASSES : 0)];
    c->nspans++;
    c->nslots += s->nelems;
    c->nfree += s->nfree;
    c->hole_bytes += mspan_bytes_of(s->released);
    r->nwrong += mspan_verify(s);
}

unsigned mheap_verify(struct mheap *h) {
    // 6 KiB of counts: too much for a stack of 16 KiB threads, and only one
    // walk is useful at a time.
    static struct recount recount;
    struct recount *r = &recount;
    unsigned nwrong = 0;
    mutex_lock(&h->central[0].lock);
    unsigned ncentrals = mheap_ncentrals(h);
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        mutex_lock(&mheap_class(h, i)->lock);
    for (unsigned i = NUM_SIZECLASSES; i < ncentrals; i++)
        mutex_lock(&mheap_central(h, i)->lock);
    mutex_lock(&h->lock);
    memset(r, 0, sizeof *r);
    r->h = h;
    mheap_for_each_span_locked(h, recount_span, r);
    nwrong += r->nwrong;
    for (unsigned c = 1; c < ncentrals; c++) {
        struct mcentral *mc = mheap_central(h, c);
        const struct classstats *st = mc->stats;
        nwrong += r->classes[c].nspans != st->nspans;
        nwrong += r->classes[c].nslots != st->nslots;
        nwrong += r->classes[c].nfree != st->nfree;
        nwrong += r->classes[c].hole_bytes != st->hole_bytes;
        nwrong += st->nfree + st->ntransfer > st->nslots;
        nwrong += mcentral_verify_locked(mc);
    }
    const struct largestats *large = &h->stats->large;
    nwrong += r->nlarge != large->nmallocs - large->nfrees;
    nwrong += r->large_bytes != large->alloc_bytes;
    // Pages between pagealloc and a span (being populated or released, or in a
    // span that its class does not have yet) count as in use.
    nwrong += r->inuse_pages > h->stats->inuse_pages;
    nwrong += h->stats->inuse_pages + h->pages.nfree > h->stats->sys_pages;
    nwrong += pagealloc_verify(&h->pages);
    mutex_unlock(&h->lock);
    for (unsigned i = ncentrals; i-- > 0;)
        mutex_unlock(&mheap_central(h, i)->lock);
    return nwrong;
}
