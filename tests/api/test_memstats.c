// test_memstats.c: the figures of struct mound_memstats agree with each other,
// with what the program did, and, through mound_verify, with the spans.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "api.h"

enum { NLIVE = 3000, NTHREADS = 4, SEED = 20250 };

static void *live[NLIVE];

// churn leaves the heap in a state that is not simple: all sizes live, some
// freed, caches partly full.
static void churn(uint64_t seed, int nsteps) {
    uint64_t rng = seed;
    for (int i = 0; i < nsteps; i++) {
        void **slot = &live[rng_next(&rng) % NLIVE];
        mound_free(*slot);
        *slot = rng_next(&rng) % 4 ? mound_malloc(mixed_size(&rng)) : NULL;
    }
}

// check_identities checks what holds between the figures of one reading, at any
// moment.
static void check_identities(const struct mound_memstats *m) {
    cr_assert(m->sys == m->heap_sys + m->stack_sys + m->mspan_sys +
                            m->mcache_sys + m->buckhash_sys + m->gc_sys +
                            m->other_sys,
              "sys %lu is not the sum of its parts", m->sys);
    cr_assert(m->heap_sys == m->heap_idle + m->heap_inuse,
              "heap_sys %lu, idle %lu, inuse %lu", m->heap_sys, m->heap_idle,
              m->heap_inuse);
    cr_assert(m->heap_released <= m->heap_idle, "released %lu of %lu idle",
              m->heap_released, m->heap_idle);
    cr_assert(m->heap_holes <= m->heap_inuse - m->heap_alloc,
              "holes %lu, inuse %lu, live %lu", m->heap_holes, m->heap_inuse,
              m->heap_alloc);
    cr_assert(m->alloc == m->heap_alloc, "alloc %lu, heap_alloc %lu", m->alloc,
              m->heap_alloc);
    cr_assert(m->heap_objects == m->mallocs - m->frees,
              "objects %lu, mallocs %lu, frees %lu", m->heap_objects,
              m->mallocs, m->frees);
    cr_assert(m->frees <= m->mallocs, "more frees than mallocs");
    cr_assert(m->total_alloc >= m->heap_alloc, "total_alloc %lu, live %lu",
              m->total_alloc, m->heap_alloc);
    cr_assert(m->mspan_inuse <= m->mspan_sys, "span records %lu of %lu",
              m->mspan_inuse, m->mspan_sys);
    cr_assert(m->mcache_inuse <= m->mcache_sys, "caches %lu of %lu",
              m->mcache_inuse, m->mcache_sys);
    cr_assert(m->heap_inuse % PAGE_BYTES == 0, "inuse %lu", m->heap_inuse);
    cr_assert(m->heap_idle % PAGE_BYTES == 0, "idle %lu", m->heap_idle);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    page = page < PAGE_BYTES ? page : PAGE_BYTES; // as fresh ones are counted
    cr_assert(m->heap_released % page == 0, "released %lu", m->heap_released);

    uint64_t mallocs = 0;
    uint64_t frees = 0;
    uint64_t total = m->large_total_alloc;
    uint64_t in_use = m->large_alloc;
    for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
        const struct mound_bysize *by = &m->by_size[c];
        cr_assert(by->frees <= by->mallocs, "class %d: %lu frees of %lu", c,
                  by->frees, by->mallocs);
        mallocs += by->mallocs;
        frees += by->frees;
        total += by->size * by->mallocs;
        in_use += by->size * (by->mallocs - by->frees);
    }
    cr_assert(mallocs == m->mallocs, "classes add up to %lu of %lu mallocs",
              mallocs, m->mallocs);
    cr_assert(frees == m->frees, "classes add up to %lu of %lu frees", frees,
              m->frees);
    cr_assert(total == m->total_alloc, "classes add up to %lu of %lu bytes",
              total, m->total_alloc);
    cr_assert(in_use == m->heap_alloc, "classes add up to %lu of %lu live",
              in_use, m->heap_alloc);
}

// check_quiet checks what holds besides when no call is in flight.
static void check_quiet(const struct mound_memstats *m) {
    cr_assert(m->heap_alloc + m->cache_bytes + m->transfer_bytes <=
                  m->heap_inuse,
              "live %lu, cached %lu, between %lu, in use %lu", m->heap_alloc,
              m->cache_bytes, m->transfer_bytes, m->heap_inuse);
}

