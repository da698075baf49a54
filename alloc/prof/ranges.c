// ranges.c: see ranges.h.
#include "prof/ranges.h"

uint64_t ranges_version_locked(const struct mheap *h) {
    // Arenas and pieces of records are never removed.
    return (uint64_t)h->reservations.nchanges + h->pages.narenas +
           ((uint64_t)__atomic_load_n(&h->persistent.npieces, __ATOMIC_RELAXED)
            << 32);
}

// add inserts a range by address, or extends an adjacent one.
static unsigned add(struct mound_page_ranges *to, unsigned n, uint64_t begin,
                    uint64_t nbytes, enum mound_page_range_kind kind) {
    struct mound_page_range *r = to->ranges;
    uint64_t end = begin + nbytes;
    unsigned i = n;
    while (i > 0 && r[i - 1].begin > begin)
        i--;
    bool below = i > 0 && r[i - 1].end == begin && r[i - 1].kind == kind;
    bool above = i < n && r[i].begin == end && r[i].kind == kind;
    if (below || above) {
        if (below)
            r[i - 1].end = end;
        else
            r[i].begin = begin;
        if (below && above) {
            r[i - 1].end = r[i].end;
            for (n--; i < n; i++)
                r[i] = r[i + 1];
            r[n] = (struct mound_page_range){0, 0, 0};
        }
        return n;
    }
    if (n == MOUND_PAGE_RANGES) {
        to->overflow = 1;
        return n;
    }
    for (unsigned k = n; k > i; k--)
        r[k] = r[k - 1];
    r[i] = (struct mound_page_range){begin, end, kind};
    return n + 1;
}

static unsigned add_heap_locked(struct mheap *h, struct mound_page_ranges *to) {
    const struct reservations *heap = &h->reservations;
    unsigned n = 0;
    to->overflow = heap->overflow;
    for (unsigned i = 0; i < heap->n; i++)
        n = add(to, n, heap->at[i].begin, heap->at[i].end - heap->at[i].begin,
                MOUND_PAGE_HEAP);
    for (size_t i = 0; i < h->pages.narenas && !to->overflow; i++)
        n = add(to, n, (uintptr_t)h->pages.arenas[i], sizeof(struct arena),
                MOUND_PAGE_RECORDS);
    return n;
}

void ranges_read_locked(struct mheap *h, struct mound_page_ranges *ret) {
    const struct persistent *records = &h->persistent;
    for (unsigned i = 0; i < MOUND_PAGE_RANGES; i++)
        ret->ranges[i] = (struct mound_page_range){0, 0, 0};
    unsigned n = add_heap_locked(h, ret);
    mutex_lock(&h->persistent.lock);
    ret->overflow |= records->npieces == PERSISTENT_PIECES;
    for (unsigned i = 0; i < records->npieces; i++)
        n = add(ret, n, records->pieces[i].begin, records->pieces[i].nbytes,
                MOUND_PAGE_RECORDS);
    mutex_unlock(&h->persistent.lock);
}
