// memstats_write.c: see memstats_write.h.
#include "prof/memstats_write.h"

#include "base/print.h"
#include "mound_page.h"
#include "os/sys.h"
#include "prof/parts.h"

static const uint64_t SECOND_NS = 1000 * 1000 * 1000;

// write_cmdline writes the first CMDLINE_MAX bytes of the arguments, and of each as
// much as the buffer holds: there may be megabytes of them.
static void write_cmdline(struct print *out, int fd) {
    enum { CHUNK = 1024, CMDLINE_MAX = 64 << 10 };
    char chunk[CHUNK];
    char arg[PRINT_BUFFER];
    size_t n = 0, total = 0;
    const char *before = "[";
    long got;
    while (fd >= 0 && total < CMDLINE_MAX &&
           (got = sys_read(fd, chunk, sizeof chunk)) > 0) {
        total += (size_t)got;
        for (long i = 0; i < got; i++) {
            if (chunk[i] != '\0') {
                if (n < sizeof arg)
                    arg[n++] = chunk[i];
                continue;
            }
            print_str(out, before);
            print_json_str(out, arg, n);
            before = ",";
            n = 0;
        }
    }
    if (fd >= 0)
        sys_close(fd);
    if (n > 0) { // what is left of the last one
        print_str(out, before);
        print_json_str(out, arg, n);
        before = ",";
    }
    print_str(out, *before == '[' ? "[]" : "]");
}

static int open_cmdline(int pid) {
    if (pid == 0)
        return sys_open_read("/proc/self/cmdline");
    struct print path = print_to(PRINT_NOWHERE);
    print_str(&path, "/proc/");
    print_u64(&path, (uint64_t)pid);
    print_str(&path, "/cmdline");
    print_char(&path, '\0');
    return sys_open_read(path.buf);
}

static size_t name_length(const struct mound_page_identity *id) {
    size_t n = 0;
    while (n < sizeof id->program && id->program[n] != '\0')
        n++;
    return n;
}

static void key(struct print *out, const char *name) {
    print_str(out, ",\"");
    print_str(out, name);
    print_str(out, "\":");
}

static void number(struct print *out, const char *name, uint64_t n) {
    key(out, name);
    print_u64(out, n);
}

// An estimate that is not known is null.
static void estimate(struct print *out, const char *name, uint64_t n,
                     bool known) {
    if (known) {
        number(out, name, n);
    } else {
        key(out, name);
        print_str(out, "null");
    }
}

// seconds prints nanoseconds as seconds with three decimals.
static void seconds(struct print *out, const char *name, uint64_t ns) {
    uint64_t ms = ns % SECOND_NS / 1000000;
    number(out, name, ns / SECOND_NS);
    print_char(out, '.');
    print_u64(out, ms / 100);
    print_u64(out, ms / 10 % 10);
    print_u64(out, ms % 10);
}

static void write_memstats(struct print *out, const struct mound_memstats *st,
                           const struct mound_page *page) {
    const struct mound_page_stats *more = &page->stats;
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"Alloc", st->alloc},
        {"TotalAlloc", st->total_alloc},
        {"Sys", st->sys},
        {"Lookups", st->lookups},
        {"Mallocs", st->mallocs},
        {"Frees", st->frees},
        {"HeapAlloc", st->heap_alloc},
        {"HeapSys", st->heap_sys},
        {"HeapIdle", st->heap_idle},
        {"HeapInuse", st->heap_inuse},
        {"HeapReleased", st->heap_released},
        {"HeapObjects", st->heap_objects},
        {"StackInuse", st->stack_inuse},
        {"StackSys", st->stack_sys},
        {"MSpanInuse", st->mspan_inuse},
        {"MSpanSys", st->mspan_sys},
        {"MCacheInuse", st->mcache_inuse},
        {"MCacheSys", st->mcache_sys},
        {"BuckHashSys", st->buckhash_sys},
        {"GCSys", st->gc_sys},
        {"OtherSys", st->other_sys},
        {"NextGC", st->next_gc},
        {"LastGC", st->last_gc},
        {"PauseTotalNs", st->pause_total_ns},
        {"NumGC", st->num_gc},
        {"NumForcedGC", st->num_forced_gc},
        {"GCCPUFraction", 0},
        // Not Go's:
        {"CacheBytes", st->cache_bytes},
        {"TransferBytes", st->transfer_bytes},
        {"LargeAlloc", st->large_alloc},
        {"LargeTotalAlloc", st->large_total_alloc},
        {"Threads", st->nthreads},
        {"Spans", st->nspans},
        {"HeapHoles", st->heap_holes},
        {"HeapHuge", more->heap_huge},
        {"HeapHugeUnused", more->heap_huge_unused},
        {"MemLimit", st->mem_limit},
        {"MemLimitExceeded", st->mem_limit_exceeded},
        {"HugeStalls", st->huge_stalls},
        {"ReleaseRefused", st->release_refused},
    };
    print_str(out, ",\"memstats\":{");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        print_str(out, i == 0 ? "\"" : ",\"");
        print_str(out, fields[i].name);
        print_str(out, "\":");
        print_u64(out, fields[i].value);
    }
    print_str(out, ",\"EnableGC\":false,\"DebugGC\":false,\"BySize\":[");
    for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
        print_str(out, c == 0 ? "{\"Size\":" : ",{\"Size\":");
        print_u64(out, st->by_size[c].size);
        number(out, "Mallocs", st->by_size[c].mallocs);
        number(out, "Frees", st->by_size[c].frees);
        print_str(out, "}");
    }
    print_str(out, "]}");
}

