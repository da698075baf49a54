// summary.c: see summary.h.
#include "prof/summary.h"

#include "base/print.h"
#include "mound_page.h"
#include "prof/memstats_write.h"
#include "prof/parts.h"

enum {
    NAME_COLUMN = 16,
    NUMBER_COLUMN = 9,
    PERCENT_COLUMN = 8, // and a space
    WORST = 3,          // classes with the most waste
};
static const double SECOND_NS = 1e9;

static const char *const units[] = {" KiB", " MiB", " GiB", " TiB"};

// struct column is a column of sizes in one unit, and of percentages, whose sums are
// the rounded sums: each is the difference of two rounded sums.
struct column {
    uint64_t whole; // bytes
    unsigned unit;
    unsigned scale; // 10: with one decimal
    uint64_t at;    // bytes so far
    uint64_t shown; // of them, in 1 / scale of the unit
    uint64_t tenths;
};

static uint64_t rounded(double x) {
    return (uint64_t)(x + 0.5);
}

static struct column column_of(uint64_t whole) {
    enum { IN_KIB_LOG2 = 23, STEP_LOG2 = 10, LAST_UNIT = 3 };
    struct column c = {.whole = whole, .scale = 1};
    for (uint64_t n = whole >> IN_KIB_LOG2; n > 0 && c.unit < LAST_UNIT;
         n >>= STEP_LOG2)
        c.unit++;
    if (c.unit > 0)
        c.scale = 10;
    return c;
}

static uint64_t column_units(const struct column *c, uint64_t nbytes) {
    return rounded((double)nbytes * c->scale /
                   (double)((uint64_t)1 << (10 * (c->unit + 1))));
}

static void print_scaled(struct print *out, uint64_t n, unsigned scale,
                         const char *sign, unsigned width) {
    struct print text = print_to(PRINT_NOWHERE);
    print_str(&text, sign);
    print_u64(&text, n / scale);
    if (scale > 1) {
        print_char(&text, '.');
        print_u64(&text, n % scale);
    }
    print_char(&text, '\0');
    print_str_right(out, text.buf, width);
}

// column_next prints a part's size and percentage; less: it is subtracted.
static void column_next(struct print *out, struct column *c, uint64_t nbytes,
                        bool less) {
    uint64_t at = less ? c->at - nbytes : c->at + nbytes;
    uint64_t shown = column_units(c, at);
    uint64_t tenths =
        c->whole == 0 ? 0 : rounded((double)at * 1000 / (double)c->whole);
    const char *sign = less ? "-" : "";
    print_scaled(out, less ? c->shown - shown : shown - c->shown, c->scale,
                 sign, NUMBER_COLUMN);
    print_str(out, units[c->unit]);
    print_char(out, ' ');
    print_scaled(out, less ? c->tenths - tenths : tenths - c->tenths, 10, sign,
                 PERCENT_COLUMN);
    print_str(out, "%   ");
    c->at = at;
    c->shown = shown;
    c->tenths = tenths;
}

static void name(struct print *out, const char *text) {
    print_str(out, "  ");
    print_str_left(out, text, NAME_COLUMN);
}

static void row(struct print *out, struct column *c, const char *text,
                uint64_t nbytes, const char *meaning) {
    name(out, text);
    column_next(out, c, nbytes, /* less= */ false);
    print_str(out, meaning);
    print_char(out, '\n');
}

// print_short prints a size without the spaces that align it.
static void print_short(struct print *out, uint64_t nbytes) {
    if (nbytes < 1024) {
        print_count(out, nbytes, "byte");
    } else {
        print_size(out, nbytes, 0);
    }
}

static void print_name(struct print *out, const char *text, size_t n) {
    for (size_t i = 0; i < n && text[i] != '\0'; i++) {
        unsigned char c =
            (unsigned char)text[i]; // a char may be signed, or not
        print_char(out, c >= ' ' && c != 0x7f ? text[i] : '?');
    }
    if (text[0] == '\0')
        print_char(out, '?');
}

static void print_version(struct print *out, uint32_t version) {
    print_u64(out, version / 10000);
    print_char(out, '.');
    print_u64(out, version / 100 % 100);
    print_char(out, '.');
    print_u64(out, version % 100);
}

