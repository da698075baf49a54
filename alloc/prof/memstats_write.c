// memstats_write.c: see memstats_write.h.
#include "prof/memstats_write.h"

#include "base/print.h"
#include "os/sys.h"

enum {
    NAME_COLUMN = 14,
    SIZE_COLUMN = 12,
    COUNT_COLUMN = 14,
};

static void row(struct print *out, const char *meaning) {
    print_str(out, "   ");
    print_str(out, meaning);
    print_str(out, "\n");
}

static void size_row(struct print *out, const char *name, uint64_t nbytes,
                     const char *meaning) {
    print_str(out, "  ");
    print_str_left(out, name, NAME_COLUMN);
    print_size(out, nbytes, SIZE_COLUMN);
    print_u64_right(out, nbytes, COUNT_COLUMN + 2);
    row(out, meaning);
}

static void count_row(struct print *out, const char *name, uint64_t n,
                      const char *meaning) {
    print_str(out, "  ");
    print_str_left(out, name, NAME_COLUMN);
    print_str_left(out, "", SIZE_COLUMN);
    print_u64_right(out, n, COUNT_COLUMN + 2);
    row(out, meaning);
}

static void print_version(struct print *out) {
    print_u64(out, MOUND_VERSION_MAJOR);
    print_char(out, '.');
    print_u64(out, MOUND_VERSION_MINOR);
    print_char(out, '.');
    print_u64(out, MOUND_VERSION_PATCH);
}

static void write_totals(struct print *out, const struct mound_memstats *st,
                         const struct memstats_about *about) {
    size_row(out, "Alloc", st->alloc, "bytes of live objects");
    size_row(out, "TotalAlloc", st->total_alloc,
             "bytes of all objects ever allocated");
    size_row(out, "Sys", st->sys, "bytes obtained from the system");
    count_row(out, "Mallocs", st->mallocs, "objects ever allocated");
    count_row(out, "Frees", st->frees, "objects ever freed");
    count_row(out, "HeapObjects", st->heap_objects, "live objects");
    size_row(out, "HeapSys", st->heap_sys, "pages: HeapInuse + HeapIdle");
    size_row(out, "HeapInuse", st->heap_inuse, "pages in spans");
    size_row(out, "HeapIdle", st->heap_idle, "pages in no span");
    size_row(out, "HeapReleased", st->heap_released,
             "of HeapIdle: no memory behind it");
    size_row(out, "HeapHoles", st->heap_holes,
             "of HeapInuse: no memory behind it");
    if (about->huge.bytes > 0) {
        size_row(out, "HeapHuge", about->huge.bytes,
                 "regions advised for huge pages");
        size_row(out, "HeapHugeUnused", about->huge.unused,
                 "of it: in no live object");
    }
    if (st->huge_stalls > 0)
        count_row(out, "stalls", st->huge_stalls,
                  "slow huge pages, after which some were skipped");
    if (st->release_refused != 0)
        count_row(out, "refused", st->release_refused,
                  "the system refuses to take memory back");
    if (st->mem_limit != 0) {
        size_row(out, "MemLimit", st->mem_limit, "MOUND_MEMLIMIT");
        count_row(out, "exceeded", st->mem_limit_exceeded, "times");
    }
    size_row(out, "MSpanSys", st->mspan_sys, "records of spans");
    size_row(out, "MCacheSys", st->mcache_sys, "caches of threads");
    size_row(out, "GCSys", st->gc_sys, "page map and page bitmaps");
    size_row(out, "OtherSys", st->other_sys, "other records");
    size_row(out, "in caches", st->cache_bytes, "free slots held by threads");
    size_row(out, "between", st->transfer_bytes,
             "free slots on their way between threads");
    count_row(out, "threads", st->nthreads, "with a cache");
    if (about->rss_bytes > 0) {
        size_row(out, "RSS", about->rss_bytes, "of the whole process");
        size_row(out, "AnonHugePages", about->huge_bytes,
                 "of it in transparent huge pages");
    }
}

enum {
    CLASS_COLUMN = 7,
    BYTES_COLUMN = 8,
    CALLS_COLUMN = 13,
    LIVE_COLUMN = 11,
    WASTE_COLUMN = 9,
};

// write_class prints one class in use. "unused" is what of its spans no live
// object has; "rounding" what an object loses at worst to the next class below.
static void write_class(struct print *out, const struct mound_memstats *st,
                        unsigned c) {
    const struct mound_bysize *by = &st->by_size[c];
    uint64_t live = by->mallocs - by->frees;
    uint64_t span_bytes = by->slots * by->size;
    uint64_t unused = span_bytes - live * by->size;
    // Below 32 comes 16: the slots of 24 bytes are never used.
    enum { CLASS_24 = 3 };
    unsigned below = c - 1 == CLASS_24 ? c - 2 : c - 1;
    uint64_t lost = by->size - sizeclass_bytes[below] - 1;
    print_u64_right(out, c, CLASS_COLUMN);
    print_u64_right(out, by->size, BYTES_COLUMN);
    print_u64_right(out, by->mallocs, CALLS_COLUMN);
    print_u64_right(out, by->frees, CALLS_COLUMN);
    print_u64_right(out, live, LIVE_COLUMN);
    print_size(out, live * by->size, SIZE_COLUMN);
    print_size(out, span_bytes, SIZE_COLUMN);
    print_percent(out, (int64_t)unused < 0 ? 0 : unused, span_bytes,
                  WASTE_COLUMN);
    print_percent(out, lost, by->size, WASTE_COLUMN + 1);
    print_str(out, "\n");
}

