// growth.c: the slowest single insert while a map grows to ten million entries.
// Each write moves two old buckets, so none has to move the whole map.
// go/growth.go is the same in Go.
//
//     cc -O2 growth.c $(pkg-config --cflags --libs mound moundmap)
//     ./a.out [ENTRIES [ROUNDS]]
//
// It prints the best of some rounds: whatever else the machine does can make an
// insert slower and never faster.
#include <mound_map.h>
#include <stdio.h>
#include <time.h>

MOUND_MAP_U64(numbers, uint64_t)

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Keys in no order that a table could profit from.
static uint64_t key(uint64_t i) {
    return i * 0x9e3779b97f4a7c15u;
}

struct times {
    uint64_t worst_ns, total_ns;
    size_t over_100us, over_1ms;
};

static bool fill(uint64_t n, struct times *ret) {
    struct times t = {0, 0, 0, 0};
    numbers *m = numbers_make(0);
    uint64_t start = now_ns();
    for (uint64_t i = 0; i < n; i++) {
        uint64_t before = now_ns();
        if (!numbers_set(m, key(i), i))
            return false;
        uint64_t took = now_ns() - before;
        if (took > t.worst_ns)
            t.worst_ns = took;
        t.over_100us += took > 100000;
        t.over_1ms += took > 1000000;
    }
    t.total_ns = now_ns() - start;
    numbers_free(m);
    *ret = t;
    return true;
}

// The last of those growths done at once, as a table does that cannot do it
// bit by bit. reserve is the way to ask for that.
static bool grow_at_once(uint64_t n, uint64_t *ret_ns) {
    uint64_t limit = 13; // entries that fit two buckets; each growth doubles it
    while (limit * 2 < n)
        limit *= 2;
    numbers *m = numbers_make(0);
    for (uint64_t i = 0; i < limit; i++)
        if (!numbers_set(m, key(i), i))
            return false;
    numbers_evacuate(m, SIZE_MAX);
    uint64_t before = now_ns();
    bool done = numbers_reserve(m, limit + 1);
    *ret_ns = now_ns() - before;
    numbers_free(m);
    return done;
}

int main(int argc, char **argv) {
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    struct times best = {UINT64_MAX, 0, 0, 0};
    uint64_t at_once_ns = 0;
    for (int i = 0; i < rounds; i++) {
        struct times t;
        if (!fill(n, &t)) {
            perror("fill");
            return 1;
        }
        if (t.worst_ns < best.worst_ns)
            best = t;
    }
    if (!grow_at_once(n, &at_once_ns)) {
        perror("reserve");
        return 1;
    }
    printf("# %llu inserts, best of %d rounds\n", (unsigned long long)n,
           rounds);
    printf("%-39s %12.1f\n", "slowest insert (us)",
           (double)best.worst_ns / 1000);
    printf("%-39s %12zu\n", "inserts above 100 us", best.over_100us);
    printf("%-39s %12zu\n", "inserts above 1 ms", best.over_1ms);
    printf("%-39s %12.1f\n", "all inserts (ms)", (double)best.total_ns / 1e6);
    printf("%-39s %12.1f\n", "the last growth at once, reserve (us)",
           (double)at_once_ns / 1000);
    return 0;
}