Test(memstats, of_a_new_process_are_all_consistent) {
    struct mound_memstats m = read_stats();

    check_identities(&m);
    cr_assert(m.mallocs == 0 && m.frees == 0 && m.heap_alloc == 0,
              "mallocs %lu, frees %lu, live %lu before the first call",
              m.mallocs, m.frees, m.heap_alloc);
}

Test(memstats, identities_hold_after_a_workload) {
    churn(SEED, 100000);

    struct mound_memstats m = read_stats();

    cr_assert(m.mallocs > 50000 && m.heap_inuse > 0, "nothing was counted");
    check_identities(&m);
    check_quiet(&m);
    cr_assert(mound_verify() == 0, "the heap contradicts itself");
}

Test(memstats, agree_with_all_spans_after_every_step_of_a_random_workload) {
    uint64_t seed = (uint64_t)getpid() * 2654435761u;
    fprintf(stderr, "seed %lu\n", seed);
    uint64_t rng = seed;
    struct mound_memstats before = read_stats();
    for (int step = 0; step < 3000; step++) {
        void **slot = &live[rng_next(&rng) % 300];
        size_t size = mixed_size(&rng);
        switch (rng_next(&rng) % 8) {
        case 0:
        case 1:
            mound_free(*slot);
            *slot = NULL;
            break;
        case 2:
            *slot = mound_realloc(*slot, size);
            break;
        case 3:
            mound_free(*slot);
            *slot = mound_memalign((size_t)16 << rng_next(&rng) % 12, size);
            break;
        case 4:
            mound_free(*slot);
            *slot = mound_calloc(1, size);
            break;
        case 5:
            if (step % 50 == 0) {
                mound_malloc_trim(0);
            }
            break;
        default:
            mound_free(*slot);
            *slot = mound_malloc(size);
        }

        int contradictions = mound_verify();
        cr_assert(contradictions == 0, "seed %lu, step %d: %d contradictions",
                  seed, step, contradictions);
        struct mound_memstats m = read_stats();
        check_identities(&m);
        check_quiet(&m);
        unsigned nlive = 0;
        for (int i = 0; i < 300; i++) {
            nlive += live[i] != NULL;
        }
        cr_assert(m.heap_objects == nlive,
                  "seed %lu, step %d: %u objects live, %lu are counted", seed,
                  step, nlive, m.heap_objects);
        cr_assert(m.mallocs >= before.mallocs && m.frees >= before.frees &&
                      m.total_alloc >= before.total_alloc,
                  "seed %lu, step %d: a figure that only rises fell", seed,
                  step);
        before = m;
    }
}

Test(memstats, a_million_mallocs_and_frees_count_as_a_million) {
    enum { MILLION = 1000000, SIZE = 100, SLOT = 112 };
    struct mound_memstats a = read_stats();

    for (int i = 0; i < MILLION; i++) {
        void *volatile p = mound_malloc(SIZE);
        mound_free(p);
    }

    struct mound_memstats b = read_stats();
    cr_assert(b.mallocs - a.mallocs == MILLION, "mallocs rose by %lu",
              b.mallocs - a.mallocs);
    cr_assert(b.frees - a.frees == MILLION, "frees rose by %lu",
              b.frees - a.frees);
    cr_assert(b.total_alloc - a.total_alloc == (uint64_t)MILLION * SLOT,
              "total_alloc rose by %lu", b.total_alloc - a.total_alloc);
    cr_assert(b.heap_alloc == a.heap_alloc, "%lu bytes seem to live",
              b.heap_alloc - a.heap_alloc);
}

Test(memstats, every_call_counts_once) {
    struct mound_memstats a = read_stats();

    void *p[] = {mound_malloc(100),
                 mound_calloc(10, 10),
                 mound_realloc(NULL, 100),
                 mound_reallocarray(NULL, 10, 10),
                 mound_aligned_alloc(64, 100),
                 mound_memalign(128, 100),
                 mound_valloc(100),
                 mound_pvalloc(100),
                 NULL};
    cr_assert(mound_posix_memalign(&p[8], 64, 100) == 0, "no memory");
    struct mound_memstats b = read_stats();
    enum { N = sizeof p / sizeof *p };
    for (int i = 0; i < N - 2; i++) {
        mound_free(p[i]);
    }
    mound_free_sized(NULL, 10);
    mound_free(NULL);
    mound_free_aligned_sized(p[N - 1], 64, 100);
    cr_assert(!mound_realloc(p[N - 2], 0), "realloc(p, 0) is not NULL");
    struct mound_memstats c = read_stats();

    cr_assert(b.mallocs - a.mallocs == N, "%d mallocs count as %lu", N,
              b.mallocs - a.mallocs);
    cr_assert(b.frees == a.frees, "mallocs count as frees");
    cr_assert(c.frees - b.frees == N, "%d frees count as %lu", N,
              c.frees - b.frees);
    cr_assert(c.mallocs == b.mallocs, "frees count as mallocs");
}