static void write_large(struct print *out, const struct mound_memstats *st) {
    const struct mound_bysize *by = &st->by_size[0];
    if (by->mallocs == 0)
        return;
    print_str_right(out, "large", CLASS_COLUMN);
    print_str_right(out, "> 32768", BYTES_COLUMN);
    print_u64_right(out, by->mallocs, CALLS_COLUMN);
    print_u64_right(out, by->frees, CALLS_COLUMN);
    print_u64_right(out, by->mallocs - by->frees, LIVE_COLUMN);
    print_size(out, st->large_alloc, SIZE_COLUMN);
    print_size(out, st->large_alloc, SIZE_COLUMN);
    print_str(out, "\n");
}

int memstats_write_table(const struct mound_memstats *st,
                         const struct memstats_about *about, int fd) {
    struct print out = print_to(fd);
    print_str(&out, "mound ");
    print_version(&out);
    print_str(&out, ": MemStats of ");
    print_str(&out, about->program);
    print_str(&out, ", pid ");
    print_u64(&out, (uint64_t)about->pid);
    if (about->options[0] != '\0') {
        print_str(&out, ", ");
        print_str(&out, about->options);
    }
    print_str(&out, "\n\n");
    write_totals(&out, st, about);
    print_str(&out, "\n");
    print_str_right(&out, "class", CLASS_COLUMN);
    print_str_right(&out, "bytes", BYTES_COLUMN);
    print_str_right(&out, "mallocs", CALLS_COLUMN);
    print_str_right(&out, "frees", CALLS_COLUMN);
    print_str_right(&out, "live", LIVE_COLUMN);
    print_str_right(&out, "live bytes", SIZE_COLUMN);
    print_str_right(&out, "in spans", SIZE_COLUMN);
    print_str_right(&out, "unused", WASTE_COLUMN);
    print_str_right(&out, "rounding", WASTE_COLUMN + 1);
    print_str(&out, "\n");
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++)
        if (st->by_size[c].mallocs > 0)
            write_class(&out, st, c);
    write_large(&out, st);
    print_flush(&out);
    return out.error;
}

// write_cmdline writes the first CMDLINE_MAX bytes of the arguments, and of each as
// much as the buffer holds: there may be megabytes of them.
static void write_cmdline(struct print *out) {
    enum { CHUNK = 1024, CMDLINE_MAX = 64 << 10 };
    char chunk[CHUNK];
    char arg[PRINT_BUFFER];
    size_t n = 0, total = 0;
    const char *before = "[";
    int fd = sys_open_read("/proc/self/cmdline");
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

static void write_ring(struct print *out, const char *name,
                       const uint64_t ring[256]) {
    print_str(out, ",\"");
    print_str(out, name);
    print_str(out, "\":[");
    for (int i = 0; i < 256; i++) {
        if (i > 0)
            print_char(out, ',');
        print_u64(out, ring[i]);
    }
    print_str(out, "]");
}

int memstats_write_json(const struct mound_memstats *st,
                        const struct memstats_about *about, int fd) {
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
        {"HeapHuge", about->huge.bytes},
        {"HeapHugeUnused", about->huge.unused},
        {"MemLimit", st->mem_limit},
        {"MemLimitExceeded", st->mem_limit_exceeded},
        {"HugeStalls", st->huge_stalls},
        {"ReleaseRefused", st->release_refused},
    };
    struct print out = print_to(fd);
    print_str(&out, "{\"cmdline\":");
    write_cmdline(&out);
    print_str(&out, ",\"memstats\":{");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        print_str(&out, i == 0 ? "\"" : ",\"");
        print_str(&out, fields[i].name);
        print_str(&out, "\":");
        print_u64(&out, fields[i].value);
    }
    write_ring(&out, "PauseNs", st->pause_ns);
    write_ring(&out, "PauseEnd", st->pause_end);
    print_str(&out, ",\"EnableGC\":false,\"DebugGC\":false,\"BySize\":[");
    for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
        print_str(&out, c == 0 ? "{\"Size\":" : ",{\"Size\":");
        print_u64(&out, st->by_size[c].size);
        print_str(&out, ",\"Mallocs\":");
        print_u64(&out, st->by_size[c].mallocs);
        print_str(&out, ",\"Frees\":");
        print_u64(&out, st->by_size[c].frees);
        print_str(&out, "}");
    }
    print_str(&out, "]}}\n");
    print_flush(&out);
    return out.error;
}