static void print_two(struct print *out, uint64_t n, const char *unit,
                      uint64_t m, const char *smaller) {
    print_u64(out, n);
    print_str(out, unit);
    if (m > 0) {
        print_u64(out, m);
        print_str(out, smaller);
    }
}

static void print_duration(struct print *out, uint64_t ns) {
    enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
    uint64_t s = ns / (uint64_t)SECOND_NS;
    if (s < 10) {
        uint64_t ms = ns / 1000000;
        print_u64(out, ms / 1000);
        print_char(out, '.');
        print_u64(out, ms % 1000 / 100);
        print_u64(out, ms % 100 / 10);
        if (s == 0)
            print_u64(out, ms % 10);
        print_str(out, " s");
    } else if (s < MINUTE) {
        print_u64(out, s);
        print_str(out, " s");
    } else if (s < HOUR) {
        print_two(out, s / MINUTE, " min ", s % MINUTE, " s");
    } else if (s < DAY) {
        print_two(out, s / HOUR, " h ", s % HOUR / MINUTE, " min");
    } else {
        print_two(out, s / DAY, " days ", s % DAY / HOUR, " h");
    }
}

static const char *server_text(uint32_t serves) {
    static const char *const texts[] = {
        [MOUND_PAGE_OFF] = "the C library (MOUND_OFF=1)",
        [MOUND_PAGE_SANITIZER] = "the runtime of a sanitizer",
        [MOUND_PAGE_FRONT] = "another allocator, which comes before mound",
        [MOUND_PAGE_BEHIND] = "another allocator, which comes before mound and "
                              "passes some calls on to it",
    };
    if (serves == 0 || serves >= sizeof texts / sizeof texts[0])
        return "another allocator";
    return texts[serves];
}

static void write_who(struct print *out, const struct mound_page *page) {
    const struct mound_page_identity *id = &page->identity;
    print_str(out, "mound ");
    print_version(out, id->library);
    print_str(out, ": ");
    print_name(out, id->program, sizeof id->program);
    print_str(out, ", pid ");
    print_u64(out, id->pid);
    if (id->parent_page != 0)
        print_str(out, " (forked)");
}

static void write_end(struct print *out, const struct mound_page *page) {
    const struct mound_page_identity *id = &page->identity;
    if (id->state == MOUND_PAGE_EXITED) {
        print_str(out, ", ended");
        if (id->status >= 0) {
            print_str(out, " with status ");
            print_u64(out, (uint64_t)id->status);
        }
    } else if (id->state == MOUND_PAGE_SIGNALLED && id->status <= 0) {
        print_str(out, ", killed or crashed some time");
    } else if (id->state == MOUND_PAGE_SIGNALLED) {
        print_str(out, ", ended by signal ");
        print_u64(out, (uint64_t)id->status);
    } else {
        print_str(out, ", running");
    }
    if (id->start_unix_ns != 0) {
        print_str(out, id->state == MOUND_PAGE_RUNNING ? " for " : " after ");
        print_duration(out, parts_duration(page));
    }
    print_char(out, '\n');
}

static uint64_t rss_peak(const struct mound_page_stats *st) {
    return st->rss_peak < st->rss ? st->rss : st->rss_peak;
}

static void write_rss(struct print *out, const struct mound_page *page,
                      const struct parts *p, const struct column *c) {
    const struct mound_page_stats *st = &page->stats;
    name(out, p->rss_known ? "RSS" : "mound's memory");
    print_scaled(out, column_units(c, p->rss), c->scale, "", NUMBER_COLUMN);
    print_str(out, units[c->unit]);
    if (!p->rss_known) {
        print_str(out, "   the RSS of the process is not known\n");
        return;
    }
    print_char(out, ' ');
    print_scaled(out, 1000, 10, "", PERCENT_COLUMN);
    print_str(out, "%   ");
    print_str(out, "peak ");
    print_scaled(out, column_units(c, rss_peak(st)), c->scale, "", 0);
    print_str(out, units[c->unit]);
    if (st->swap > 0) {
        print_str(out, "; swapped out: ");
        print_short(out, st->swap);
    }
    print_char(out, '\n');
}

