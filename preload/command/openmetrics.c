// openmetrics.c: see openmetrics.h. The samples of a family must be adjacent, so families
// are the outer loop.
#include "openmetrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "prof/parts.h"
#include "process.h"

enum kind { GAUGE, COUNTER };

// struct family is a family with one sample a process: a word of its statistics. A name
// ends in the unit, and for a counter then in _total.
struct family {
    const char *name, *unit, *help;
    enum kind kind;
    size_t offset; // in struct mound_page_stats
    double scale;  // from the word's unit to the sample's
    bool if_any;   // left out if 0
};

#define STAT(member) offsetof(struct mound_page_stats, member)

static const struct family families[] = {
    {"mound_process_resident_bytes", "bytes", "Resident set size (RSS).", GAUGE,
     STAT(rss), 1, false},
    {"mound_process_resident_peak_bytes", "bytes",
     "The most that the resident set was.", GAUGE, STAT(rss_peak), 1, false},
    {"mound_process_swap_bytes", "bytes", "Swapped out.", GAUGE, STAT(swap), 1,
     false},
    {"mound_heap_inuse_bytes", "bytes", "Pages in spans.", GAUGE, STAT(inuse),
     1, false},
    {"mound_heap_inuse_peak_bytes", "bytes",
     "The most that pages in spans were.", GAUGE, STAT(inuse_peak), 1, true},
    {"mound_heap_idle_bytes", "bytes", "Pages in no span, with memory.", GAUGE,
     STAT(idle), 1, false},
    {"mound_heap_released_bytes", "bytes", "Pages in no span, without memory.",
     GAUGE, STAT(released), 1, false},
    {"mound_heap_live_bytes", "bytes", "Live objects, with their whole slots.",
     GAUGE, STAT(live), 1, false},
    {"mound_heap_huge_unused_bytes", "bytes",
     "Parts of huge pages that no live object uses.", GAUGE,
     STAT(heap_huge_unused), 1, true},
    {"mound_mallocs", NULL, "Objects ever allocated.", COUNTER, STAT(mallocs),
     1, false},
    {"mound_frees", NULL, "Objects ever freed.", COUNTER, STAT(frees), 1,
     false},
    {"mound_allocated_bytes", "bytes", "Bytes of all objects ever allocated.",
     COUNTER, STAT(total_alloc), 1, false},
    {"mound_given_back_bytes", "bytes", "Bytes given back to the system.",
     COUNTER, STAT(given_back), 1, false},
    {"mound_threads", NULL, "Threads with a cache.", GAUGE, STAT(threads), 1,
     false},
    {"mound_memlimit_bytes", "bytes", "The soft limit MOUND_MEMLIMIT.", GAUGE,
     STAT(memlimit), 1, true},
    {"mound_memlimit_exceeded", NULL, "How often the soft limit was exceeded.",
     COUNTER, STAT(memlimit_exceeded), 1, true},
    {"mound_huge_page_stalls", NULL,
     "How often the kernel took long for a huge page.", COUNTER,
     STAT(huge_stalls), 1, true},
    {"mound_release_refused", NULL, "1 where the system takes no memory back.",
     GAUGE, STAT(release_refused), 1, true},
    {"mound_profile_rate_bytes", "bytes",
     "Mean bytes between samples of the heap profile.", GAUGE,
     STAT(profile_rate), 1, true},
    {"mound_published_time_seconds", "seconds",
     "When these figures were read, in Unix time.", GAUGE,
     STAT(published_unix_ns), 1e-9, true},
};
enum { NFAMILIES = sizeof families / sizeof families[0] };

struct writer {
    FILE *out;
    enum openmetrics_form form;
    const struct target *const *targets;
    size_t n;
    unsigned with;
    uint64_t pid_namespace; // of this process
};

static void head(const struct writer *w, const char *name, const char *unit,
                 const char *help, enum kind kind) {
    static const char *const types[] = {
        [GAUGE] = "gauge", [COUNTER] = "counter"};
    bool whole = kind == COUNTER && w->form != OPENMETRICS_STRICT;
    const char *end = whole ? "_total" : "";
    fprintf(w->out, "# HELP %s%s %s\n", name, end, help);
    if (kind == COUNTER && w->form == OPENMETRICS_BOTH)
        return;
    fprintf(w->out, "# TYPE %s%s %s\n", name, end, types[kind]);
    if (unit != NULL && !whole)
        fprintf(w->out, "# UNIT %s %s\n", name, unit);
}

