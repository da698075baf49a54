// mprof.c: buckets, and from samples to what there was.
#include "prof/mprof.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "mem_fake.h"

static struct persistent persistent;
static struct mprof mp;

static void start(void) {
    persistent_init(&persistent);
    mprof_init(&mp, &persistent);
}

TestSuite(mprof, .init = start);

static uint32_t count_all(void) {
    uint32_t n = 0;
    for (struct mbucket *b = mprof_newest(&mp); b != NULL; b = b->older)
        n++;
    return n;
}

Test(mprof, the_same_size_and_stack_have_the_same_bucket) {
    const uintptr_t stack[] = {0x1000, 0x2000, 0x3000};
    const uintptr_t same[] = {0x1000, 0x2000, 0x3000};

    struct mbucket *b = mprof_bucket(&mp, 48, stack, 3);

    cr_assert(ne(ptr, b, NULL));
    cr_assert(eq(ptr, mprof_bucket(&mp, 48, same, 3), b));
    cr_assert(eq(sz, b->size, 48));
    cr_assert(eq(u32, b->npcs, 3));
    cr_assert(zero(int, memcmp(b->pcs, stack, sizeof stack)));
    cr_assert(zero(u64, b->nallocs + b->nfrees));
    cr_assert(eq(u32, mp.nbuckets, 1));
}

Test(mprof, another_size_or_stack_has_another) {
    const uintptr_t stack[] = {0x1000, 0x2000, 0x3000};
    const uintptr_t turned[] = {0x2000, 0x1000, 0x3000};
    struct mbucket *b[] = {
        mprof_bucket(&mp, 48, stack, 3),
        mprof_bucket(&mp, 64, stack, 3),
        mprof_bucket(&mp, 48, stack, 2),
        mprof_bucket(&mp, 48, stack + 1, 2),
        mprof_bucket(&mp, 48, turned, 3),
        mprof_bucket(&mp, 48, NULL, 0),
        mprof_bucket(&mp, 1 << 20, NULL, 0),
    };
    enum { N = sizeof b / sizeof b[0] };

    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++)
            cr_assert(ne(ptr, b[i], b[j]));

    cr_assert(eq(u32, mp.nbuckets, N));
    struct mbucket *walk = mprof_newest(&mp);
    for (int i = N; i-- > 0; walk = walk->older)
        cr_assert(eq(ptr, walk, b[i]));
    cr_assert(eq(ptr, walk, NULL));
}

// Of a library that is no part of the program: its code, and what is none.
Test(mprof, addresses_have_images_where_they_are_code_that_may_go) {
    void *handle = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    uintptr_t code = (uintptr_t)dlsym(handle, "cbrt");
    uintptr_t data = (uintptr_t)((struct link_map *)handle)->l_ld;
    uintptr_t stack[] = {data, code + 1, (uintptr_t)start, 0x1000, data};

    struct mbucket *b = mprof_bucket(&mp, 48, stack, 5);

    cr_assert(eq(ptr, mprof_bucket(&mp, 48, stack, 5), b));
    for (uint32_t i = 0; i < 5; i++)
        cr_assert(eq(u16, mbucket_image(b, i), i == 1));
    const struct image *image = images_newest(&mp.images);
    cr_assert(eq(u16, image->number, 1));
    cr_assert(eq(ptr, image->older, NULL));
    cr_assert(strstr(image->name, "libm.so") != NULL);
    cr_assert(le(uptr, image->code.start, code));
    cr_assert(gt(uptr, image->code.limit, code));
    cr_assert(gt(uint, image->code.nbuild_id, 0));
}

Test(mprof, a_stack_that_is_too_deep_keeps_its_innermost_part) {
    uintptr_t stack[UNWIND_MAX + 10];
    for (uintptr_t i = 0; i < UNWIND_MAX + 10; i++)
        stack[i] = 0x1000 + i;

    struct mbucket *b = mprof_bucket(&mp, 8, stack, UNWIND_MAX + 10);

    cr_assert(eq(u32, b->npcs, UNWIND_MAX));
    cr_assert(eq(ptr, mprof_bucket(&mp, 8, stack, UNWIND_MAX), b));
}