static void write_live(struct print *out, const struct mound_page *page,
                       const struct parts *p, struct column *c) {
    const struct mound_page_stats *st = &page->stats;
    name(out, "live objects");
    column_next(out, c, p->live, /* less= */ false);
    print_count(out, st->mallocs > st->frees ? st->mallocs - st->frees : 0,
                "object");
    if (p->untouched >= c->whole / 1000 && p->untouched > 0) {
        print_str(out, "; ");
        print_short(out, p->untouched);
        print_str(out, " more have no memory (untouched)");
    }
    print_char(out, '\n');
    if (p->rounding_known)
        row(out, c, "rounding", p->rounding,
            "slots larger than the objects (estimated)");
}

static void write_parts(struct print *out, const struct mound_page *page,
                        const struct parts *p) {
    struct column c = column_of(p->rss);
    write_rss(out, page, p, &c);
    write_live(out, page, p, &c);
    row(out, &c, "free slots", p->holes,
        "between live objects (fragmentation)");
    row(out, &c, "caches", p->caches, "free slots that threads hold");
    row(out, &c, "idle pages", p->idle, "free, kept for the next mallocs");
    row(out, &c, "records", p->records, "mound's own tables");
    if (p->rss_known)
        row(out, &c, "not mound's", p->other,
            "code, stacks, files, other mappings");
    if (p->absent > 0) {
        name(out, "not in memory");
        column_next(out, &c, p->absent, /* less= */ true);
        print_str(out, "of the above: never touched, or swapped out\n");
    }
}

// print_rate prints how many a second.
static void print_rate(struct print *out, uint64_t n, uint64_t ns) {
    if (ns == 0)
        return; // not known
    double rate = (double)n * SECOND_NS / (double)ns;
    print_str(out, " (");
    if (rate >= 1e6 && rate < 1e15) {
        print_scaled(out, rounded(rate / 1e5), 10, "", 0);
        print_str(out, " million");
    } else {
        print_u64(out, rate < 1e6 ? rounded(rate) : 0);
    }
    print_str(out, " a second)");
}

static void write_calls(struct print *out, const struct mound_page *page) {
    const struct mound_page_stats *st = &page->stats;
    // The counters of a child of fork include its parent's.
    uint64_t ns = page->identity.parent_page ? 0 : parts_duration(page);
    name(out, "mallocs");
    print_u64(out, st->mallocs);
    print_rate(out, st->mallocs, ns);
    print_str(out, ", frees ");
    print_u64(out, st->frees);
    print_rate(out, st->frees, ns);
    print_char(out, '\n');
}

// by_waste fills order with the classes that were used, the one with the most
// waste first, and returns how many.
static unsigned by_waste(const struct mound_page *page,
                         unsigned char order[MOUND_PAGE_CLASSES]) {
    unsigned n = 0;
    for (unsigned c = 0; c < MOUND_PAGE_CLASSES; c++) {
        const struct mound_page_class *class = &page->stats.classes[c];
        if (class->mallocs == 0 && class->slots == 0)
            continue;
        unsigned i = n++;
        for (; i > 0 && parts_waste(page, order[i - 1]) < parts_waste(page, c);
             i--)
            order[i] = order[i - 1];
        order[i] = (unsigned char)c;
    }
    return n;
}

static void write_worst(struct print *out, const struct mound_page *page) {
    unsigned char order[MOUND_PAGE_CLASSES];
    unsigned n = by_waste(page, order), shown = 0;
    name(out, "most waste");
    for (; shown < n && shown < WORST; shown++) {
        uint64_t waste = parts_waste(page, order[shown]);
        if (waste == 0)
            break;
        if (shown > 0)
            print_str(out, ", ");
        print_short(out, waste);
        if (order[shown] == 0) {
            print_str(out, " in large objects");
            continue;
        }
        print_str(out, " in slots of ");
        print_u64(out, page->stats.classes[order[shown]].size);
    }
    print_str(out, shown == 0 ? "none\n" : "\n");
}