// print_label escapes as both forms require. Bytes that are not ASCII become '?', since
// names of programs rarely have them.
static void print_label(FILE *out, const char *s) {
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\\' || c == '"')
            fprintf(out, "\\%c", c);
        else
            fputc(c < ' ' || c >= 0x7f ? '?' : c, out);
    }
}

// is_shown says whether all figures of a process are written.
static bool is_shown(const struct writer *w, const struct target *t) {
    return t->alive || (w->with & OPENMETRICS_ENDED) != 0;
}

static uint32_t pid_of(const struct target *t) {
    return t->pid != 0 ? (uint32_t)t->pid : t->page.identity.pid;
}

static bool foreign(const struct writer *w, const struct target *t) {
    return t->pid == 0 && t->page.identity.pid_namespace != w->pid_namespace;
}

// begin writes a sample up to its value; more is a further label or NULL.
static void begin(const struct writer *w, const struct target *t,
                  const char *name, enum kind kind, const char *more,
                  const char *value) {
    const struct mound_page_identity *who = &t->page.identity;
    char program[MOUND_PAGE_NAME_BYTES + 1];
    snprintf(program, sizeof program, "%.*s", MOUND_PAGE_NAME_BYTES,
             who->program);
    fprintf(w->out, "%s%s{program=\"", name, kind == COUNTER ? "_total" : "");
    print_label(w->out, program);
    fprintf(w->out, "\",pid=\"%" PRIu32 "\"", pid_of(t));
    if (foreign(w, t))
        fprintf(w->out, ",pid_namespace=\"%" PRIu64 "\"", who->pid_namespace);
    if (more != NULL)
        fprintf(w->out, ",%s=\"%s\"", more, value);
    fprintf(w->out, "} ");
}

static uint64_t word(const struct target *t, size_t offset) {
    uint64_t ret;
    memcpy(&ret, (const char *)&t->page.stats + offset, sizeof ret);
    return ret;
}

// print_value prints times to the millisecond, because a double does not have all digits.
static void print_value(FILE *out, uint64_t n, double scale) {
    if (scale == 1)
        fprintf(out, "%" PRIu64 "\n", n);
    else
        fprintf(out, "%" PRIu64 ".%03" PRIu64 "\n", n / 1000000000,
                n / 1000000 % 1000);
}

static void write_family(const struct writer *w, const struct family *f) {
    bool any = false;
    for (size_t i = 0; i < w->n; i++) {
        const struct target *t = w->targets[i];
        if (!is_shown(w, t) || (f->if_any && word(t, f->offset) == 0))
            continue;
        if (!any)
            head(w, f->name, f->unit, f->help, f->kind);
        any = true;
        begin(w, t, f->name, f->kind, NULL, NULL);
        print_value(w->out, word(t, f->offset), f->scale);
    }
}

// told says whether an earlier process has the same labels: two ended processes may have
// had the same ID.
static bool told(const struct writer *w, size_t i) {
    const struct target *t = w->targets[i];
    for (size_t j = 0; j < w->n; j++) {
        const struct target *o = w->targets[j];
        if (j != i && (j < i || o->alive) && pid_of(o) == pid_of(t) &&
            foreign(w, o) == foreign(w, t) &&
            (!foreign(w, t) || o->page.identity.pid_namespace ==
                                   t->page.identity.pid_namespace) &&
            strncmp(o->page.identity.program, t->page.identity.program,
                    MOUND_PAGE_NAME_BYTES) == 0)
            return true;
    }
    return false;
}

static void write_up(const struct writer *w) {
    static const char name[] = "mound_process_up";
    head(w, name, NULL, "1 while the process runs, 0 if it has left its page.",
         GAUGE);
    for (size_t i = 0; i < w->n; i++) {
        if (!w->targets[i]->alive && told(w, i))
            continue;
        begin(w, w->targets[i], name, GAUGE, NULL, NULL);
        fprintf(w->out, "%d\n", w->targets[i]->alive);
    }
}