// A slot that is neither live nor free would show here, and grow the heap.
Test(memstats, nothing_is_lost_between_calls) {
    uint64_t rng = SEED;
    uint64_t inuse = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < NLIVE; i++) {
            live[i] = mound_malloc(1 + rng_next(&rng) % 300);
        }
        for (int i = 0; i < NLIVE; i++) {
            live[i] = mound_realloc(live[i], 1 + rng_next(&rng) % 2000);
            void *p = mound_memalign(128, 1 + rng_next(&rng) % 2000);
            mound_free(mound_calloc(1, 1 + rng_next(&rng) % 2000));
            mound_free(p);
        }
        for (int i = 0; i < NLIVE; i++) {
            mound_free(live[i]);
        }
        struct mound_memstats m = read_stats();
        cr_assert(m.mallocs == m.frees && m.heap_alloc == 0,
                  "round %d: %lu mallocs, %lu frees, %lu bytes live after all "
                  "was freed",
                  round, m.mallocs, m.frees, m.heap_alloc);
        inuse = round == 0 ? m.heap_inuse : inuse;
        cr_assert(m.heap_inuse <= inuse + inuse / 2 + MIB,
                  "round %d: the heap grew from %lu to %lu bytes", round, inuse,
                  m.heap_inuse);
    }
}

Test(memstats, refused_calls_count_nothing) {
    struct mound_memstats a = read_stats();

    volatile size_t huge = PTRDIFF_MAX;
    void *p = NULL;
    cr_assert(!mound_malloc(huge) && !mound_malloc(2 * huge), "not refused");
    cr_assert(!mound_calloc(huge, 2) && !mound_realloc(NULL, huge),
              "not refused");
    cr_assert(mound_posix_memalign(&p, 3, 1) == EINVAL, "not refused");
    cr_assert(!mound_memalign(64, huge), "not refused");

    struct mound_memstats b = read_stats();
    cr_assert(a.mallocs == b.mallocs && a.frees == b.frees &&
                  a.heap_alloc == b.heap_alloc,
              "refused calls were counted");
}

Test(memstats, each_size_counts_in_the_class_that_holds_it) {
    for (size_t size = 1; size <= MAX_SMALL; size += 1 + size / 20) {
        struct mound_memstats a = read_stats();
        void *p = mound_malloc(size);
        size_t slot = mound_malloc_usable_size(p);
        struct mound_memstats b = read_stats();
        mound_free(p);
        struct mound_memstats c = read_stats();

        int nchanged = 0;
        for (int i = 0; i < MOUND_NSIZECLASSES; i++) {
            const struct mound_bysize *by = &b.by_size[i];
            if (by->mallocs != a.by_size[i].mallocs) {
                nchanged++;
                cr_assert(by->mallocs == a.by_size[i].mallocs + 1 &&
                              by->size == slot && slot >= size,
                          "size %zu: class %d of %lu bytes, slot of %zu", size,
                          i, by->size, slot);
                cr_assert(c.by_size[i].frees == by->frees + 1,
                          "size %zu: the free did not count", size);
            }
        }
        cr_assert(nchanged == 1, "size %zu: %d classes counted", size,
                  nchanged);
        cr_assert(b.heap_alloc - a.heap_alloc == slot, "size %zu: %lu live",
                  size, b.heap_alloc - a.heap_alloc);
    }
}

