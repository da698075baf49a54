// malloc_info.c: glibc's calls that describe the heap, with mound's own figures, under
// mound_ names. glibc's arenas, bins and mappings have no counterpart; its fields
// mean:
//
//   arena, uordblks, fordblks   pages of small objects: all, live, not live
//   hblks, hblkhd               large objects: number, bytes
//   keepcost                    free pages with memory behind them
//   max mmap bytes              all memory obtained from the system
#include "mound.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/print.h"

// mallinfo is deprecated for callers; programs that use it must still work.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

EXPORT struct mallinfo2 mound_mallinfo2(void) {
    struct mound_memstats st;
    mound_read_memstats(&st, sizeof st);
    struct mallinfo2 info = {0};
    info.arena = st.heap_sys - st.large_alloc;
    info.uordblks = st.heap_alloc - st.large_alloc;
    info.fordblks = info.arena - info.uordblks;
    info.hblks = st.by_size[0].mallocs - st.by_size[0].frees;
    info.hblkhd = st.large_alloc;
    info.keepcost = st.heap_idle - st.heap_released;
    return info;
}

// The old call has ints, which glibc lets wrap. The largest int is the better answer.
static int as_int(size_t n) {
    return n > INT32_MAX ? INT32_MAX : (int)n;
}

EXPORT struct mallinfo mound_mallinfo(void) {
    struct mallinfo2 wide = mound_mallinfo2();
    struct mallinfo info = {0};
    info.arena = as_int(wide.arena);
    info.uordblks = as_int(wide.uordblks);
    info.fordblks = as_int(wide.fordblks);
    info.hblks = as_int(wide.hblks);
    info.hblkhd = as_int(wide.hblkhd);
    info.keepcost = as_int(wide.keepcost);
    return info;
}

// These parameters tune glibc's heap and change nothing here. As in glibc 2.36, every
// parameter is accepted, except a fast-bin limit out of range.
EXPORT int mound_mallopt(int param, int value) {
    enum { FAST_MAX = 80 * sizeof(size_t) / 4 };
    if (param == M_MXFAST)
        return value >= 0 && value <= (int)FAST_MAX;
    return 1;
}

// After the table come those of glibc's lines that have a meaning here. Address space
// is never given back, so the current mapped bytes are also the maximum.
EXPORT void mound_malloc_stats(void) {
    enum { WIDTH = 10 };
    struct mound_memstats st;
    mound_write_memstats(2);
    mound_read_memstats(&st, sizeof st);
    struct print out = print_to(2);
    print_str(&out, "Total (incl. mmap):\nsystem bytes     = ");
    print_u64_right(&out, st.sys, WIDTH);
    print_str(&out, "\nin use bytes     = ");
    print_u64_right(&out, st.heap_alloc, WIDTH);
    print_str(&out, "\nmax mmap bytes   = ");
    print_u64_right(&out, st.sys, WIDTH);
    print_str(&out, "\n");
    print_flush(&out);
}

EXPORT int mound_malloc_info(int options, FILE *f) {
    if (options != 0)
        return EINVAL;
    struct mound_memstats st;
    mound_read_memstats(&st, sizeof st);
    fprintf(f, "<malloc version=\"mound-%d.%d.%d\">\n<sizes>\n",
            MOUND_VERSION_MAJOR, MOUND_VERSION_MINOR, MOUND_VERSION_PATCH);
    for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
        const struct mound_bysize *by = &st.by_size[c];
        if (by->mallocs > 0)
            fprintf(f,
                    "  <class n=\"%d\" size=\"%llu\" mallocs=\"%llu\" "
                    "frees=\"%llu\"/>\n",
                    c, (unsigned long long)by->size,
                    (unsigned long long)by->mallocs,
                    (unsigned long long)by->frees);
    }
    const struct {
        const char *element;
        const char *type;
        uint64_t size;
    } totals[] = {
        {"total", "live", st.heap_alloc},
        {"total", "large", st.large_alloc},
        {"total", "cached", st.cache_bytes + st.transfer_bytes},
        {"system", "current", st.heap_sys - st.heap_released - st.heap_holes},
        {"system", "max", st.heap_sys},
        {"system", "metadata", st.sys - st.heap_sys},
    };
    const size_t ntotals = sizeof totals / sizeof totals[0];
    for (size_t i = 0; i < ntotals; i++)
        fprintf(f, "%s<%s type=\"%s\" size=\"%llu\"/>\n%s",
                i == 0 ? "</sizes>\n" : "", totals[i].element, totals[i].type,
                (unsigned long long)totals[i].size,
                i + 1 == ntotals ? "</malloc>\n" : "");
    return 0;
}
