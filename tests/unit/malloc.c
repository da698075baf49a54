// malloc.c: the calls of mound.h, in one process and on fake memory. What needs
// malloc itself replaced is tested by tests/preload.
#include "mound.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/lockcount.h"
#include "fixture.h"
#include "mem_fake.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

enum { LARGE = 200 << 10 };

static struct mound_memstats stats(void) {
    static struct mound_memstats st;
    mound_read_memstats(&st, sizeof st);
    return st;
}

static uint64_t objects(void) {
    return stats().heap_objects;
}

static bool all_are(const char *p, size_t nbytes, char c) {
    return nbytes == 0 || (p[0] == c && memcmp(p, p + 1, nbytes - 1) == 0);
}

static void verify(void) {
    cr_assert(zero(int, mound_verify()));
}

Test(malloc, blocks_are_aligned_as_c_wants) {
    for (size_t size = 0; size <= 40000; size += size < 1100 ? 1 : 97) {
        char *p = mound_malloc(size);
        if ((uintptr_t)p % 16 != 0)
            cr_fatal("%zu bytes at %p", size, (void *)p);
        memset(p, 1, size);
    }
    verify();
}

Test(malloc, no_bytes_give_distinct_blocks_that_can_be_freed) {
    void *p[100];
    for (int i = 0; i < 100; i++) {
        p[i] = mound_malloc(0);
        cr_assert(ne(ptr, p[i], NULL));
        for (int k = 0; k < i; k++)
            cr_assert(ne(ptr, p[i], p[k]));
    }
    cr_assert(eq(u64, objects(), 100));

    for (int i = 0; i < 100; i++)
        mound_free(p[i]);

    cr_assert(zero(u64, objects()));
}

Test(malloc, free_of_null_does_nothing_even_first) {
    mound_free(NULL);

    cr_assert(zero(u64, stats().frees));
}

Test(malloc, objects_of_all_sizes_never_overlap, .timeout = 60) {
    enum { LIVE = 3000, STEPS = 100000 };
    static struct {
        char *p;
        size_t size;
        char fill;
    } live[LIVE];
    struct random r = random_from(7);
    uint64_t nlive = 0;
    for (int step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)random_below(&r, LIVE);
        size_t size = random_below(&r, (size_t)1 << (3 + random_below(&r, 14)));
        if (live[i].p != NULL &&
            !all_are(live[i].p, live[i].size, live[i].fill))
            cr_fatal("step %d: an object of %zu bytes was overwritten", step,
                     live[i].size);
        char fill = (char)(step % 100 + 1);
        if (live[i].p == NULL) {
            live[i].p = random_below(&r, 4) == 0 ? mound_calloc(1, size)
                                                 : mound_malloc(size);
            nlive++;
        } else if (random_below(&r, 3) == 0) {
            size_t kept = size < live[i].size ? size : live[i].size;
            live[i].p = mound_realloc(live[i].p, size + 1);
            if (!all_are(live[i].p, kept, live[i].fill))
                cr_fatal("step %d: realloc lost the contents", step);
            size++;
        } else {
            mound_free(live[i].p);
            live[i].p = NULL;
            nlive--;
            continue;
        }
        live[i].size = size;
        live[i].fill = fill;
        memset(live[i].p, fill, size);
        if (step % 5000 == 0) {
            verify();
            cr_assert(eq(u64, objects(), nlive));
        }
    }
    for (unsigned i = 0; i < LIVE; i++)
        mound_free(live[i].p);
    cr_assert(zero(u64, objects()));
    mound_malloc_trim(0);
    verify();
    cr_assert(zero(u64, stats().heap_inuse));
}

Test(malloc, calloc_gives_zeros_from_fresh_and_from_used_memory) {
    static const size_t sizes[] = {1,     8,     100,   4096,
                                   32768, 32769, LARGE, 3 << 20};
    for (int round = 0; round < 5; round++)
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char *p = mound_calloc(1, sizes[i]);
            if (!all_are(p, sizes[i], 0))
                cr_fatal("round %d: %zu bytes are not zero", round, sizes[i]);
            memset(p, 'x', sizes[i]);
            mound_free(p);
            if (round % 2 == 1)
                mound_malloc_trim(0);
        }
}

