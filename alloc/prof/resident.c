// resident.c: see resident.h.
#include "prof/resident.h"

#include <string.h>

#include "heap/keptspans.h"
#include "os/helper.h"
#include "os/sys.h"

// An entry of pagemap is a word for each page of the system.
enum {
    ENTRY_BYTES = 8,
    ENTRIES = 128, // read at once: on the stack
    PRESENT_BIT = 63,
    LEAST_PAGE_LOG2 = 12,
    ARENA_WORDS = (sizeof(struct arena) >> LEAST_PAGE_LOG2) / WORD_BITS + 2,
};

// struct walk is the position of the walk and its results.
struct walk {
    struct mheap *h;
    int fd;
    size_t os_page;
    uintptr_t at;
    uintptr_t large_end; // of the large span that at is in; or lower
    // Which system pages of the arena's metadata have memory. The others were
    // never written and must not be read: that would map them.
    uint64_t known[ARENA_WORDS];
    struct resident found;
    bool failed;
};

// struct piece is a range of pages, and which of the system's pages in it have memory.
struct piece {
    uintptr_t begin;
    unsigned n; // of the system's pages
    uint64_t entries[ENTRIES];
};

// read_piece reads the entries of n pages from begin on. Above the end of the user's
// addresses there are none.
static bool read_piece(struct walk *w, struct piece *p, uintptr_t begin,
                       unsigned n) {
    p->begin = begin;
    p->n = n;
    memset(p->entries, 0, sizeof p->entries);
    w->failed |= sys_pread(w->fd, p->entries, (size_t)n * ENTRY_BYTES,
                           begin / w->os_page * ENTRY_BYTES) < 0;
    return !w->failed;
}

static bool is_there(const struct piece *p, unsigned i) {
    return p->entries[i] >> PRESENT_BIT;
}

static bool any_there(const struct piece *p) {
    uint64_t any = 0;
    for (unsigned i = 0; i < p->n; i++)
        any |= p->entries[i];
    return any >> PRESENT_BIT;
}

// there_of returns the bytes of the heap's page at addr that have memory; a
// larger system page counts for that part of it.
static uint64_t there_of(const struct walk *w, const struct piece *p,
                         uintptr_t addr) {
    uint64_t nbytes = 0;
    size_t step = min_size(w->os_page, PAGE_SIZE);
    for (uintptr_t a = addr; a < addr + PAGE_SIZE; a += step)
        if (is_there(p, (unsigned)((a - p->begin) / w->os_page)))
            nbytes += step;
    return nbytes;
}

// is_known says whether the metadata that p points to was ever written.
static bool is_known(const struct walk *w, const struct arena *a,
                     const void *p) {
    size_t i = (uintptr_t)p / w->os_page - (uintptr_t)a / w->os_page;
    return w->known[i / WORD_BITS] >> (i % WORD_BITS) & 1;
}

static bool is_free_page(const struct walk *w, const struct arena *a,
                         size_t page) {
    const uint64_t *word =
        &a->chunks[page / CHUNK_PAGES].free[page % CHUNK_PAGES / WORD_BITS];
    return is_known(w, a, word) && (*word >> (page % WORD_BITS) & 1);
}

// kind_of returns what the page at w->at counts for, or NULL: other mappings
// may be in the arena's address space.
static uint64_t *kind_of(struct walk *w, const struct arena *a) {
    size_t page = arena_page(w->at);
    if (w->at < w->large_end)
        return &w->found.large;
    if (is_free_page(w, a, page))
        return &w->found.idle;
    if (is_known(w, a, &a->class_of_page[page]) &&
        atomic_load_explicit(&a->class_of_page[page], memory_order_relaxed) !=
            0)
        return &w->found.small;
    if (!is_known(w, a, &a->span_of_page[page]))
        return NULL;
    // acquire: sees the span's fields; partner: release in pagemap_set
    const struct mspan *s =
        atomic_load_explicit(&a->span_of_page[page], memory_order_acquire);
    if (s == NULL || mspan_state(s) == MSPAN_DEAD || w->at < mspan_start(s) ||
        w->at >= mspan_start(s) + (s->npages << PAGE_SHIFT))
        return keptspans_have_locked(w->h, w->at) ||
                       firstpages_holds(&w->h->first_pages, w->at)
                   ? &w->found.idle
                   : NULL;
    if (mspan_state(s) == MSPAN_SMALL)
        return &w->found.small; // of sampled objects
    w->large_end = mspan_start(s) + (s->npages << PAGE_SHIFT);
    return &w->found.large;
}

