// sizes.c: how large a map variable is, and what is behind it. go/sizes.go is
// the same in Go.
//
//     cc sizes.c $(pkg-config --cflags --libs mound moundmap) && ./a.out
#include <mound.h>
#include <mound_map.h>
#include <stdio.h>

MOUND_MAP_U64(numbers, uint64_t)

static uint64_t heap_alloc(void) {
    struct mound_memstats s;
    mound_read_memstats(&s, sizeof s);
    return s.heap_alloc;
}

static void row(const char *what, uint64_t value) {
    printf("%-39s %12llu\n", what, (unsigned long long)value);
}

int main(void) {
    // stdio would allocate this buffer in between.
    static char line[BUFSIZ];
    setvbuf(stdout, line, _IOLBF, sizeof line);

    uint64_t start = heap_alloc();
    numbers *m = numbers_make(0);
    uint64_t made = heap_alloc();
    bool done = numbers_set(m, 1, 1);
    uint64_t first = heap_alloc();
    for (uint64_t i = 2; i <= 8; i++)
        done = done && numbers_set(m, i, i);
    uint64_t eighth = heap_alloc();
    done = done && numbers_set(m, 9, 9);
    uint64_t ninth = heap_alloc();
    if (!done) {
        perror("set");
        return 1;
    }
    row("a map variable", sizeof m);
    row("its header, by make", made - start);
    row("a bucket, by the first entry", first - made);
    row("more, by entries 2 to 8", eighth - first);
    row("more, by entry 9, while growing", ninth - eighth);
    row("an iterator", sizeof(struct mound_map_iter));
    numbers_free(m);
    return 0;
}
