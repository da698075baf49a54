// counters.c: see counters.h; alloc/heap/heapstats.h explains the arithmetic, which
// alloc/prof/memstats.c does too.
#include "counters.h"

#include <stdlib.h>
#include <string.h>

#include "heap/heapstats.h"

_Static_assert(NUM_SIZECLASSES == MOUND_PAGE_CLASSES, "one table for both");

// The sums over all caches of threads.
struct caches {
    uint64_t n;
    uint64_t counts[NUM_SIZECLASSES];
    uint64_t cached[NUM_SIZECLASSES];             // slots
    uint64_t nhits, hit_bytes, nheld, held_bytes; // of large objects
};

// Upper limit for the size of a cache, in case a header is damaged.
enum { CACHE_BYTES_MAX = 1 << 16 };

// struct shape has the checked offsets of a cache's parts.
struct shape {
    uint32_t link, magazines, magazine_bytes, top, bottom, count, large;
    uint32_t nbytes; // of a cache up to the last of them
};

static uint32_t largest(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static bool shape_of(const struct heapstats *st, struct shape *ret) {
    *ret = (struct shape){.link = st->cache_link_offset,
                          .magazines = st->cache_magazines_offset,
                          .magazine_bytes = st->magazine_bytes,
                          .top = st->magazine_top_offset,
                          .bottom = st->magazine_bottom_offset,
                          .count = st->magazine_count_offset,
                          .large = (uint32_t)st->cache_large_offset};
    const struct shape *s = ret;
    enum { WORD = 8, MAGAZINE_BYTES_MAX = 512 };
    if (s->link > CACHE_BYTES_MAX || s->magazines > CACHE_BYTES_MAX / 2 ||
        st->cache_large_offset > CACHE_BYTES_MAX ||
        s->magazine_bytes > MAGAZINE_BYTES_MAX ||
        s->top + WORD > s->magazine_bytes ||
        s->bottom + WORD > s->magazine_bytes ||
        s->count + WORD > s->magazine_bytes)
        return false;
    ret->nbytes =
        largest(s->link + WORD,
                largest(s->magazines + s->magazine_bytes * NUM_SIZECLASSES,
                        s->large + 4 * WORD));
    return ret->nbytes <= 2 * CACHE_BYTES_MAX;
}

static uint64_t word(const char *at) {
    uint64_t n;
    memcpy(&n, at, sizeof n);
    return n;
}

static void add_cache(struct caches *c, const struct shape *s,
                      const char *cache) {
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++) {
        const char *m = cache + s->magazines + i * s->magazine_bytes;
        uint64_t slots =
            (word(m + s->top) - word(m + s->bottom)) / sizeof(void *);
        c->counts[i] += word(m + s->count);
        // If the magazine changed between the two loads, the difference may be wrong.
        c->cached[i] += slots < 1 << 14 ? slots : 0;
    }
    if (s->large == 0)
        return;
    const char *large = cache + s->large;
    c->nhits += word(large);
    c->hit_bytes += word(large + 8);
    c->nheld += word(large + 16);
    c->held_bytes += word(large + 24);
}

// walk adds up the ring of caches. False: it does not lead back to its head, because it
// changed meanwhile or is damaged.
static bool walk(const struct memory *m, const struct heapstats *st,
                 struct caches *ret) {
    struct shape shape;
    memset(ret, 0, sizeof *ret);
    if (st->caches_head == 0)
        return true;
    if (!shape_of(st, &shape))
        return false;
    char *cache = malloc(shape.nbytes);
    uint64_t link;
    bool ok = cache != NULL && m->read(m, st->caches_head, &link, sizeof link);
    while (ok && link != st->caches_head) {
        ok = ret->n++ < COUNTERS_CACHES_MAX && link > shape.link &&
             m->read(m, link - shape.link, cache, shape.nbytes);
        if (ok) {
            add_cache(ret, &shape, cache);
            link = word(cache + shape.link);
        }
    }
    free(cache);
    return ok;
}

static uint64_t not_negative(uint64_t n) {
    return (int64_t)n < 0 ? 0 : n;
}

