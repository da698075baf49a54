// memstats.c: one reading of all counters: its identities, and against counts
// kept by the test.
#include "prof/memstats.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "mem_fake.h"
#include "mound.h"
#include "runtime/runtime.h"

static struct mound_memstats st;

static void read_stats(void) {
    mound_read_memstats(&st, sizeof st);
}

// check_identities holds whatever other threads do meanwhile.
static void check_identities(const struct mound_memstats *s) {
    static const uint64_t bound = 100ull * 1000 * 1000 * 1000;
    cr_assert(eq(u64, s->sys,
                 s->heap_sys + s->stack_sys + s->mspan_sys + s->mcache_sys +
                     s->buckhash_sys + s->gc_sys + s->other_sys));
    cr_assert(eq(u64, s->heap_idle + s->heap_inuse, s->heap_sys));
    cr_assert(eq(u64, s->alloc, s->heap_alloc));
    cr_assert(eq(u64, s->heap_objects, s->mallocs - s->frees));
    cr_assert(le(u64, s->heap_released, s->heap_idle));
    cr_assert(le(u64, s->heap_holes, s->heap_inuse));
    cr_assert(le(u64, s->mspan_inuse, s->mspan_sys));
    cr_assert(le(u64, s->mcache_inuse, s->mcache_sys));
    uint64_t mallocs = 0, frees = 0, bytes = 0;
    for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
        const struct mound_bysize *by = &s->by_size[c];
        cr_assert(ge(u64, by->mallocs, by->frees));
        cr_assert(eq(u64, by->size, sizeclass_bytes[c]));
        mallocs += by->mallocs;
        frees += by->frees;
        bytes += (by->mallocs - by->frees) * by->size;
    }
    cr_assert(eq(u64, s->mallocs, mallocs));
    cr_assert(eq(u64, s->frees, frees));
    cr_assert(eq(u64, s->heap_alloc, bytes + s->large_alloc));
    const uint64_t *fields = (const uint64_t *)s;
    for (size_t i = 0; i < offsetof(struct mound_memstats, num_gc) / 8; i++)
        if (fields[i] > bound)
            cr_fatal("field %zu is %lu", i, (unsigned long)fields[i]);
}

static void check_no_collector(const struct mound_memstats *s) {
    cr_assert(zero(u64, s->lookups));
    cr_assert(zero(u64, s->stack_inuse + s->stack_sys + s->buckhash_sys));
    cr_assert(zero(u64, s->next_gc + s->last_gc + s->pause_total_ns));
    for (int i = 0; i < 256; i++)
        cr_assert(zero(u64, s->pause_ns[i] + s->pause_end[i]));
    cr_assert(zero(u32, s->num_gc + s->num_forced_gc));
    cr_assert(not(s->enable_gc || s->debug_gc));
}

Test(memstats, before_the_first_call_nothing_is_counted) {
    read_stats();

    cr_assert(zero(u64, st.mallocs + st.heap_sys + st.nspans));
    check_identities(&st);
    check_no_collector(&st);
}

Test(memstats, counts_are_exact_when_nobody_allocates) {
    static void *p[1000];
    uint64_t bytes = 0;
    for (int i = 0; i < 1000; i++) {
        p[i] = mound_malloc((size_t)i * 50);
        bytes += mound_malloc_usable_size(p[i]);
    }
    read_stats();
    cr_assert(eq(u64, st.mallocs, 1000));
    cr_assert(zero(u64, st.frees));
    cr_assert(eq(u64, st.heap_alloc, bytes));
    cr_assert(eq(u64, st.total_alloc, bytes));
    for (int i = 0; i < 600; i++) {
        bytes -= mound_malloc_usable_size(p[i]);
        mound_free(p[i]);
    }

    read_stats();
    cr_assert(eq(u64, st.mallocs, 1000));
    cr_assert(eq(u64, st.frees, 600));
    cr_assert(eq(u64, st.heap_alloc, bytes));
    cr_assert(gt(u64, st.mspan_inuse, 0));
    cr_assert(gt(u64, st.mcache_inuse, 0));
    cr_assert(gt(u64, st.other_sys, 0));
    cr_assert(gt(u64, st.gc_sys, 0));
    check_identities(&st);
    check_no_collector(&st);
}

// table is the dump as text.
static const char *table(void) {
    static char text[16384];
    int fd = memfd_create("table", 0);
    cr_assert(zero(int, mound_write_memstats(fd)));
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    cr_assert(gt(int, (int)n, 0));
    text[n] = '\0';
    close(fd);
    return text;
}

Test(memstats, stalls_and_refusals_are_told_once_there_are_some) {
    mound_free(mound_malloc(1));
    read_stats();
    cr_assert(zero(u64, st.huge_stalls + st.release_refused));
    cr_assert(strstr(table(), "stalls") == NULL);
    cr_assert(strstr(table(), "refused") == NULL);

    mound_heap.nstalls = 3;
    atomic_store(&mound_heap.release_refused, true);

    read_stats();
    cr_assert(eq(u64, st.huge_stalls, 3));
    cr_assert(eq(u64, st.release_refused, 1));
    cr_assert(strstr(table(), "  stalls ") != NULL);
    cr_assert(strstr(table(), "  refused ") != NULL);
    mound_malloc_trim(0); // it tries again
    read_stats();
    cr_assert(zero(u64, st.release_refused));
}

