// Probes the counters: 10^6 pairs raise Mallocs and Frees by exactly 10^6, in one thread
// and in joined ones, for small, large and mixed sizes, whichever thread frees; and
// TotalAlloc by the size of the slots. Each figure is read before and after, while no
// other call is in flight.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>

#include "mound.h"

typedef void read_memstats(struct mound_memstats *, size_t);

static read_memstats *read_stats;
static struct mound_memstats before, after;

static void start(void) {
    read_stats(&before, sizeof before);
}

// check_grew reads again and compares the differences.
static void check_grew(const char *what, uint64_t nmallocs, uint64_t nfrees,
                       uint64_t nbytes) {
    read_stats(&after, sizeof after);
    expect(after.mallocs - before.mallocs == nmallocs,
           "%s: Mallocs grew by %ld, not %ld", what,
           (long)(after.mallocs - before.mallocs), (long)nmallocs);
    expect(after.frees - before.frees == nfrees,
           "%s: Frees grew by %ld, not %ld", what,
           (long)(after.frees - before.frees), (long)nfrees);
    expect(after.total_alloc - before.total_alloc == nbytes,
           "%s: TotalAlloc grew by %ld, not %ld", what,
           (long)(after.total_alloc - before.total_alloc), (long)nbytes);
    expect(after.heap_objects == after.mallocs - after.frees,
           "%s: HeapObjects is not Mallocs - Frees", what);
    uint64_t nclass_mallocs = 0;
    uint64_t nclass_frees = 0;
    uint64_t nclass_bytes = 0;
    for (int i = 0; i < MOUND_NSIZECLASSES; i++) {
        const struct mound_bysize *class = &after.by_size[i];
        nclass_mallocs += class->mallocs;
        nclass_frees += class->frees;
        nclass_bytes += class->size * (class->mallocs - class->frees);
    }
    expect(nclass_mallocs == after.mallocs && nclass_frees == after.frees,
           "%s: BySize does not add up", what);
    expect(nclass_bytes + after.large_alloc == after.heap_alloc,
           "%s: live bytes by class: %lu + %lu, but HeapAlloc %lu", what,
           (unsigned long)nclass_bytes, (unsigned long)after.large_alloc,
           (unsigned long)after.heap_alloc);
    expect(after.alloc == after.heap_alloc, "%s: Alloc", what);
}

static void *million_pairs(void *arg) {
    for (long i = 0; i < 1000000; i++) {
        void *volatile p = malloc((size_t)(uintptr_t)arg);
        free(p);
    }
    return NULL;
}

enum { NBLOCKS = 20000 };
static void *blocks[4][NBLOCKS];

static void *allocate_all(void *arg) {
    for (size_t i = 0; i < NBLOCKS; i++) {
        *(void **)((void **)arg + i) = malloc(i * 3 % 3000 + 1);
    }
    return NULL;
}

static void *free_all(void *arg) {
    for (size_t i = 0; i < NBLOCKS; i++) {
        free(((void **)arg)[i]);
    }
    return NULL;
}

// slots_of returns the bytes that all blocks take, in slots.
static uint64_t slots_of(void) {
    uint64_t nbytes = 0;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < NBLOCKS; j++) {
            nbytes += malloc_usable_size(blocks[i][j]);
        }
    }
    return nbytes;
}

// run_four runs f in four threads at once and waits for them. What libc allocates for
// threads it allocates at the first call and keeps.
static void run_four(void *(*f)(void *), void *args[4]) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        expect(pthread_create(&threads[i], NULL, f, args[i]) == 0, "thread");
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void *nothing(void *arg) {
    return arg;
}