Test(malloc, a_product_that_overflows_is_refused) {
    errno = 0;
    cr_assert(eq(ptr, mound_calloc(SIZE_MAX / 2, 3), NULL));
    cr_assert(eq(int, errno, ENOMEM));
    errno = 0;
    cr_assert(eq(ptr, mound_reallocarray(NULL, SIZE_MAX / 2, 3), NULL));
    cr_assert(eq(int, errno, ENOMEM));
    cr_assert(zero(u64, stats().mallocs));
}

Test(malloc, sizes_that_cannot_be_are_refused_with_enomem) {
    static const size_t sizes[] = {(size_t)PTRDIFF_MAX,
                                   (size_t)PTRDIFF_MAX + 1,
                                   SIZE_MAX - 8192,
                                   SIZE_MAX - 1,
                                   SIZE_MAX,
                                   (size_t)1 << 47};
    void *kept = mound_malloc(LARGE);
    memset(kept, 'k', LARGE);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        errno = 0;
        cr_assert(eq(ptr, mound_malloc(sizes[i]), NULL));
        cr_assert(eq(int, errno, ENOMEM));
        errno = 0;
        cr_assert(eq(ptr, mound_realloc(kept, sizes[i]), NULL));
        cr_assert(eq(int, errno, ENOMEM));
        errno = 0;
        cr_assert(eq(ptr, mound_memalign(1 << 20, sizes[i]), NULL));
        cr_assert(eq(int, errno, ENOMEM));
        cr_assert(eq(ptr, mound_calloc(1, sizes[i]), NULL));
    }
    cr_assert(all_are(kept, LARGE, 'k'));
    cr_assert(eq(u64, objects(), 1));
    verify();
}

Test(malloc, realloc_does_not_lose_what_the_magazine_of_the_new_class_holds) {
    void *full[20];
    for (int i = 0; i < 20; i++)
        full[i] = mound_malloc(500);
    for (int i = 0; i < 20; i++)
        mound_free(full[i]);

    for (int i = 0; i < 1000; i++) {
        void *p = mound_malloc(100);
        p = mound_realloc(p, 500);
        mound_free(p);
    }

    cr_assert(zero(u64, objects()));
    verify();
}

Test(malloc, memalign_does_not_lose_what_the_magazine_holds) {
    void *p[20];
    for (int i = 0; i < 20; i++)
        p[i] = mound_malloc(512);
    for (int i = 0; i < 20; i++)
        mound_free(p[i]);

    for (int i = 0; i < 1000; i++)
        mound_free(mound_memalign(64, 500));

    cr_assert(zero(u64, objects()));
    verify();
}

Test(malloc, realloc_keeps_the_contents_across_every_border) {
    static const size_t sizes[] = {
        1, 8, 9, 100, 32768, 32769, 50000, LARGE, 1 << 20, 3 << 20, 9 << 20};
    enum { N = sizeof sizes / sizeof sizes[0] };
    for (unsigned from = 0; from < N; from++)
        for (unsigned to = 0; to < N; to++)
            for (int blocked = 0; blocked < 2; blocked++) {
                char *p = mound_malloc(sizes[from]);
                void *behind = blocked ? mound_malloc(LARGE) : NULL;
                size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
                memset(p, 'r', sizes[from]);

                p = mound_realloc(p, sizes[to]);

                if (!all_are(p, kept, 'r'))
                    cr_fatal("%zu to %zu bytes", sizes[from], sizes[to]);
                memset(p, 's', sizes[to]);
                mound_free(p);
                mound_free(behind);
            }
    cr_assert(zero(u64, objects()));
    verify();
}

