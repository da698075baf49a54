// append.c: not a map but the floor under one: pairs of 16 bytes written one
// behind the other into memory that was asked for long ago and never touched.
// What the operation latency shows here is the kernel handing out pages, timed
// as inserts are.
#include "driver.h"

struct pair {
    u64_key key;
    u64_elem elem;
};

static void u64_run(const struct plan *p) {
    u64_key *keys = array_new(p->size, sizeof *keys);
    for (uint64_t i = 0; i < p->size; i++) {
        keys[i] = u64_nth(i, NULL);
    }
    struct stopwatch s = stopwatch_new(p->size);
    struct pair *pairs =
        mmap(NULL, p->size * sizeof *pairs, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pairs == MAP_FAILED) {
        bench_fail("out of memory");
    }
    for (uint64_t i = 0; i < p->size; i++) {
        u64_key key = keys[i];
        uint64_t begin = ticks();
        pairs[i] = (struct pair){key, u64_pack(u64_value(key))};
        stopwatch_note(&s, i, begin, ticks());
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < p->size; i++) {
        sum += pairs[i].elem;
    }
    stopwatch_emit(&s, sum);
}

int main(int argc, char **argv) {
    static const struct kind kinds[] = {{"u64", u64_run}};
    if (argc > 1 && strcmp(argv[1], operation_names[LATENCY]) != 0) {
        bench_fail("an array has no other operation than latency");
    }
    return drive(argc, argv, kinds, 1);
}
