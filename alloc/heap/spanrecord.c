// spanrecord.c: see spanrecord.h.
#include "heap/spanrecord.h"

#include <string.h>

#include "heap/pagecount.h"

static struct fixalloc *records_for(struct mheap *h, unsigned nelems) {
    return nelems <= MSPAN_SMALL_WORDS * WORD_BITS ? &h->small_spans
                                                   : &h->large_spans;
}

// feed_records_locked turns free pages of the heap into memory for records. At
// a limit (RLIMIT_AS, RLIMIT_DATA) the heap may hold all memory there is, and
// without a record its free pages could not be used.
static bool feed_records_locked(struct mheap *h) {
    enum { FEED_PAGES = 4 }; // two chunks of records
    size_t nscavenged;
    uintptr_t addr = pagealloc_alloc(&h->pages, FEED_PAGES, 1, &nscavenged);
    if (addr == 0)
        return false;
    memset((void *)addr, 0, FEED_PAGES << PAGE_SHIFT);
    h->stats->sys_pages -= FEED_PAGES; // they are records now, no heap
    pagecount_update_locked(h, 0);
    persistent_feed(&h->persistent, (void *)addr, FEED_PAGES << PAGE_SHIFT);
    return true;
}

struct mspan *spanrecord_alloc_locked(struct mheap *h, unsigned nelems) {
    struct fixalloc *records = records_for(h, nelems);
    struct mspan *s = fixalloc_alloc(records);
    if (s == NULL && feed_records_locked(h))
        s = fixalloc_alloc(records);
    if (s != NULL) {
        s->nwords =
            records == &h->small_spans ? MSPAN_SMALL_WORDS : MSPAN_WORDS;
        list_init(&s->link);
    }
    return s;
}

void spanrecord_free_locked(struct mheap *h, struct mspan *s) {
    fixalloc_free(
        s->nwords == MSPAN_SMALL_WORDS ? &h->small_spans : &h->large_spans, s);
}

static void for_each_record(struct fixalloc *records,
                            void (*visit)(struct mspan *s, void *arg),
                            void *arg) {
    for (struct fixchunk *c = records->chunks; c != NULL; c = c->next)
        for (size_t i = 0; i < c->nrecords; i++) {
            struct mspan *s = fixalloc_record(records, c, i);
            if (mspan_state(s) != MSPAN_DEAD)
                visit(s, arg);
        }
}

void mheap_for_each_span_locked(struct mheap *h,
                                void (*visit)(struct mspan *s, void *arg),
                                void *arg) {
    mutex_assert_held(&h->lock);
    for_each_record(&h->small_spans, visit, arg);
    for_each_record(&h->large_spans, visit, arg);
}