int main(void) {
    read_stats = (read_memstats *)dlsym(RTLD_DEFAULT, "mound_read_memstats");
    if (!read_stats) {
        skip("libmound.so is not loaded");
    }
    start();
    check_grew("nothing", 0, 0, 0);

    static const size_t sizes[] = {1, 8, 16, 100, 1024, 32768};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p = malloc(sizes[i]);
        size_t slot = malloc_usable_size(p);
        free(p);
        start();
        million_pairs((void *)sizes[i]);
        check_grew("a million pairs", 1000000, 1000000, 1000000 * slot);
    }

    void *large = malloc(100000);
    size_t slot = malloc_usable_size(large);
    free(large);
    // In hardened modes the last ones are quarantined, and count as freed when they
    // leave.
    for (int i = 0; i < 256; i++) {
        large = malloc(100000);
        free(large);
    }
    start();
    for (int i = 0; i < 3000; i++) {
        large = malloc(100000);
        free(large);
    }
    check_grew("large pairs", 3000, 3000, 3000 * slot);

    // calloc and memalign count as one malloc each, free(NULL) as nothing.
    start();
    void *p = calloc(1, 100);
    void *q = memalign(64, 100);
    uint64_t nbytes = malloc_usable_size(p) + malloc_usable_size(q);
    free(NULL);
    free(p);
    free(q);
    check_grew("calloc and memalign", 2, 2, nbytes);

    // A realloc that moves counts as one malloc and one free; no slot may be lost in
    // spans. 200 bytes grow eight times to 51200.
    enum { NGROWN = 2000, NSTEPS = 8 };
    void *spare = malloc(100);
    uint64_t inuse = 0;
    nbytes = 0;
    start();
    for (int i = 0; i < NGROWN; i++) {
        size_t n = 200;
        p = malloc(n);
        nbytes += malloc_usable_size(p);
        for (int step = 0; step < NSTEPS; step++) {
            n *= 2;
            p = realloc(p, n);
            nbytes += malloc_usable_size(p);
        }
        free(p);
        if (i == NGROWN / 2) {
            read_stats(&after, sizeof after);
            inuse = after.heap_inuse;
        }
    }
    check_grew("realloc", NGROWN * (NSTEPS + 1), NGROWN * (NSTEPS + 1), nbytes);
    expect(after.heap_inuse <= inuse + 256 * KIB,
           "heap_inuse of a steady loop grew from %lu to %lu",
           (unsigned long)inuse, (unsigned long)after.heap_inuse);
    start();
    for (int i = 0; i < NGROWN; i++) {
        expect(posix_memalign(&p, 64, 200) == 0, "posix_memalign");
        free(p);
    }
    read_stats(&after, sizeof after);
    expect(after.heap_inuse <= before.heap_inuse + 256 * KIB,
           "heap_inuse of aligned pairs grew");
    free(spare);

    // Blocks that stay count as mallocs only.
    start();
    p = malloc(5000);
    check_grew("one block", 1, 0, malloc_usable_size(p));
    free(p);

    void *by_size[4] = {(void *)16, (void *)100, (void *)1000, (void *)5000};
    uint64_t all_slots = 0;
    for (int i = 0; i < 4; i++) {
        p = malloc((size_t)by_size[i]);
        all_slots += malloc_usable_size(p);
        free(p);
    }
    run_four(nothing, by_size);
    // What libc allocates for four more threads is measured.
    start();
    run_four(nothing, by_size);
    read_stats(&after, sizeof after);
    uint64_t libc_mallocs = after.mallocs - before.mallocs;
    uint64_t libc_frees = after.frees - before.frees;
    uint64_t libc_bytes = after.total_alloc - before.total_alloc;

    start();
    run_four(million_pairs, by_size);
    check_grew("four threads", 4000000 + libc_mallocs, 4000000 + libc_frees,
               1000000 * all_slots + libc_bytes);

    // One set of threads allocates and ends, the next one frees.
    void *arrays[4] = {blocks[0], blocks[1], blocks[2], blocks[3]};
    start();
    run_four(allocate_all, arrays);
    nbytes = slots_of();
    check_grew("allocated by threads", 4 * NBLOCKS + libc_mallocs, libc_frees,
               nbytes + libc_bytes);
    void *turned[4] = {blocks[1], blocks[2], blocks[3], blocks[0]};
    start();
    run_four(free_all, turned);
    check_grew("freed by others", libc_mallocs, 4 * NBLOCKS + libc_frees,
               libc_bytes);
    probe_sound();
    return 0;
}