// write_limits adds a line for each item that is not always present.
static void write_limits(struct print *out, const struct mound_page *page) {
    const struct mound_page_stats *st = &page->stats;
    if (st->memlimit != 0) {
        name(out, "limit");
        print_short(out, st->memlimit);
        print_str(out, " (MOUND_MEMLIMIT), exceeded ");
        print_count(out, st->memlimit_exceeded, "time");
        print_char(out, '\n');
    }
    if (st->huge + st->heap_huge > 0 && st->huge_ns == st->published_ns) {
        name(out, "huge pages");
        print_short(out, st->huge);
        print_str(out, " of RSS; of the heap ");
        print_short(out, st->heap_huge);
        print_str(out, ", where no object uses ");
        print_short(out, st->heap_huge_unused);
        print_char(out, '\n');
    }
    if (st->huge_stalls > 0) {
        name(out, "stalls");
        print_count(out, st->huge_stalls, "slow huge page");
        print_str(out, ", after which some were skipped\n");
    }
    if (st->release_refused != 0) {
        name(out, "refused");
        print_str(out, "the system takes no memory back\n");
    }
}

int summary_write(const struct mound_page *page, int fd) {
    struct print out = print_to(fd);
    struct parts parts;
    write_who(&out, page);
    if (page->identity.serves != MOUND_PAGE_SERVES) {
        print_str(&out, ": malloc is served by ");
        print_str(&out, server_text(page->identity.serves));
        print_char(&out, '\n');
        print_flush(&out);
        return out.error;
    }
    parts_of(page, &parts);
    write_end(&out, page);
    write_parts(&out, page, &parts);
    write_calls(&out, page);
    write_worst(&out, page);
    write_limits(&out, page);
    print_flush(&out);
    return out.error;
}

enum {
    SIZE_COLUMN = 8,
    COUNT_COLUMN = 12,
    CALLS_COLUMN = 13,
    BYTES_COLUMN = 12,
};

static void write_class(struct print *out, const struct mound_page *page,
                        unsigned c) {
    const struct mound_page_class *class = &page->stats.classes[c];
    if (c == 0)
        print_str_right(out, "> 32768", SIZE_COLUMN);
    else
        print_u64_right(out, class->size, SIZE_COLUMN);
    print_u64_right(out, class->live, COUNT_COLUMN);
    print_size(out, class->live_bytes, BYTES_COLUMN);
    print_u64_right(out, class->mallocs, CALLS_COLUMN);
    print_u64_right(out, class->frees, CALLS_COLUMN);
    print_size(out, parts_free(page, c), BYTES_COLUMN);
    print_size(out, parts_cached(page, c), BYTES_COLUMN);
    if (class->rounding == MOUND_PAGE_UNKNOWN)
        print_str_right(out, "not known  ", BYTES_COLUMN);
    else
        print_size(out, class->rounding, BYTES_COLUMN);
    print_char(out, '\n');
}

int summary_write_classes(const struct mound_page *page, int fd) {
    struct print out = print_to(fd);
    unsigned char order[MOUND_PAGE_CLASSES];
    unsigned n = by_waste(page, order);
    if (page->identity.serves != MOUND_PAGE_SERVES || n == 0)
        return 0;
    print_char(&out, '\n');
    print_str_right(&out, "slot", SIZE_COLUMN);
    print_str_right(&out, "live", COUNT_COLUMN);
    print_str_right(&out, "live bytes", BYTES_COLUMN);
    print_str_right(&out, "mallocs", CALLS_COLUMN);
    print_str_right(&out, "frees", CALLS_COLUMN);
    print_str_right(&out, "free slots", BYTES_COLUMN);
    print_str_right(&out, "caches", BYTES_COLUMN);
    print_str_right(&out, "rounding", BYTES_COLUMN);
    print_char(&out, '\n');
    for (unsigned i = 0; i < n; i++)
        write_class(&out, page, order[i]);
    print_flush(&out);
    return out.error;
}

int summary_write_json(const struct mound_page *page, int cmdline_pid, int fd) {
    return memstats_write_json(NULL, page, cmdline_pid, fd);
}
