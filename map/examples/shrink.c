// shrink.c: deleting does not give a map's memory back, shrinking does.
// go/shrink.go is the same in Go, which has no shrink: there one copies what
// is left into a new map.
//
//     cc shrink.c $(pkg-config --cflags --libs mound moundmap)
//     ./a.out [ENTRIES]
#include <mound.h>
#include <mound_map.h>
#include <stdio.h>

MOUND_MAP_U64(numbers, uint64_t)

enum { FEW = 1000 };

static uint64_t start; // HeapAlloc before the map

static uint64_t heap_alloc(void) {
    struct mound_memstats s;
    mound_read_memstats(&s, sizeof s);
    return s.heap_alloc;
}

static void row(const char *what, const numbers *m) {
    printf("%-25s HeapAlloc (B) %12llu\n", what,
           (unsigned long long)(heap_alloc() - start));
    struct mound_map_info info;
    mound_map_info(numbers_type(), numbers_untyped(m), &info);
    printf("%-25s the map (B)   %12zu\n", what, info.bytes);
    printf("%-25s B             %12u\n", what, info.B);
}

static bool fill(numbers *m, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (!numbers_set(m, i, i))
            return false;
    // What is left of the last growth would blur the figures.
    numbers_evacuate(m, SIZE_MAX);
    return true;
}

int main(int argc, char **argv) {
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    // stdio would allocate this buffer in between.
    static char line[BUFSIZ];
    setvbuf(stdout, line, _IOLBF, sizeof line);
    printf("# %llu entries\n", (unsigned long long)n);

    start = heap_alloc();
    numbers *m = numbers_make(0);
    if (m == NULL || !fill(m, n)) {
        perror("fill");
        return 1;
    }
    row("full:", m);
    for (uint64_t i = FEW; i < n; i++)
        numbers_delete(m, i);
    row("all but 1000 deleted:", m);
    if (!numbers_shrink(m)) {
        perror("shrink");
        return 1;
    }
    row("shrunk:", m);

    if (!fill(m, n)) {
        perror("fill");
        return 1;
    }
    for (uint64_t i = 0; i < n; i++)
        numbers_delete(m, i);
    row("full again, all deleted:", m);
    if (!numbers_shrink(m)) {
        perror("shrink");
        return 1;
    }
    row("shrunk again:", m);
    numbers_free(m);
    return 0;
}