Test(memstats, each_size_class_counts_its_own) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++)
        for (unsigned i = 0; i < c; i++)
            mound_malloc(sizeclass_bytes[c]);

    read_stats();

    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        uint64_t want = c;
        if (sizeclass_bytes[c] % MIN_ALIGN != 0)
            want = 0; // served by the next class
        if (c > 1 && sizeclass_bytes[c - 1] % MIN_ALIGN != 0)
            want += c - 1;
        cr_assert(eq(u64, st.by_size[c].mallocs, want));
        cr_assert(zero(u64, st.by_size[c].frees));
    }
}

Test(memstats, large_objects_count_with_their_pages) {
    void *a = mound_malloc(40000);
    void *b = mound_malloc(1 << 20);
    mound_free(a);

    read_stats();

    cr_assert(eq(u64, st.by_size[0].mallocs, 2));
    cr_assert(eq(u64, st.by_size[0].frees, 1));
    cr_assert(eq(u64, st.large_alloc, 1 << 20));
    cr_assert(eq(u64, st.large_total_alloc, (1 << 20) + 5 * 8192));
    check_identities(&st);
    mound_free(b);
}

Test(memstats, what_the_system_gave_is_all_accounted_for) {
    for (int i = 0; i < 20000; i++)
        mound_malloc((size_t)i % 3000);
    mound_malloc(50 << 20);

    read_stats();

    // Only mem_map's part of sys is not the heap's: it is counted by the fake.
    size_t committed = mem_fake_total(MEM_COMMITTED) +
                       mem_fake_total(MEM_POPULATED) +
                       mem_fake_total(MEM_RELEASED);
    cr_assert(eq(u64, st.heap_sys, committed));
    cr_assert(
        eq(u64, st.sys - st.heap_sys,
           mound_heap.persistent.sys_bytes + mound_heap.pages.arena_bytes));
    check_identities(&st);
}

Test(memstats, spans_and_caches_agree_with_a_walk) {
    static void *p[5000];
    for (int i = 0; i < 5000; i++)
        p[i] = mound_malloc((size_t)i % 700);
    for (int i = 0; i < 5000; i += 2)
        mound_free(p[i]);
    mound_malloc(100000);

    read_stats();

    uint64_t slots = 0, free_bytes = 0, nspans = 1;
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        const struct classstats *cs = &mound_stats.classes[c];
        slots += cs->nslots * cs->elemsize;
        free_bytes += cs->nfree * cs->elemsize;
        nspans += cs->nspans;
    }
    cr_assert(eq(u64, st.nspans, nspans));
    cr_assert(eq(u64, st.heap_alloc - st.large_alloc,
                 slots - free_bytes - st.cache_bytes - st.transfer_bytes));
    cr_assert(zero(int, mound_verify())); // the counters against all spans
}

Test(memstats, an_older_program_gets_the_fields_it_knows_and_no_more) {
    static unsigned char buf[sizeof st];
    size_t known = offsetof(struct mound_memstats, frees);
    mound_malloc(10);
    memset(buf, 0xee, sizeof buf);

    mound_read_memstats((struct mound_memstats *)buf, known);

    read_stats();
    cr_assert(zero(int, memcmp(buf, &st, known)));
    for (size_t i = known; i < sizeof buf; i++)
        if (buf[i] != 0xee)
            cr_fatal("byte %zu was written", i);
}

Test(memstats, a_newer_program_gets_zeros_for_what_is_not_known) {
    static unsigned char buf[sizeof st + 64];
    memset(buf, 0xee, sizeof buf);

    mound_read_memstats((struct mound_memstats *)buf, sizeof buf);

    for (size_t i = sizeof st; i < sizeof buf; i++)
        cr_assert(zero(u8, buf[i]));
}

static _Atomic bool stop;

static void *traffic(void *arg) {
    void *p[64] = {NULL};
    struct random r = {(uint64_t)(uintptr_t)arg};
    while (!atomic_load(&stop)) {
        unsigned i = (unsigned)random_below(&r, 64);
        mound_free(p[i]);
        p[i] = mound_malloc(
            random_below(&r, (size_t)1 << (3 + random_below(&r, 14))));
    }
    for (int i = 0; i < 64; i++)
        mound_free(p[i]);
    return NULL;
}

Test(memstats, under_load_identities_hold_and_nothing_that_rises_falls,
     .timeout = 60) {
    enum { NTHREADS = 3, READS = 300, ENOUGH = 1000000 };
    static struct mound_memstats last;
    pthread_t threads[NTHREADS];
    for (uintptr_t i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, traffic, (void *)(i + 1));

    for (int i = 0; i < READS || st.mallocs < ENOUGH; i++) {
        read_stats();
        check_identities(&st);
        cr_assert(ge(u64, st.mallocs, last.mallocs));
        cr_assert(ge(u64, st.frees, last.frees));
        cr_assert(ge(u64, st.total_alloc, last.total_alloc));
        for (int c = 0; c < MOUND_NSIZECLASSES; c++) {
            cr_assert(ge(u64, st.by_size[c].mallocs, last.by_size[c].mallocs));
            cr_assert(ge(u64, st.by_size[c].frees, last.by_size[c].frees));
        }
        last = st;
    }
    atomic_store(&stop, true);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);

    read_stats();
    cr_assert(zero(u64, st.heap_objects));
    cr_assert(zero(u64, st.heap_alloc));
    cr_assert(zero(int, mound_verify()));
}