Test(mprof, memory_comes_with_the_first_bucket_and_is_counted) {
    const uintptr_t stack[] = {0x1000};
    cr_assert(zero(u64, mem_fake_calls(MEM_MAP)));
    cr_assert(eq(ptr, mprof_newest(&mp), NULL));

    mprof_bucket(&mp, 8, stack, 1);

    cr_assert(eq(u64, mp.sys_bytes,
                 MPROF_CHAINS * sizeof(void *) + sizeof(struct mbucket) +
                     sizeof stack));
}

Test(mprof, without_memory_there_is_no_bucket_and_nothing_changed) {
    const uintptr_t stack[] = {0x1000};
    struct mbucket *b = NULL;
    int nfailures = 0;
    for (unsigned nth = 1; b == NULL; nth++) {
        mp = (struct mprof){.nbuckets = 0};
        persistent = (struct persistent){.next = 0};
        start();
        mem_fake_fail_at(MEM_MAP, nth, MEM_FOR_EVER);

        b = mprof_bucket(&mp, 8, stack, 1);

        mem_fake_fail_at(MEM_MAP, 0, 0);
        if (b == NULL) {
            nfailures++;
            cr_assert(zero(u32, mp.nbuckets));
            cr_assert(eq(ptr, mprof_newest(&mp), NULL));
            cr_assert(ne(ptr, mprof_bucket(&mp, 8, stack, 1), NULL));
            cr_assert(eq(u32, mp.nbuckets, 1));
        }
    }
    // The chains; a chunk for buckets.
    cr_assert(ge(int, nfailures, 2));
}

Test(mprof, stacks_beyond_the_limit_share_a_bucket_of_their_size,
     .timeout = 60) {
    uintptr_t stack[2] = {0x1000};
    for (stack[1] = 1; stack[1] <= MPROF_BUCKETS_MAX; stack[1]++)
        mprof_bucket(&mp, 8, stack, 2);
    cr_assert(eq(u32, mp.nbuckets, MPROF_BUCKETS_MAX));

    struct mbucket *b = mprof_bucket(&mp, 8, stack, 2);

    cr_assert(zero(u32, b->npcs));
    cr_assert(eq(sz, b->size, 8));
    cr_assert(eq(ptr, mprof_bucket(&mp, 8, stack, 1), b));
    cr_assert(ne(ptr, mprof_bucket(&mp, 16, stack, 2), b));
    cr_assert(eq(u32, mp.nbuckets, MPROF_BUCKETS_MAX + 2));
    stack[1] = 77; // one of the old ones
    cr_assert(eq(uptr, mprof_bucket(&mp, 8, stack, 2)->pcs[1], 77));
    cr_assert(eq(u32, count_all(), MPROF_BUCKETS_MAX + 2));
}

Test(mprof, stacks_that_are_much_alike_are_spread_over_the_chains) {
    uintptr_t stack[20] = {0};
    for (uintptr_t i = 0; i < MPROF_CHAINS; i++) {
        stack[3] = 0x55550000 + (i & 127) * 4096;
        stack[17] = 0x7fff0000 + (i >> 7) * 16;
        mprof_bucket(&mp, 4096, stack, 20);
    }

    int longest = 0;
    for (int i = 0; i < MPROF_CHAINS; i++) {
        int n = 0;
        for (struct mbucket *b = mp.chains[i]; b != NULL; b = b->next)
            n++;
        longest = n > longest ? n : longest;
    }
    // By chance alone it is 7 or 8.
    cr_assert(le(int, longest, 12));
}

enum { NTHREADS = 8, NSTACKS = 5000 };

static struct mbucket *found[NTHREADS][NSTACKS];
static pthread_barrier_t barrier;

