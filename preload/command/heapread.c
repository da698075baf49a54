// heapread.c: see heapread.h.
#include "heapread.h"

#include "layout.h"

// More arenas and pieces are ignored: a page has no room for their ranges.
enum { ARENAS_MAX = 1 << 13, PIECES_MAX = 256 };

struct reading {
    const struct memory *m;
    const struct layout *layout;
    uint64_t heap; // its address
};

static bool member(const struct reading *r, const char *name, uint64_t *ret) {
    return layout_read(r->layout, r->m, r->heap, name, ret);
}

static void read_options(const struct reading *r, struct mound_page_stats *st) {
    uint64_t n, shift, more;
    if (member(r, "mheap.persistent.sys_bytes", &n) &&
        member(r, "mheap.pages.arena_bytes", &more))
        st->records = n + more;
    if (member(r, "mheap.memlimit.pages", &n) &&
        layout_find(r->layout, "PAGE_SHIFT", &shift, NULL) && shift < 32)
        st->memlimit = n << shift;
    if (member(r, "mheap.memlimit.nexceeded", &n))
        st->memlimit_exceeded = n;
    if (member(r, "mheap.half_life_ns", &n))
        st->half_life_ns = n;
    if (member(r, "mheap.release_refused", &n))
        st->release_refused = n;
    if (member(r, "mheap.nstalls", &n))
        st->huge_stalls = n;
}

static void add_range(struct mound_page_ranges *ranges, unsigned *n,
                      uint64_t begin, uint64_t nbytes, uint64_t kind) {
    struct mound_page_range *r = ranges->ranges;
    if (begin == 0 || nbytes == 0 || begin + nbytes < begin)
        return;
    for (unsigned i = 0; i < *n; i++) {
        if (r[i].kind != kind)
            continue;
        if (r[i].end == begin) {
            r[i].end += nbytes;
            return;
        }
        if (begin + nbytes == r[i].begin) {
            r[i].begin = begin;
            return;
        }
    }
    if (*n == MOUND_PAGE_RANGES)
        ranges->overflow = 1;
    else
        r[(*n)++] = (struct mound_page_range){begin, begin + nbytes, kind};
}

// read_one_piece adds the address range of the heap's pages if it was reserved in one
// piece. Between several pieces the program's own mappings can lie; only a page tells
// them apart. False: it was not one piece.
static bool read_one_piece(const struct reading *r,
                           const struct mound_page *page,
                           struct mound_page_ranges *ranges, unsigned *n) {
    uint64_t low, next, end;
    if (!member(r, "mheap.reserved_low", &low) ||
        !member(r, "mheap.reserved_next", &next) ||
        !member(r, "mheap.reserved_end", &end) || low >= next || end < next ||
        next - low !=
            page->stats.inuse + page->stats.idle + page->stats.released)
        return false;
    add_range(ranges, n, low, end - low, MOUND_PAGE_HEAP);
    return true;
}

// read_arenas adds the metadata of arenas.
static void read_arenas(const struct reading *r,
                        struct mound_page_ranges *ranges, unsigned *n) {
    uint64_t narenas, offset, record, table;
    if (!member(r, "mheap.pages.narenas", &narenas) ||
        !member(r, "mheap.pages.arenas", &table) ||
        !layout_find(r->layout, "arena", &offset, &record))
        return;
    for (uint64_t i = 0; i < narenas; i++) {
        uint64_t arena;
        if (i == ARENAS_MAX ||
            !r->m->read(r->m, table + i * sizeof arena, &arena, sizeof arena)) {
            ranges->overflow = 1;
            return;
        }
        add_range(ranges, n, arena, record, MOUND_PAGE_RECORDS);
    }
}

// read_pieces adds the pieces that other metadata is allocated from.
static void read_pieces(const struct reading *r,
                        struct mound_page_ranges *ranges, unsigned *n) {
    uint64_t npieces, offset, nbytes, zero, piece;
    if (!member(r, "mheap.persistent.npieces", &npieces) ||
        !layout_find(r->layout, "mheap.persistent.pieces", &offset, &nbytes) ||
        !layout_find(r->layout, "persistent_piece", &zero, &piece) ||
        piece == 0 || npieces > nbytes / piece || npieces > PIECES_MAX) {
        ranges->overflow = 1;
        return;
    }
    for (uint64_t i = 0; i < npieces; i++) {
        uint64_t at = r->heap + offset + i * piece, begin, size;
        if (layout_read(r->layout, r->m, at, "persistent_piece.begin",
                        &begin) &&
            layout_read(r->layout, r->m, at, "persistent_piece.nbytes", &size))
            add_range(ranges, n, begin, size, MOUND_PAGE_RECORDS);
    }
}

void heapread(const struct memory *m, const struct library *library,
              uint64_t bias, struct mound_page *page) {
    const struct reading r = {m, &library->table, library->heap + bias};
    if (library->heap == 0 || library->table.n == 0)
        return;
    read_options(&r, &page->stats);
    if (page->ranges.ranges[0].begin != 0)
        return; // the process has them more exactly
    struct mound_page_ranges ranges = {.seq = 0};
    unsigned n = 0;
    if (!read_one_piece(&r, page, &ranges, &n))
        return;
    read_arenas(&r, &ranges, &n);
    read_pieces(&r, &ranges, &n);
    page->ranges = ranges;
}

uint32_t heapread_mode(const struct memory *m, const struct library *library,
                       uint64_t bias) {
    static const struct {
        const char *name;
        uint32_t serves;
    } modes[] = {
        {"RUNTIME_ALONE", MOUND_PAGE_SERVES},
        {"RUNTIME_BEHIND", MOUND_PAGE_BEHIND},
        {"RUNTIME_UNCALLED", MOUND_PAGE_FRONT},
        {"RUNTIME_PASSIVE", MOUND_PAGE_SANITIZER},
    };
    uint8_t mode;
    uint64_t value;
    if (library->mode != 0 &&
        m->read(m, library->mode + bias, &mode, sizeof mode))
        for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++)
            if (layout_find(&library->table, modes[i].name, &value, NULL) &&
                value == mode)
                return modes[i].serves;
    return MOUND_PAGE_SERVES;
}
