// keptspans.c: see keptspans.h.
#include "heap/keptspans.h"

#include "heap/memlimit.h"
#include "heap/pagecount.h"
#include "heap/scavenger_goal.h"
#include "heap/spanrecord.h"
#include "os/sys.h"

enum {
    // Limit of all kept spans: max(16 MiB, 1/16 of the heap in use); 2 MiB when
    // keeping one of more than 64 KiB, unless freed memory is being reused.
    KEEP_MIN_PAGES = (16 << 20) / PAGE_SIZE,
    KEEP_SHARE = 16,
    KEEP_SMALL_PAGES = 8,
    KEEP_LARGE_PAGES = (2 << 20) / PAGE_SIZE,
    DROP_SPANS = 256, // under one lock
    // First pages of large objects that are held: 8, and 1/64 of what is in use.
    FIRST_PAGES = 8,
    FIRST_SHARE = 64,
};

// next_kept is the link of a kept span to the one that was kept before it. A dead
// span is in no list of mcentral.
static struct mspan **next_kept(struct mspan *s) {
    return (struct mspan **)&s->link.next;
}

// free_small_pages_locked frees the pages of a dead small span. Pages whose
// parts were all released have no memory; other released parts are forgotten.
static void free_small_pages_locked(struct mheap *h, struct mspan *s) {
    size_t nparts = s->released != 0 ? PAGE_SIZE / sys_page_size() : 0;
    uint32_t parts = (uint32_t)word_range(0, (unsigned)nparts);
    for (size_t i = 0, n; i < s->npages; i += n) {
        bool gone = false;
        for (n = 0; i + n < s->npages; n++) {
            bool here = nparts != 0 &&
                        (s->released >> (i + n) * nparts & parts) == parts;
            if (n > 0 && here != gone)
                break;
            gone = here;
        }
        pagealloc_free(&h->pages, mspan_start(s) + (i << PAGE_SHIFT), n, gone);
    }
    s->released = 0;
}

// free_pages_locked frees the pages of a dead span. The first page of a large
// object is held for a while; see firstpages.h.
static void free_pages_locked(struct mheap *h, struct mspan *s,
                              bool scavenged) {
    if (s->sizeclass != 0) {
        free_small_pages_locked(h, s);
        return;
    }
    firstpages_free(&h->first_pages, &h->pages, mspan_start(s), s->npages,
                    scavenged);
    firstpages_trim(&h->first_pages, &h->pages,
                    FIRST_PAGES + h->stats->inuse_pages / FIRST_SHARE);
}

// keptspans_drop_locked: at most DROP_SPANS spans.
bool keptspans_drop_locked(struct mheap *h) {
    unsigned left = DROP_SPANS;
    for (int i = 0; i < KEPT_PAGES_MAX && h->kept_pages > 0; i++)
        while (h->kept[i] != NULL && left > 0) {
            struct mspan *s = h->kept[i];
            h->kept[i] = *next_kept(s);
            h->kept_pages -= s->npages;
            free_pages_locked(h, s, /* scavenged= */ false);
            spanrecord_free_locked(h, s);
            left--;
        }
    if (left == DROP_SPANS)
        return false;
    pagecount_update_locked(h, 0);
    return true;
}

// keptspans_drop_held_locked drops first pages as well: for a large object,
// where a second free of an earlier one could not be detected anyway, or when
// there is no other page.
bool keptspans_drop_held_locked(struct mheap *h) {
    bool any = keptspans_drop_locked(h);
    if (firstpages_trim(&h->first_pages, &h->pages, 0)) {
        pagecount_update_locked(h, 0);
        any = true;
    }
    return any;
}

bool mheap_drop_kept(struct mheap *h) {
    mutex_lock(&h->lock);
    bool any = keptspans_drop_locked(h);
    mutex_unlock(&h->lock);
    return any;
}

void mheap_drop_held(struct mheap *h) {
    for (bool any = true; any;) {
        mutex_lock(&h->lock);
        any = keptspans_drop_held_locked(h);
        mutex_unlock(&h->lock);
    }
}

// keep_locked keeps a dead span if it may; it returns false if not. Kept spans
// do not raise the peak: no memory is touched for the first time while kept
// pages could serve.
static bool keep_locked(struct mheap *h, struct mspan *s) {
    size_t most = max_size(KEEP_MIN_PAGES, h->stats->inuse_pages / KEEP_SHARE);
    size_t npages = s->npages;
    // Few sizes of large objects repeat, and first fit packs them better. But
    // while freed memory is being reused, their spans are as well.
    if (npages > KEEP_SMALL_PAGES && !scavenger_reuses_locked(h))
        most = KEEP_LARGE_PAGES;
    if (h->half_life_ns == 0 || memlimit_near_locked(h) ||
        npages > KEPT_PAGES_MAX || h->kept_pages + npages > most)
        return false;
    *next_kept(s) = h->kept[npages - 1];
    h->kept[npages - 1] = s;
    h->kept_pages += npages;
    scavenger_look_after_locked(h);
    return true;
}

bool keptspans_retire_locked(struct mheap *h, struct mspan *s, bool scavenged) {
    size_t npages = s->npages;
    bool hollow = s->sizeclass != 0 && s->released != 0;
    bool kept = !scavenged && !hollow && keep_locked(h, s);
    if (!kept) {
        free_pages_locked(h, s, scavenged);
        spanrecord_free_locked(h, s);
    }
    pagecount_update_locked(h, -(int64_t)npages);
    return kept;
}

struct mspan *keptspans_use_locked(struct mheap *h, size_t npages,
                                   unsigned nelems, bool large) {
    if (npages > KEPT_PAGES_MAX)
        return NULL;
    struct mspan *s = h->kept[npages - 1];
    if (s == NULL || nelems > s->nwords * (unsigned)WORD_BITS ||
        (s->sizeclass == 0 && !large))
        return NULL;
    h->kept[npages - 1] = *next_kept(s);
    h->kept_pages -= npages;
    h->reused_pages += (int64_t)npages;
    list_init(&s->link);
    pagecount_update_locked(h, (int64_t)npages);
    return s;
}

bool keptspans_have_locked(const struct mheap *h, uintptr_t addr) {
    for (int i = 0; i < KEPT_PAGES_MAX; i++)
        for (struct mspan *s = h->kept[i]; s != NULL; s = *next_kept(s))
            if (addr - mspan_start(s) < s->npages << PAGE_SHIFT)
                return true;
    return false;
}