static void write_start(const struct writer *w) {
    static const char name[] = "mound_process_start_time_seconds";
    head(w, name, "seconds", "When mound started in it, in Unix time.", GAUGE);
    for (size_t i = 0; i < w->n; i++) {
        if (!is_shown(w, w->targets[i]))
            continue;
        begin(w, w->targets[i], name, GAUGE, NULL, NULL);
        print_value(w->out, w->targets[i]->page.identity.start_unix_ns, 1e-9);
    }
}

static void write_parts(const struct writer *w) {
    static const char name[] = "mound_memory_bytes";
    static const char absent[] = "mound_memory_absent_bytes";
    static const struct {
        const char *name;
        size_t offset;
    } parts[] = {
        {"live", offsetof(struct parts, live)},
        {"rounding", offsetof(struct parts, rounding)},
        {"holes", offsetof(struct parts, holes)},
        {"caches", offsetof(struct parts, caches)},
        {"idle", offsetof(struct parts, idle)},
        {"records", offsetof(struct parts, records)},
        {"other", offsetof(struct parts, other)},
    };
    head(w, name, "bytes",
         "What the resident set is made of; the parts, less "
         "mound_memory_absent_bytes, add up to it.",
         GAUGE);
    for (size_t i = 0; i < w->n; i++) {
        if (!is_shown(w, w->targets[i]))
            continue;
        struct parts p;
        parts_of(&w->targets[i]->page, &p);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            uint64_t nbytes;
            memcpy(&nbytes, (const char *)&p + parts[k].offset, sizeof nbytes);
            begin(w, w->targets[i], name, GAUGE, "part", parts[k].name);
            fprintf(w->out, "%" PRIu64 "\n", nbytes);
        }
    }
    head(w, absent, "bytes", "Counted in the parts, without memory behind it.",
         GAUGE);
    for (size_t i = 0; i < w->n; i++) {
        if (!is_shown(w, w->targets[i]))
            continue;
        struct parts p;
        parts_of(&w->targets[i]->page, &p);
        begin(w, w->targets[i], absent, GAUGE, NULL, NULL);
        fprintf(w->out, "%" PRIu64 "\n", p.absent);
    }
}

static uint64_t class_mallocs(const struct mound_page *page, unsigned c) {
    return page->stats.classes[c].mallocs;
}

static uint64_t class_live(const struct mound_page *page, unsigned c) {
    return page->stats.classes[c].live;
}

static void write_classes(const struct writer *w) {
    static const struct {
        const char *name, *unit, *help;
        enum kind kind;
        uint64_t (*value)(const struct mound_page *page, unsigned c);
    } rows[] = {
        {"mound_class_mallocs", NULL,
         "Objects ever allocated in a class, named by the bytes of its slots.",
         COUNTER, class_mallocs},
        {"mound_class_live", NULL, "Live objects of a class.", GAUGE,
         class_live},
        {"mound_class_waste_bytes", "bytes",
         "Free slots of a class with memory, and rounding.", GAUGE,
         parts_waste},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        head(w, rows[k].name, rows[k].unit, rows[k].help, rows[k].kind);
        for (size_t i = 0; i < w->n; i++) {
            uint64_t last = 0; // size of the last class that was written
            for (unsigned c = 0; w->targets[i]->alive && c < MOUND_PAGE_CLASSES;
                 c++) {
                const struct mound_page *page = &w->targets[i]->page;
                const struct mound_page_class *class = &page->stats.classes[c];
                char size[24] = "large";
                // A page may be forged; no two samples may have the same labels.
                if (class->mallocs == 0 || (c > 0 && class->size <= last))
                    continue;
                if (c > 0) {
                    last = class->size;
                    snprintf(size, sizeof size, "%" PRIu64, last);
                }
                begin(w, w->targets[i], rows[k].name, rows[k].kind, "class",
                      size);
                fprintf(w->out, "%" PRIu64 "\n", rows[k].value(page, c));
            }
        }
    }
}

void openmetrics_write(FILE *out, const struct target *const *targets, size_t n,
                       enum openmetrics_form form, unsigned with) {
    const struct writer w = {out, form, targets, n, with, process_namespace()};
    write_up(&w);
    write_start(&w);
    write_parts(&w);
    for (unsigned i = 0; i < NFAMILIES; i++)
        write_family(&w, &families[i]);
    if (with & OPENMETRICS_CLASSES)
        write_classes(&w);
    fprintf(out, "# EOF\n");
}