static void count_piece_locked(struct walk *w, const struct piece *p,
                               uintptr_t end) {
    const struct arena *a = pagemap_arena(&w->h->pagemap, w->at);
    for (; w->at < end && a != NULL; w->at += PAGE_SIZE) {
        uint64_t nbytes = there_of(w, p, w->at);
        // Also of a page that is not there: a large object may begin with it.
        uint64_t *kind =
            nbytes > 0 || w->at >= w->large_end ? kind_of(w, a) : NULL;
        if (kind != NULL)
            *kind += nbytes;
    }
}

// count_records counts which pages of a range of records have no memory, and notes the
// others in known unless that is NULL.
static void count_records(struct walk *w, uintptr_t from, size_t nbytes,
                          uint64_t *known) {
    struct piece p;
    size_t at = 0, all = align_up(nbytes, w->os_page) / w->os_page;
    while (at < all) {
        size_t n = min_size(all - at, ENTRIES);
        if (!read_piece(w, &p, from + at * w->os_page, (unsigned)n))
            return;
        for (unsigned i = 0; i < n; i++, at++) {
            if (!is_there(&p, i))
                w->found.absent_records += w->os_page;
            else if (known != NULL)
                known[at / WORD_BITS] |= (uint64_t)1 << (at % WORD_BITS);
        }
    }
}

static void count_persistent(struct walk *w) {
    struct persistent *pa = &w->h->persistent;
    mutex_lock(&pa->lock);
    unsigned n = pa->npieces; // they stay what they are
    mutex_unlock(&pa->lock);
    for (unsigned i = 0; i < n && !w->failed; i++)
        count_records(w, pa->pieces[i].begin, pa->pieces[i].nbytes, NULL);
}

// count_arena counts the pages of an arena piece by piece; pagemap is read
// without the lock.
static void count_arena(struct walk *w, const struct arena *a) {
    struct piece p;
    memset(w->known, 0, sizeof w->known);
    count_records(w, (uintptr_t)a, sizeof *a, w->known);
    uintptr_t end = a->base + ARENA_BYTES;
    size_t step = min_size(ENTRIES * w->os_page, ARENA_BYTES);
    for (w->at = max_size(w->at, a->base); w->at < end && !w->failed;) {
        uintptr_t to = min_size(end, align_down(w->at, step) + step);
        if (!read_piece(w, &p, w->at, (unsigned)((to - w->at) / w->os_page)))
            return;
        if (!any_there(&p) && to <= w->large_end) {
            w->at = to;
            continue;
        }
        mutex_lock(&w->h->lock);
        count_piece_locked(w, &p, to);
        mutex_unlock(&w->h->lock);
        w->at = to;
    }
}

static struct arena *next_arena(struct walk *w) {
    mutex_lock(&w->h->lock);
    struct arena *a = pagealloc_arena_from(&w->h->pages, w->at);
    mutex_unlock(&w->h->lock);
    return a;
}

bool resident_read(struct mheap *h, struct resident *ret) {
    struct walk w = {.h = h,
                     .fd = sys_open_read(helper_path_pagemap),
                     .os_page = sys_page_size()};
    if (w.fd < 0)
        return false;
    struct arena *a;
    while (!w.failed && (a = next_arena(&w)) != NULL)
        count_arena(&w, a);
    count_persistent(&w);
    sys_close(w.fd);
    if (!w.failed)
        *ret = w.found;
    return !w.failed;
}
