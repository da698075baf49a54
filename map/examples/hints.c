// hints.c: what a hint saves. 1000 entries are put into maps that were made
// for 0, 8, 64 and 512. go/hints.go is the same in Go.
//
//     cc hints.c $(pkg-config --cflags --libs mound moundmap) && ./a.out
//
// A map that grows from nothing allocates each of its arrays in turn. C frees
// an array when it has been left; Go leaves that to the next collection.
#include <mound.h>
#include <mound_map.h>
#include <stdio.h>

MOUND_MAP_U64(numbers, uint64_t)

static struct mound_memstats memstats(void) {
    struct mound_memstats s;
    mound_read_memstats(&s, sizeof s);
    return s;
}

static void row(size_t hint, const char *what, uint64_t value) {
    printf("hint %3zu, %-29s %12llu\n", hint, what, (unsigned long long)value);
}

static bool measure(size_t hint) {
    struct mound_memstats before = memstats();
    numbers *m = numbers_make(hint);
    for (uint64_t i = 0; i < 1000; i++) {
        if (!numbers_set(m, i, i)) {
            perror("set");
            return false;
        }
    }
    struct mound_memstats after = memstats();
    struct mound_map_info info;
    mound_map_info(numbers_type(), numbers_untyped(m), &info);
    row(hint, "bytes allocated", after.total_alloc - before.total_alloc);
    row(hint, "allocations", after.mallocs - before.mallocs);
    row(hint, "bytes held at the end", after.heap_alloc - before.heap_alloc);
    row(hint, "HeapInuse (B)", after.heap_inuse);
    row(hint, "HeapSys (B)", after.heap_sys);
    row(hint, "B at the end", info.B);
    numbers_free(m);
    return true;
}

int main(void) {
    // stdio would allocate this buffer in between.
    static char line[BUFSIZ];
    setvbuf(stdout, line, _IOLBF, sizeof line);
    return measure(0) && measure(8) && measure(64) && measure(512) ? 0 : 1;
}