Test(memstats, large_objects_count_with_their_pages) {
    static const size_t sizes[] = {MAX_SMALL + 1, 100000, 3 * MIB, 70 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct mound_memstats a = read_stats();
        void *p = mound_malloc(sizes[i]);
        struct mound_memstats b = read_stats();
        mound_free(p);
        struct mound_memstats c = read_stats();

        uint64_t pages = (sizes[i] + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        cr_assert(b.heap_alloc - a.heap_alloc == pages,
                  "%zu bytes count as %lu", sizes[i],
                  b.heap_alloc - a.heap_alloc);
        cr_assert(b.large_alloc - a.large_alloc == pages, "large_alloc");
        cr_assert(b.by_size[0].mallocs == a.by_size[0].mallocs + 1, "class 0");
        cr_assert(c.heap_alloc == a.heap_alloc &&
                      c.large_alloc == a.large_alloc &&
                      c.by_size[0].frees == b.by_size[0].frees + 1,
                  "the free of %zu bytes did not count", sizes[i]);
        cr_assert(c.large_total_alloc - a.large_total_alloc == pages,
                  "large_total_alloc");
    }
}

static void *count_in_thread(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < 100000; i++) {
        mound_free(mound_malloc(1 + rng_next(&rng) % 3000));
    }
    return mound_malloc(10);
}

Test(memstats, threads_that_have_ended_still_count) {
    struct mound_memstats a = read_stats();
    pthread_t t[NTHREADS];

    for (uintptr_t i = 0; i < NTHREADS; i++) {
        cr_assert(pthread_create(&t[i], NULL, count_in_thread, (void *)i) == 0);
    }
    for (int i = 0; i < NTHREADS; i++) {
        void *p;
        pthread_join(t[i], &p);
        mound_free(p); // another thread's object
    }

    struct mound_memstats b = read_stats();
    cr_assert(b.mallocs - a.mallocs == NTHREADS * 100001u,
              "mallocs rose by %lu", b.mallocs - a.mallocs);
    cr_assert(b.frees - a.frees == NTHREADS * 100001u, "frees rose by %lu",
              b.frees - a.frees);
    cr_assert(b.nthreads <= a.nthreads + 1, "%lu caches are left", b.nthreads);
    cr_assert(mound_verify() == 0, "the heap contradicts itself");
}

static bool stop;

static void *load_thread(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg;
    void *mine[200] = {0};
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void **slot = &mine[rng_next(&rng) % 200];
        mound_free(*slot);
        *slot = mound_malloc(mixed_size(&rng));
    }
    for (int i = 0; i < 200; i++) {
        mound_free(mine[i]);
    }
    return NULL;
}

Test(memstats, never_contradict_themselves_nor_fall_while_threads_allocate) {
    pthread_t t[NTHREADS];
    for (uintptr_t i = 0; i < NTHREADS; i++) {
        cr_assert(pthread_create(&t[i], NULL, load_thread, (void *)(i + 1)) ==
                  0);
    }

    struct mound_memstats a = read_stats();
    uint64_t first = a.mallocs;
    for (int i = 0; i < 5000; i++) {
        struct mound_memstats b = read_stats();
        check_identities(&b);
        cr_assert(b.mallocs >= a.mallocs && b.frees >= a.frees &&
                      b.total_alloc >= a.total_alloc &&
                      b.large_total_alloc >= a.large_total_alloc,
                  "reading %d: a figure that only rises fell", i);
        for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
            cr_assert(b.by_size[c].mallocs >= a.by_size[c].mallocs &&
                          b.by_size[c].frees >= a.by_size[c].frees,
                      "reading %d: class %d fell", i, c);
        }
        a = b;
        if (i % 500 == 0) {
            cr_assert(mound_verify() == 0, "the heap contradicts itself");
        }
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(t[i], NULL);
    }

    struct mound_memstats end = read_stats();
    cr_assert(end.mallocs > first + 1000, "the threads did nothing");
    cr_assert(end.mallocs == end.frees && end.heap_alloc == 0,
              "all was freed, and %lu bytes live", end.heap_alloc);
    check_identities(&end);
    check_quiet(&end);
}

static pthread_barrier_t barrier;

static void *thread_with_cache(void *arg) {
    mound_free(mound_malloc(100));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return arg;
}