static void write_who(struct print *out, const struct mound_page *page) {
    static const char *const states[] = {"running", "exited", "signalled"};
    static const char *const servers[] = {"mound", "libc", "sanitizer", "other",
                                          "other, and mound for some calls"};
    const struct mound_page_identity *id = &page->identity;
    print_str(out, ",\"mound\":{\"version\":\"");
    print_u64(out, id->library / 10000);
    print_char(out, '.');
    print_u64(out, id->library / 100 % 100);
    print_char(out, '.');
    print_u64(out, id->library % 100);
    print_char(out, '"');
    number(out, "pid", id->pid);
    key(out, "program");
    print_json_str(out, id->program, name_length(id));
    key(out, "state");
    print_char(out, '"');
    print_str(out, id->state < 3 ? states[id->state] : "?");
    print_char(out, '"');
    if (id->state != MOUND_PAGE_RUNNING && id->status >= 0)
        number(out, id->state == MOUND_PAGE_EXITED ? "status" : "signal",
               (uint64_t)id->status);
    key(out, "serves");
    print_char(out, '"');
    print_str(out, id->serves < 5 ? servers[id->serves] : "?");
    print_char(out, '"');
    seconds(out, "start", id->start_unix_ns);
    seconds(out, "duration", parts_duration(page));
}

static void write_parts(struct print *out, const struct mound_page *page) {
    const struct mound_page_stats *st = &page->stats;
    struct parts p;
    parts_of(page, &p);
    number(out, "rss", p.rss_known ? p.rss : 0);
    number(out, "rss_peak", st->rss_peak);
    number(out, "swap", st->swap);
    number(out, "huge", st->huge);
    key(out, "parts");
    print_str(out, "{\"live\":");
    print_u64(out, p.live);
    estimate(out, "rounding", p.rounding, p.rounding_known);
    number(out, "free_slots", p.holes);
    number(out, "caches", p.caches);
    number(out, "idle", p.idle);
    number(out, "records", p.records);
    number(out, "not_mound", p.other);
    number(out, "absent", p.absent);
    print_char(out, '}');
    number(out, "untouched", p.untouched);
}

static void write_classes(struct print *out, const struct mound_page *page) {
    const char *before = "{\"size\":";
    key(out, "classes");
    print_char(out, '[');
    for (unsigned c = 0; c < MOUND_PAGE_CLASSES; c++) {
        const struct mound_page_class *class = &page->stats.classes[c];
        if (class->mallocs == 0 && class->slots == 0)
            continue;
        print_str(out, before);
        print_u64(out, class->size);
        number(out, "live", class->live);
        number(out, "live_bytes", class->live_bytes);
        number(out, "mallocs", class->mallocs);
        number(out, "frees", class->frees);
        number(out, "free_bytes", parts_free(page, c));
        number(out, "cached_bytes", parts_cached(page, c));
        estimate(out, "rounding", class->rounding,
                 class->rounding != MOUND_PAGE_UNKNOWN);
        print_char(out, '}');
        before = ",{\"size\":";
    }
    print_char(out, ']');
}

// memstats_of fills what a page knows of st.
static void memstats_of(const struct mound_page_stats *from,
                        struct mound_memstats *ret) {
    *ret = (struct mound_memstats){
        .alloc = from->live,
        .total_alloc = from->total_alloc,
        .mallocs = from->mallocs,
        .frees = from->frees,
        .heap_alloc = from->live,
        .heap_sys = from->inuse + from->idle + from->released,
        .heap_idle = from->idle + from->released,
        .heap_inuse = from->inuse,
        .heap_released = from->released,
        .heap_objects = from->mallocs - from->frees,
        .heap_holes = from->holes,
        .other_sys = from->records,
        .cache_bytes = from->cached,
        .large_alloc = from->classes[0].live_bytes,
        .nthreads = from->threads,
        .nspans = from->spans,
        .mem_limit = from->memlimit,
        .mem_limit_exceeded = from->memlimit_exceeded,
        .huge_stalls = from->huge_stalls,
        .release_refused = from->release_refused,
    };
    ret->sys = ret->heap_sys + ret->other_sys;
    for (unsigned c = 0; c < MOUND_PAGE_CLASSES; c++)
        ret->by_size[c] = (struct mound_bysize){
            .size = sizeclass_bytes[c],
            .mallocs = from->classes[c].mallocs,
            .frees = from->classes[c].frees,
            .slots = from->classes[c].slots,
        };
}

int memstats_write_json(const struct mound_memstats *st,
                        const struct mound_page *page, int cmdline_pid,
                        int fd) {
    struct mound_memstats from_page;
    struct print out = print_to(fd);
    int cmdline = cmdline_pid >= 0 ? open_cmdline(cmdline_pid) : -1;
    if (st == NULL)
        memstats_of(&page->stats, &from_page);
    print_str(&out, "{\"cmdline\":");
    if (cmdline_pid >= 0) {
        write_cmdline(&out, cmdline);
    } else {
        print_char(&out, '[');
        print_json_str(&out, page->identity.program,
                       name_length(&page->identity));
        print_char(&out, ']');
    }
    write_memstats(&out, st != NULL ? st : &from_page, page);
    write_who(&out, page);
    if (page->identity.serves == MOUND_PAGE_SERVES) {
        write_parts(&out, page);
        write_classes(&out, page);
    }
    print_str(&out, "}}\n");
    print_flush(&out);
    return out.error;
}