Test(malloc, realloc_is_malloc_for_null_and_free_for_no_bytes) {
    void *p = mound_realloc(NULL, 100);
    cr_assert(ne(ptr, p, NULL));
    cr_assert(eq(ptr, mound_realloc(p, 0), NULL));
    cr_assert(zero(u64, objects()));
}

Test(malloc, shrinking_cannot_fail) {
    char *p = mound_malloc(9 << 20);
    memset(p, 'p', 1000);
    for (int kind = 0; kind < MEM_NCALLS; kind++)
        mem_fake_fail_at((enum mem_call)kind, 1, MEM_FOR_EVER);
    for (size_t size = 8 << 20; size > 0; size /= 3) {
        p = mound_realloc(p, size);
        cr_assert(ne(ptr, p, NULL));
        cr_assert(all_are(p, size < 1000 ? size : 1000, 'p'));
    }
    verify();
}

Test(malloc, aligned_blocks_are_aligned_counted_and_usable) {
    for (size_t align = 1; align <= (size_t)1 << 30; align *= 2)
        for (size_t size = 1; size <= 100000; size = size * 7 + 5) {
            char *p = mound_memalign(align, size);
            if (p == NULL || (uintptr_t)p % align != 0)
                cr_fatal("%zu bytes aligned to %zu: %p", size, align,
                         (void *)p);
            memset(p, 'a', size);
            cr_assert(ge(sz, mound_malloc_usable_size(p), size));
            mound_free(p);
        }
    cr_assert(zero(u64, objects()));
    verify();
}

Test(malloc, all_usable_bytes_may_be_used) {
    static char *p[2000];
    for (int i = 0; i < 2000; i++) {
        p[i] = mound_malloc((size_t)i * 17);
        memset(p[i], i % 100, mound_malloc_usable_size(p[i]));
    }
    for (int i = 0; i < 2000; i++)
        cr_assert(
            all_are(p[i], mound_malloc_usable_size(p[i]), (char)(i % 100)));
    cr_assert(zero(sz, mound_malloc_usable_size(NULL)));
}

Test(malloc, errno_is_kept_by_every_call_that_succeeds) {
    errno = 77;
    void *p = mound_malloc(10);
    p = mound_realloc(p, LARGE);
    p = mound_realloc(p, 20 << 20);
    mound_free(p);
    mound_free(mound_calloc(1, LARGE));
    mound_free(mound_memalign(4096, 10));
    mound_malloc_trim(0);
    cr_assert(eq(int, errno, 77));
}

struct handoff {
    void *p[2000];
};

static void *free_all(void *arg) {
    struct handoff *h = arg;
    for (int i = 0; i < 2000; i++)
        mound_free(h->p[i]);
    return NULL;
}

Test(malloc, what_a_thread_freed_comes_back_after_its_end) {
    static struct handoff h;
    uint64_t sys = 0;
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        for (int i = 0; i < 2000; i++)
            h.p[i] = mound_malloc(64);
        pthread_create(&thread, NULL, free_all, &h);
        pthread_join(thread, NULL);
        cr_assert(zero(u64, objects()));
        if (round == 2)
            sys = stats().heap_sys;
    }
    cr_assert(eq(u64, stats().heap_sys, sys));
    cr_assert(eq(u64, stats().nthreads, 1));
    verify();
}

static void *allocate_some(void *arg) {
    (void)arg;
    void *p[100];
    for (int i = 0; i < 100; i++)
        p[i] = mound_malloc((size_t)i * 30);
    for (int i = 0; i < 100; i++)
        mound_free(p[i]);
    return NULL;
}

static uint64_t nlocks(enum lockrank rank) {
    return atomic_load(&lockcounts[rank][LOCKCOUNT_TAKEN]);
}

static void *use_ten_classes(void *arg) {
    (void)arg;
    for (size_t size = 16; size <= 160; size += 16)
        mound_free(mound_malloc(size));
    return NULL;
}