Test(memstats, thread_caches_are_counted) {
    mound_free(mound_malloc(1));
    struct mound_memstats a = read_stats();
    pthread_t t[NTHREADS];
    pthread_barrier_init(&barrier, NULL, NTHREADS + 1);

    for (int i = 0; i < NTHREADS; i++) {
        cr_assert(pthread_create(&t[i], NULL, thread_with_cache, NULL) == 0);
    }
    pthread_barrier_wait(&barrier);
    struct mound_memstats b = read_stats();
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(t[i], NULL);
    }
    struct mound_memstats c = read_stats();

    cr_assert(b.nthreads == a.nthreads + NTHREADS, "%lu caches, then %lu",
              a.nthreads, b.nthreads);
    cr_assert(b.mcache_inuse > a.mcache_inuse && b.cache_bytes > a.cache_bytes,
              "the caches of %d threads have no size", NTHREADS);
    cr_assert(c.nthreads == a.nthreads && c.mcache_inuse == a.mcache_inuse,
              "%lu caches are left of ended threads", c.nthreads - a.nthreads);
}

Test(memstats, one_thread_caches_at_most_2_mib) {
    enum { N = 20000 };
    static void *p[N];
    for (size_t size = 8; size <= MAX_SMALL; size += size / 2) {
        int n = (int)(size > 2000 ? 30 * MIB / size : N);
        n = n < N ? n : N;
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < n; i++) {
                p[i] = mound_malloc(size);
            }
            for (int i = 0; i < n; i++) {
                mound_free(p[i]);
            }
        }
        struct mound_memstats m = read_stats();
        cr_assert(m.cache_bytes <= 2 * MIB, "%lu bytes of free slots cached",
                  m.cache_bytes);
    }
}

static uint64_t resident_anonymous(void) {
    char text[8 * KIB];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    cr_assert(n > 0, "no /proc/self/smaps_rollup");
    text[n] = '\0';
    return strtoull(strstr(text, "Anonymous:") + 10, NULL, 10) * KIB;
}

// What the system counts as resident may not exceed what the figures admit to.
Test(memstats, sys_less_released_covers_what_is_resident) {
    uint64_t rng = SEED;
    mound_free(mound_malloc(1));
    struct mound_memstats a = read_stats();
    uint64_t rss = resident_anonymous();
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < NLIVE; i++) {
            size_t size = mixed_size(&rng);
            mound_free(live[i]);
            live[i] = mound_malloc(size);
            memset(live[i], 1, size);
        }
        if (round % 3 == 2) {
            mound_malloc_trim(0);
        }
        struct mound_memstats b = read_stats();
        uint64_t admitted = b.sys - b.heap_released - b.heap_holes -
                            (a.sys - a.heap_released - a.heap_holes);
        uint64_t grown = resident_anonymous() - rss;
        cr_assert(grown <= admitted + MIB, "resident %lu, admitted %lu", grown,
                  admitted);
    }
}

Test(memstats, released_rises_with_trim_and_falls_with_use) {
    char *p = mound_malloc(32 * MIB);
    memset(p, 1, 32 * MIB);
    struct mound_memstats a = read_stats();

    mound_free(p);
    int released = mound_malloc_trim(0);
    struct mound_memstats b = read_stats();
    int nothing = mound_malloc_trim(0);
    p = mound_malloc(32 * MIB);
    memset(p, 1, 32 * MIB);
    struct mound_memstats c = read_stats();

    cr_assert(released == 1 || b.heap_released >= a.heap_released + 32 * MIB,
              "malloc_trim returned %d", released);
    cr_assert(b.heap_released >= a.heap_released + 32 * MIB,
              "32 MiB were freed and trimmed, %lu released",
              b.heap_released - a.heap_released);
    cr_assert(b.heap_released == b.heap_idle, "%lu of %lu idle bytes released",
              b.heap_released, b.heap_idle);
    cr_assert(nothing == 0, "a second malloc_trim returned %d", nothing);
    cr_assert(c.heap_released + 32 * MIB <= b.heap_released,
              "32 MiB are in use again, and %lu of %lu still released",
              c.heap_released, b.heap_released);
    mound_free(p);
}

Test(memstats, fields_of_a_garbage_collector_are_zero) {
    churn(SEED, 10000);
    struct mound_memstats m = read_stats();

    static const uint64_t zero[256];
    cr_assert(m.lookups == 0 && m.stack_inuse == 0 && m.stack_sys == 0 &&
                  m.next_gc == 0 && m.last_gc == 0 && m.pause_total_ns == 0 &&
                  m.num_gc == 0 && m.num_forced_gc == 0 &&
                  m.gc_cpu_fraction == 0 && !m.enable_gc && !m.debug_gc,
              "one is not");
    cr_assert(memcmp(m.pause_ns, zero, sizeof zero) == 0 &&
                  memcmp(m.pause_end, zero, sizeof zero) == 0,
              "there are pauses");
    cr_assert(m.by_size[0].size == 0, "class 0 has a size");
}