static void *add_them_all(void *arg) {
    uintptr_t me = (uintptr_t)arg;
    pthread_barrier_wait(&barrier);
    for (uintptr_t i = 0; i < NSTACKS; i++) {
        uintptr_t which = me % 2 == 0 ? i : NSTACKS - 1 - i;
        uintptr_t stack[] = {0x1000 + which, 0x2000 + which / 3};
        struct mbucket *b = mprof_bucket(&mp, 16 + which % 2, stack, 2);
        atomic_fetch_add_explicit(&b->nallocs, 1, memory_order_relaxed);
        found[me][which] = b;
    }
    return NULL;
}

Test(mprof, threads_that_add_the_same_stacks_make_each_bucket_once,
     .timeout = 60) {
    pthread_t threads[NTHREADS];
    pthread_barrier_init(&barrier, NULL, NTHREADS);
    for (uintptr_t i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, add_them_all, (void *)i);

    // A reader meanwhile sees nothing but whole buckets.
    while (count_all() < NSTACKS)
        for (struct mbucket *b = mprof_newest(&mp); b != NULL; b = b->older)
            cr_assert(b->npcs == 2 && b->pcs[0] - 0x1000 < NSTACKS &&
                      b->pcs[1] == 0x2000 + (b->pcs[0] - 0x1000) / 3);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);

    cr_assert(eq(u32, mp.nbuckets, NSTACKS));
    cr_assert(eq(u32, count_all(), NSTACKS));
    for (int j = 0; j < NSTACKS; j++) {
        cr_assert(eq(u64, found[0][j]->nallocs, NTHREADS));
        for (int i = 1; i < NTHREADS; i++)
            cr_assert(eq(ptr, found[i][j], found[0][j]));
    }
}

// by_libm is mprof_scale before it is cut.
static double by_libm(uint64_t n, size_t size, uint64_t rate) {
    return (double)n / -expm1(-(double)size / (double)rate);
}

Test(mprof, numbers_are_scaled_as_libm_would_to_1e_12) {
    static const uint64_t rates[] = {
        2, 3, 100, 4096, 524288, 1000003, (uint64_t)1 << 40};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++)
        for (double size = 1; size < 1e12; size = ceil(size * 1.07)) {
            uint64_t n = (uint64_t)1 << 40;
            double want = by_libm(n, (size_t)size, rates[r]);
            if (want > 1e18)
                continue;
            uint64_t got = mprof_scale(n, (size_t)size, rates[r]);
            cr_assert(fabs((double)got - want) <= 1 + want * 1e-12,
                      "%.0f of %g at %lu: %lu", (double)n, size,
                      (unsigned long)rates[r], (unsigned long)got);
        }
}

Test(mprof, small_numbers_are_scaled_and_cut) {
    // 1 / (1 - e^-1) is 1.58; with the sizes of a profile of Go's:
    cr_assert(eq(u64, mprof_scale(1, 4096, 4096), 1));
    cr_assert(eq(u64, mprof_scale(10, 4096, 4096), 15));
    cr_assert(eq(u64, mprof_scale(1, 1024, 524288), 512));
    cr_assert(eq(u64, mprof_scale(1024, 1024, 524288), 524800));
    cr_assert(eq(u64, mprof_scale(2, 524288, 524288), 3));
    cr_assert(eq(u64, mprof_scale(1, (size_t)1 << 30, 524288), 1));
    cr_assert(eq(u64, mprof_scale(7, (size_t)1 << 30, 524288), 7));
}

Test(mprof, what_was_not_sampled_is_not_scaled) {
    cr_assert(eq(u64, mprof_scale(12345, 8, 1), 12345));
    cr_assert(eq(u64, mprof_scale(12345, 8, 0), 12345));
    cr_assert(zero(u64, mprof_scale(0, 8, 524288)));
    cr_assert(zero(u64, mprof_scale(10, 0, 524288)));
}

Test(mprof, a_number_that_is_too_large_is_the_largest) {
    cr_assert(
        eq(u64, mprof_scale(UINT64_MAX, 1, (uint64_t)1 << 62), INT64_MAX));
    cr_assert(eq(u64, mprof_scale(UINT64_MAX / 2, 1, 2), INT64_MAX));
}