Test(malloc, a_short_thread_takes_few_locks) {
    enum { NTHREADS = 100, NCLASSES = 10 };
    uint64_t mcentral = 0, mheap = 0;
    for (int i = -10; i < NTHREADS; i++) {
        if (i == 0) {
            mcentral = nlocks(LOCKRANK_MCENTRAL);
            mheap = nlocks(LOCKRANK_MHEAP);
        }
        pthread_t thread;
        pthread_create(&thread, NULL, use_ten_classes, NULL);
        pthread_join(thread, NULL);
    }
    // Of each class one to get slots, two to give them back; of the heap one to
    // get the cache and one to give it back.
    cr_assert(le(u64, nlocks(LOCKRANK_MCENTRAL) - mcentral,
                 NTHREADS * (NCLASSES * 3 + 1)));
    cr_assert(le(u64, nlocks(LOCKRANK_MHEAP) - mheap, NTHREADS * 3));
    verify();
}

// grow_by_doubling is a buffer that grows from 16 bytes to 2048, and shrinks.
static void grow_by_doubling(void) {
    char *p = NULL;
    for (size_t n = 16; n <= 2048; n += n / 2) {
        p = mound_realloc(p, n);
        memset(p, 1, n);
        cr_assert(ge(sz, mound_malloc_usable_size(p), n));
    }
    p = mound_realloc(p, 24);
    cr_assert(all_are(p, 24, 1));
    mound_free(p);
}

static void align_some(void) {
    for (size_t align = 8; align <= PAGE_SIZE; align *= 2) {
        void *p;
        cr_assert(zero(int, mound_posix_memalign(&p, align, 200)));
        cr_assert(zero(uptr, (uintptr_t)p % align));
        cr_assert(ge(sz, mound_malloc_usable_size(p), 200));
        mound_free(p);
    }
}

Test(malloc, growth_sizes_and_alignment_take_no_lock_once_warm) {
    atomic_store(&mound_heap.nchecked,
                 UINT32_MAX / 2); // of frees that are checked
    void *large = mound_malloc(100000);
    // As if the process had run for long: few frees are checked.
    atomic_store(&mound_heap.nchecked, 1 << 20);
    for (int i = 0; i < 10; i++) {
        grow_by_doubling();
        align_some();
    }
    uint64_t mcentral = nlocks(LOCKRANK_MCENTRAL);
    uint64_t mheap = nlocks(LOCKRANK_MHEAP);
    for (int i = 0; i < 10; i++) {
        grow_by_doubling();
        align_some();
        cr_assert(ge(sz, mound_malloc_usable_size(large), 100000));
    }
    cr_assert(eq(u64, nlocks(LOCKRANK_MCENTRAL), mcentral));
    cr_assert(eq(u64, nlocks(LOCKRANK_MHEAP), mheap));
    mound_free(large);
    cr_assert(zero(u64, objects()));
    verify();
}

static uint64_t nsystem_calls(void) {
    uint64_t n = 0;
    for (int i = 0; i < MEM_NCALLS; i++)
        n += mem_fake_calls((enum mem_call)i);
    return n;
}

// deep_cache lets this thread's magazine of a class hold some slots.
static size_t deep_cache(void) {
    void *p[100];
    for (int i = 0; i < 100; i++)
        p[i] = mound_malloc(64);
    for (int i = 0; i < 100; i++)
        mound_free(p[i]);
    return stats().cache_bytes;
}