Test(memstats, size_classes_are_gos) {
    // Go 1.19's table, src/runtime/sizeclasses.go.
    static const uint64_t gos[MOUND_NSIZECLASSES] = {
        0,     8,     16,    24,    32,    48,    64,    80,    96,    112,
        128,   144,   160,   176,   192,   208,   224,   240,   256,   288,
        320,   352,   384,   416,   448,   480,   512,   576,   640,   704,
        768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304,
        2688,  3072,  3200,  3456,  4096,  4864,  5376,  6144,  6528,  6784,
        6912,  8192,  9472,  9728,  10240, 10880, 12288, 13568, 14336, 16384,
        18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
    };
    struct mound_memstats m = read_stats();

    for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
        cr_assert(m.by_size[c].size == gos[c], "class %d has %lu bytes", c,
                  m.by_size[c].size);
    }
}

Test(memstats, an_older_header_gets_only_the_fields_it_knows) {
    static const size_t known[] = {0,
                                   1,
                                   8,
                                   12,
                                   offsetof(struct mound_memstats, sys),
                                   offsetof(struct mound_memstats, heap_alloc),
                                   offsetof(struct mound_memstats, pause_ns),
                                   offsetof(struct mound_memstats, by_size),
                                   offsetof(struct mound_memstats, nspans)};
    churn(SEED, 1000);
    struct mound_memstats whole = read_stats();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        unsigned char part[sizeof(struct mound_memstats)];
        memset(part, 0xaa, sizeof part);

        mound_read_memstats((struct mound_memstats *)part, known[i]);

        cr_assert(memcmp(part, &whole, known[i]) == 0,
                  "the first %zu bytes differ", known[i]);
        for (size_t at = known[i]; at < sizeof part; at++) {
            cr_assert(part[at] == 0xaa, "size %zu: byte %zu was written",
                      known[i], at);
        }
    }
}

Test(memstats, a_newer_header_gets_zeroes_for_what_is_not_known) {
    struct {
        struct mound_memstats known;
        uint64_t unknown[5];
        uint64_t beyond;
    } newer;
    memset(&newer, 0xaa, sizeof newer);

    mound_read_memstats(&newer.known,
                        sizeof newer.known + sizeof newer.unknown);

    for (int i = 0; i < 5; i++) {
        cr_assert(newer.unknown[i] == 0, "unknown field %d is %lx", i,
                  newer.unknown[i]);
    }
    cr_assert(newer.beyond == 0xaaaaaaaaaaaaaaaau, "too much was written");
    check_identities(&newer.known);
}

Test(memstats, reading_changes_nothing) {
    churn(SEED, 10000);
    errno = 4242;
    struct mound_memstats a = read_stats();
    struct mound_memstats b = read_stats();

    cr_assert(memcmp(&a, &b, sizeof a) == 0, "two readings differ");
    cr_assert(errno == 4242, "errno became %d", errno);
}

// figure returns the number behind a text.
static uint64_t figure(const char *text, const char *before) {
    const char *at = strstr(text, before);
    cr_assert(at, "there is no \"%s\" in:\n%s", before, text);
    return strtoull(at + strlen(before), NULL, 10);
}

Test(memstats, the_table_has_the_same_figures) {
    churn(SEED, 10000);
    struct mound_memstats m = read_stats();
    int fd[2];
    cr_assert(pipe(fd) == 0);

    int rc = mound_write_memstats(fd[1]);

    close(fd[1]);
    char text[64 * KIB];
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd[0], text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
    cr_assert(rc == 0, "mound_write_memstats returned %d", rc);
    cr_assert(figure(text, "\n  mallocs ") == m.mallocs, "in\n%s", text);
    cr_assert(figure(text, ", frees ") == m.frees, "in\n%s", text);
    const char *row = strstr(text, "\n  live objects ");
    cr_assert(row && figure(row, "%   ") == m.heap_objects, "in\n%s", text);
}

Test(memstats, the_table_to_a_bad_descriptor_is_refused) {
    int full = open("/dev/full", O_WRONLY);

    int closed = mound_write_memstats(-1);
    int refused = mound_write_memstats(full);

    cr_assert(closed == -1, "descriptor -1: %d", closed);
    cr_assert(full < 0 || refused == -1, "a full device: %d", refused);
}
