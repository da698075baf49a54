// info.c: the calls that tell about the heap tell about this heap: figures
// follow what the program does.
//
// usage: info         check the figures
//        info xml     print malloc_info's document and nothing else
//        info stats   call malloc_stats, which writes on stderr
#include <malloc.h>
#include <pthread.h>

#include "contract.h"

enum { N = 1000, SIZE = 10000, BIG = 9 * MIB };

// about tells whether a figure grew by nbytes, give or take a fifth.
static bool about(size_t before, size_t after, size_t nbytes) {
    return after >= before + nbytes / 10 * 9 &&
           after <= before + nbytes / 10 * 12;
}

static void check_mallinfo2(void) {
    static void *small[N];
    struct mallinfo2 a = mallinfo2();
    expect(a.uordblks + a.fordblks <= a.arena + a.hblkhd + MIB,
           "in use %zu and free %zu exceed the arena of %zu", a.uordblks,
           a.fordblks, a.arena);
    for (int i = 0; i < N; i++) {
        small[i] = must_malloc(SIZE);
    }
    struct mallinfo2 b = mallinfo2();
    expect(about(a.uordblks, b.uordblks, (size_t)N * SIZE),
           "after %d bytes uordblks went from %zu to %zu", N * SIZE, a.uordblks,
           b.uordblks);

    // glibc counts a block of its own mapping in hblkhd, others in uordblks.
    void *big = must_malloc(BIG);
    struct mallinfo2 c = mallinfo2();
    expect(about(b.uordblks + b.hblkhd, c.uordblks + c.hblkhd, BIG) ||
               about(b.uordblks, c.uordblks, BIG),
           "after a block of %d bytes uordblks + hblkhd went from %zu to %zu",
           BIG, b.uordblks + b.hblkhd, c.uordblks + c.hblkhd);

    free(big);
    for (int i = 0; i < N; i++) {
        free(small[i]);
    }
    struct mallinfo2 d = mallinfo2();
    expect(d.uordblks <= a.uordblks + 4096,
           "after all was freed uordblks is %zu, it was %zu", d.uordblks,
           a.uordblks);

    struct mallinfo old = mallinfo();
    struct mallinfo2 now = mallinfo2();
    expect((size_t)old.uordblks == now.uordblks &&
               (size_t)old.arena == now.arena,
           "mallinfo says %d in use of %d, mallinfo2 %zu of %zu", old.uordblks,
           old.arena, now.uordblks, now.arena);
}

// mallinfo has ints: a figure beyond them must not crash it.
static void check_past_int(void) {
    void *p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = must_malloc(1024 * (size_t)MIB);
    }
    struct mallinfo2 now = mallinfo2();
    (void)mallinfo();
    expect(now.uordblks + now.hblkhd >= 3 * 1024 * (size_t)MIB,
           "3 GiB in use, and mallinfo2 says %zu", now.uordblks + now.hblkhd);
    for (int i = 0; i < 3; i++) {
        free(p[i]);
    }
}

static void *read_figures(void *arg) {
    for (int i = 0; i < 200; i++) {
        struct mallinfo2 m = mallinfo2();
        expect(m.uordblks <= m.arena + m.hblkhd, "in use %zu of %zu",
               m.uordblks, m.arena + m.hblkhd);
    }
    return arg;
}

// Readers and allocating threads do not disturb each other.
static void check_threads(void) {
    pthread_t t[2];
    for (int i = 0; i < 2; i++) {
        expect(pthread_create(&t[i], NULL, read_figures, NULL) == 0,
               "no thread");
    }
    uint64_t rng = 1;
    for (int i = 0; i < 20000; i++) {
        free(must_malloc(mixed_size(&rng, MIB)));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
    }
}

static void check_mallopt(void) {
    static const struct {
        int param, value;
    } known[] = {{M_TRIM_THRESHOLD, 128 * KIB},
                 {M_TOP_PAD, 0},
                 {M_MMAP_THRESHOLD, 128 * KIB},
                 {M_MMAP_MAX, 65536},
                 {M_CHECK_ACTION, 3},
                 {M_PERTURB, 0},
                 {M_ARENA_TEST, 8},
                 {M_ARENA_MAX, 8},
                 {M_MXFAST, 64}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int rc = mallopt(known[i].param, known[i].value);
        expect(rc == 1, "mallopt(%d, %d) returned %d", known[i].param,
               known[i].value, rc);
    }
    free(must_malloc(100));
}

int main(int argc, char **argv) {
    static char buffer[64 * KIB];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (argc > 1) {
        void *some = must_malloc(12345);
        int rc = 0;
        if (strcmp(argv[1], "xml") == 0) {
            rc = malloc_info(0, stdout);
        } else {
            malloc_stats();
        }
        free(some);
        return rc;
    }
    check_mallinfo2();
    check_past_int();
    check_threads();
    check_mallopt();
    return 0;
}