static void add_class(const struct heapstats *st, const struct caches *caches,
                      unsigned c, struct mound_page_stats *ret) {
    const struct classstats *own = &st->classes[c], *sampled = &st->sampled[c];
    struct mound_page_class *class = &ret->classes[c];
    *class = (struct mound_page_class){
        .size = own->elemsize != 0 ? own->elemsize : sampled->elemsize,
        .spans = own->nspans + sampled->nspans,
        .slots = own->nslots + sampled->nslots,
        .cached = caches->cached[c],
        .transfer = own->ntransfer + sampled->ntransfer,
        .holes = own->hole_bytes + sampled->hole_bytes,
        .rounding = UINT64_MAX, // not known
    };
    class->live = not_negative(class->slots - own->nfree - sampled->nfree -
                               class->transfer - class->cached);
    class->mallocs =
        not_negative(own->nretired + sampled->nretired + caches->counts[c]);
    class->frees = not_negative(class->mallocs - class->live);
    class->live_bytes = class->live * class->size;
    ret->cached += (class->cached + class->transfer) * class->size;
    ret->total_alloc += class->mallocs * class->size;
    ret->holes += class->holes;
}

static void add_large(const struct heapstats *st, const struct caches *caches,
                      struct mound_page_stats *ret) {
    struct mound_page_class *class = &ret->classes[0];
    *class = (struct mound_page_class){
        .mallocs = st->large.nmallocs + caches->nhits + st->emergency_mallocs,
        .frees = st->large.nfrees + caches->nhits + caches->nheld +
                 st->emergency_frees,
        .live_bytes = not_negative(st->large.alloc_bytes - caches->held_bytes) +
                      st->emergency_bytes,
        .spans = not_negative(st->large.nmallocs - st->large.nfrees),
        .rounding = UINT64_MAX,
    };
    class->live = class->slots = not_negative(class->mallocs - class->frees);
    ret->cached += caches->held_bytes;
    ret->total_alloc += st->large.total_alloc_bytes + caches->hit_bytes +
                        st->emergency_total_bytes;
}

static void fill(const struct heapstats *st, const struct caches *caches,
                 struct mound_page_stats *ret) {
    uint64_t page = st->page_bytes;
    ret->inuse = st->inuse_pages * page + st->emergency_bytes;
    ret->released = st->released_pages * page;
    ret->idle =
        not_negative(st->sys_pages - st->inuse_pages - st->released_pages) *
        page;
    ret->holes = ret->live = ret->cached = ret->total_alloc = 0;
    ret->mallocs = ret->frees = ret->spans = 0;
    ret->rounding = UINT64_MAX;
    ret->threads = not_negative(caches->n - st->norphans);
    add_large(st, caches, ret);
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++)
        add_class(st, caches, c, ret);
    for (unsigned c = 0; c < NUM_SIZECLASSES; c++) {
        ret->live += ret->classes[c].live_bytes;
        ret->mallocs += ret->classes[c].mallocs;
        ret->frees += ret->classes[c].frees;
        ret->spans += ret->classes[c].spans;
    }
}

enum counters_answer counters_read(const struct memory *m, uint64_t address,
                                   struct mound_page_stats *stats) {
    // Threads start and end during the walk: a few tries.
    enum { TRIES = 5, PAGE_MIN = 4096, PAGE_MAX = 1 << 16 };
    static struct heapstats st;
    static struct caches caches;
    if (!m->read(m, address, &st, sizeof st))
        return COUNTERS_DAMAGED;
    if (st.magic == 0)
        return COUNTERS_UNUSED;
    if (st.magic != HEAPSTATS_MAGIC)
        return COUNTERS_DAMAGED;
    if (st.version != HEAPSTATS_VERSION || st.nbytes != sizeof st ||
        st.nclasses != NUM_SIZECLASSES)
        return COUNTERS_OTHER;
    if (st.page_bytes < PAGE_MIN || st.page_bytes > PAGE_MAX)
        return COUNTERS_DAMAGED;
    for (int try = 0; try < TRIES; try++) {
        if (!walk(m, &st, &caches))
            continue;
        // Slots that were taken during the walk are in the classes, which are read last.
        if (!m->read(m, address, &st, sizeof st))
            return COUNTERS_DAMAGED;
        fill(&st, &caches, stats);
        return COUNTERS_READ;
    }
    return COUNTERS_DAMAGED;
}