Test(malloc, what_no_memory_can_serve_fails_at_once) {
    size_t cached = deep_cache();
    mem_fake_fail_at(MEM_RESERVE, 1, MEM_FOR_EVER);
    static const size_t sizes[] = {(size_t)64 << 20, (size_t)1 << 30,
                                   (size_t)1 << 46, PTRDIFF_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t mcentral = nlocks(LOCKRANK_MCENTRAL);
        uint64_t mheap = nlocks(LOCKRANK_MHEAP);
        uint64_t ncalls = nsystem_calls();
        errno = 0;
        cr_assert(eq(ptr, mound_malloc(sizes[i]), NULL));
        cr_assert(eq(int, errno, ENOMEM));
        if (nlocks(LOCKRANK_MCENTRAL) - mcentral > 0 ||
            nlocks(LOCKRANK_MHEAP) - mheap > 3 || nsystem_calls() - ncalls > 2)
            cr_fatal("%zu bytes: %lu and %lu locks, %lu calls", sizes[i],
                     (unsigned long)(nlocks(LOCKRANK_MCENTRAL) - mcentral),
                     (unsigned long)(nlocks(LOCKRANK_MHEAP) - mheap),
                     (unsigned long)(nsystem_calls() - ncalls));
    }
    cr_assert(eq(u64, stats().cache_bytes, cached)); // all was left alone
    verify();
}

Test(malloc, a_large_request_that_fails_reclaims_once) {
    deep_cache();
    void *p = mound_malloc(64 << 20); // so that the heap is larger than it
    mem_fake_fail_at(MEM_RESERVE, 1, MEM_FOR_EVER);
    mem_fake_fail_at(MEM_COMMIT, 1, MEM_FOR_EVER);
    uint64_t before = nlocks(LOCKRANK_MCENTRAL);
    cr_assert(eq(ptr, mound_malloc(40 << 20), NULL));
    uint64_t once = nlocks(LOCKRANK_MCENTRAL) - before;
    // This thread's cache, the stores twice before and once after: of each class
    // the lock is taken, and another where something is to be given back.
    cr_assert(le(u64, once, 4 * NUM_SIZECLASSES));
    mound_free(p);
    p = mound_malloc(40 << 20);
    cr_assert(ne(ptr, p, NULL));
    verify();
}

Test(malloc, many_short_threads_leave_nothing_behind) {
    uint64_t sys = 0;
    for (int i = 0; i < 500; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, allocate_some, NULL);
        pthread_join(thread, NULL);
        if (i == 10)
            sys = stats().sys;
    }
    cr_assert(eq(u64, stats().sys, sys));
    cr_assert(eq(u64, stats().mallocs, 500 * 100));
    cr_assert(zero(u64, objects()));
    cr_assert(le(u64, stats().nthreads, 1));
    verify();
}

Test(malloc, large_objects_that_a_cache_keeps_come_to_the_scavenger_too) {
    static const size_t sizes[] = {40000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        mound_free(mound_malloc(sizes[i]));
        atomic_store(&mound_heap.tick_ticks, 0);
        for (int k = 0; k < 1000; k++)
            mound_free(mound_malloc(sizes[i]));
        if (atomic_load(&mound_heap.tick_ticks) == 0)
            cr_fatal("1000 pairs of %zu bytes, and nobody has looked",
                     sizes[i]);
    }
}

Test(malloc, trim_returns_everything_returnable) {
    static void *p[500];
    for (int i = 0; i < 500; i++) {
        p[i] = mound_malloc(i % 2 ? LARGE : 100);
        memset(p[i], 1, 100);
    }
    for (int i = 0; i < 500; i++)
        mound_free(p[i]);

    cr_assert(eq(int, mound_malloc_trim(0), 1));

    struct mound_memstats st = stats();
    cr_assert(zero(u64, st.heap_inuse));
    cr_assert(eq(u64, st.heap_released, st.heap_sys));
    cr_assert(zero(u64, st.cache_bytes + st.transfer_bytes));
    cr_assert(eq(int, mound_malloc_trim(0), 0));
}

Test(malloc, trim_keeps_the_pages_that_pad_takes) {
    enum { PAD = 3 << 20 };
    // Used again, so that the second free leaves it where it is.
    for (int i = 0; i < 2; i++)
        mound_free(mound_malloc(20 << 20));

    mound_malloc_trim(PAD);

    struct mound_memstats st = stats();
    cr_assert(ge(u64, st.heap_idle - st.heap_released, PAD));
}
