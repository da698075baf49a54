// reuse_space.c: address space that large objects leave behind serves objects
// of any other size, so that a program which changes its sizes does not grow.
#include <malloc.h>

#include "contract.h"

// Three times through all sizes first: how two huge objects come to lie beside
// each other is chance, and what they need then is part of the peak.
enum { ROUNDS = 72, WARM_ROUNDS = 36, TOTAL = 128 * MIB, SEED = 3 };
// What the address space may grow by after the first rounds; or what it may be in
// all, when the huge objects came to lie well in those: it levels out at 604 MiB, as
// 300 rounds showed.
enum { SLACK = TOTAL, MOST = 5 * TOTAL };

struct link {
    struct link *next;
};

// one_round fills TOTAL bytes with objects about the given size, touches a bit
// of each, and frees all.
static void one_round(size_t about, uint64_t *rng) {
    struct link *list = NULL;
    for (size_t got = 0; got < TOTAL;) {
        size_t size = about + rng_next(rng) % (about / 8 + 1);
        struct link *p = must_malloc(size);
        p->next = list;
        list = p;
        got += size;
    }
    while (list) {
        struct link *next = list->next;
        free(list);
        list = next;
    }
}

int main(void) {
    static const size_t sizes[] = {64 * MIB,  40 * KIB, 3 * MIB,  512,
                                   100 * KIB, 20 * MIB, 8 * KIB,  120 * MIB,
                                   700 * KIB, 48,       30 * MIB, 32 * KIB};
    enum { NSIZES = sizeof sizes / sizeof *sizes };
    uint64_t rng = SEED;
    size_t warm = 0;
    for (int round = 0; round < ROUNDS; round++) {
        one_round(sizes[(round * 5) % NSIZES], &rng);
        if (round == WARM_ROUNDS) {
            warm = vm_bytes();
        }
    }
    size_t end = vm_bytes();
    expect(end <= warm + SLACK || end <= MOST,
           "after %d rounds VmSize is %zu MiB, it was %zu MiB after %d", ROUNDS,
           end / MIB, warm / MIB, WARM_ROUNDS);

    // The same with growth by realloc, which leaves holes of every size.
    for (int round = 0; round < 14; round++) {
        size_t size = 100 * KIB;
        char *p = must_malloc(size);
        while (size < 30 * MIB) {
            size += size / 3;
            p = realloc(p, size);
            expect(p, "realloc to %zu returned NULL", size);
            p[size - 1] = 1;
        }
        free(p);
        if (round == 5) {
            warm = vm_bytes();
        }
    }
    end = vm_bytes();
    expect(end <= warm + SLACK, "realloc grew VmSize from %zu to %zu MiB",
           warm / MIB, end / MIB);
    return 0;
}
