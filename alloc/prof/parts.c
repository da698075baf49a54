// parts.c: see parts.h.
#include "prof/parts.h"

#include "mound_page.h"

// Sums of a hundred are far from an overflow.
static const uint64_t MOST = (uint64_t)1 << 56;

static uint64_t capped(uint64_t n) {
    return n < MOST ? n : MOST;
}

// take moves up to n bytes out of *part, and returns what could not be taken.
static uint64_t take(uint64_t *part, uint64_t n) {
    uint64_t taken = n < *part ? n : *part;
    *part -= taken;
    return n - taken;
}

// less returns a - b, or 0.
static uint64_t less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// known_rounding adds up the classes, and says whether that is most of what is live in
// them.
static bool known_rounding(const struct mound_page_stats *st, uint64_t *ret) {
    uint64_t live = 0, known = 0;
    *ret = 0;
    for (unsigned c = 0; c < MOUND_PAGE_CLASSES; c++) {
        const struct mound_page_class *class = &st->classes[c];
        uint64_t bytes = capped(class->live_bytes);
        live += bytes;
        if (class->rounding == MOUND_PAGE_UNKNOWN)
            continue;
        known += bytes;
        *ret += least(class->rounding, bytes);
    }
    return known >= live / 2;
}

// split_resident reduces each part to what of it has memory.
static void split_resident(const struct mound_page_stats *st, struct parts *p) {
    uint64_t large = least(capped(st->classes[0].live_bytes), p->live);
    uint64_t there_large = capped(st->resident_large);
    uint64_t there_small = capped(st->resident_small);
    // The part of large objects without memory was never touched by the
    // program.
    uint64_t absent = less(large, there_large);
    absent -= take(&p->live, absent);
    p->untouched = absent;
    // Of slots: the ends of fresh spans first.
    uint64_t small =
        p->live - (large - absent) + p->rounding + p->holes + p->caches;
    uint64_t there = there_small + less(there_large, large - absent);
    uint64_t missing = take(&p->holes, less(small, there));
    missing = take(&p->caches, missing);
    uint64_t before = p->live;
    missing = take(&p->live, missing);
    p->untouched += before - p->live;
    take(&p->rounding, missing);
    p->holes += less(there, small);
    p->idle = capped(st->resident_idle);
    p->records = capped(st->resident_records);
}

static uint64_t sum_of(const struct parts *p) {
    return p->live + p->rounding + p->holes + p->caches + p->idle + p->records;
}

// split_other sets what is not mound's, and what mound counts too much.
static void split_other(const struct mound_page_stats *st, struct parts *p) {
    uint64_t ours = sum_of(p);
    uint64_t mapped = 0;
    if (!p->resident_known)
        mapped = least(capped(st->rss_file) + capped(st->rss_shmem), p->rss);
    p->other = less(p->rss, ours);
    if (p->other < mapped)
        p->other = mapped;
    p->absent = ours + p->other - p->rss;
}

void parts_of(const struct mound_page *page, struct parts *ret) {
    const struct mound_page_stats *st = &page->stats;
    struct parts *p = ret;
    *p = (struct parts){0};
    p->rounding_known = known_rounding(st, &p->rounding);
    uint64_t used = less(capped(st->inuse), capped(st->holes));
    p->live = least(capped(st->live), used);
    p->caches = least(capped(st->cached), used - p->live);
    p->holes = used - p->live - p->caches;
    p->rounding = least(p->rounding, p->live);
    p->live -= p->rounding;
    p->idle = capped(st->idle);
    p->records = capped(st->records);
    p->rss_known = st->rss > 0;
    p->resident_known =
        st->resident_ns != 0 && st->resident_ns == st->published_ns;
    if (p->resident_known)
        split_resident(st, p);
    p->rss = p->rss_known ? capped(st->rss) : sum_of(p);
    split_other(st, p);
}

// slots_bytes returns n slots in bytes.
static uint64_t slots_bytes(const struct mound_page_class *class, uint64_t n) {
    uint64_t size = class->size == 0 ? 1 : class->size;
    return least(n, MOST / size) * class->size;
}

uint64_t parts_cached(const struct mound_page *page, unsigned c) {
    const struct mound_page_class *class = &page->stats.classes[c];
    return c == 0 ? 0
                  : capped(slots_bytes(class, class->cached) +
                           slots_bytes(class, class->transfer));
}

uint64_t parts_free(const struct mound_page *page, unsigned c) {
    const struct mound_page_class *class = &page->stats.classes[c];
    if (c == 0)
        return 0;
    return less(slots_bytes(class, class->slots), capped(class->live_bytes) +
                                                      capped(class->holes) +
                                                      parts_cached(page, c));
}

uint64_t parts_waste(const struct mound_page *page, unsigned c) {
    const struct mound_page_class *class = &page->stats.classes[c];
    uint64_t rounding = class->rounding == MOUND_PAGE_UNKNOWN
                            ? 0
                            : least(class->rounding, capped(class->live_bytes));
    return parts_free(page, c) + parts_cached(page, c) + rounding;
}

uint64_t parts_duration(const struct mound_page *page) {
    const struct mound_page_identity *id = &page->identity;
    uint64_t end =
        id->end_unix_ns != 0 ? id->end_unix_ns : page->stats.published_unix_ns;
    return id->start_unix_ns == 0 ? 0 : less(end, id->start_unix_ns);
}
