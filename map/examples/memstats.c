// memstats.c: what making a map allocates. MemStats before and after a map is
// made with room for none and for 1000 entries. go/memstats.go is the same in
// Go.
//
//     cc memstats.c $(pkg-config --cflags --libs mound moundmap) && ./a.out
//
// Linked with libmound (first, so that malloc is its malloc) a program can ask
// for its own MemStats at any moment; objects count with the size of their
// slot.
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
    printf("make with %4zu, %-24s %12llu\n", hint, what,
           (unsigned long long)value);
}

static bool measure(size_t hint) {
    struct mound_memstats before = memstats();
    numbers *m = numbers_make(hint);
    struct mound_memstats after = memstats();
    if (m == NULL) {
        perror("make");
        return false;
    }
    row(hint, "HeapAlloc (B)", after.heap_alloc - before.heap_alloc);
    row(hint, "TotalAlloc (B)", after.total_alloc - before.total_alloc);
    row(hint, "Mallocs", after.mallocs - before.mallocs);
    numbers_free(m);
    row(hint, "left after free (B)", memstats().heap_alloc - before.heap_alloc);
    return true;
}

int main(void) {
    // stdio would allocate this buffer in between.
    static char line[BUFSIZ];
    setvbuf(stdout, line, _IOLBF, sizeof line);
    return measure(0) && measure(1000) ? 0 : 1;
}
